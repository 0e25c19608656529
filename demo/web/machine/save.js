// The diagram for slides: one SVG with everything in it, and the same as PNG.
import { make, svg } from "../dom_old.js";

// biome-ignore format: a list
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset",
  "opacity", "font-family", "font-weight", "font-style", "text-anchor", "paint-order",
  "stroke-linejoin",
];

const copied = (from) => {
  if (from.matches(".gm-zone, .gm-area") || from.style.display === "none") return [];
  const to = from.cloneNode(false);
  const style = getComputedStyle(from);
  for (const name of ["class", "role", "tabindex"]) to.removeAttribute(name);
  if (from.tagName !== "g") {
    for (const name of STYLES) to.setAttribute(name, style.getPropertyValue(name));
  }
  for (const child of from.childNodes) {
    to.append(...(child.nodeType === Node.TEXT_NODE ? [child.cloneNode()] : copied(child)));
  }
  return [to];
};

const drawing = ({ root, plan, pen }) => {
  const { W: width, height } = plan;
  const ground = getComputedStyle(root).getPropertyValue("--background-fill-primary") || "#ffffff";
  const viewBox = `0 0 ${width} ${height}`;
  const whole = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox });
  const images = [...pen.layer.children].map((one) => {
    const { x, y, w, h } = one.box;
    return svg("image", {
      ...{ href: one.toDataURL(), x, y, width: w, height: h, opacity: one.style.opacity },
      preserveAspectRatio: "none",
      style: one.className && "image-rendering: pixelated",
    });
  });
  whole.append(svg("rect", { width: "100%", height: "100%", fill: ground }));
  const lines = (layer) => [...layer.children].flatMap(copied);
  whole.append(...lines(pen.back), ...images, ...lines(pen.front));
  return new Blob([new XMLSerializer().serializeToString(whole)], { type: "image/svg+xml" });
};

const save = (blob, name) => {
  const link = Object.assign(make("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

export const saveSvg = (m) => save(drawing(m), "gclip-machine.svg");

export const savePng = async (m) => {
  const canvas = make("canvas");
  Object.assign(canvas, { width: 2 * m.plan.W, height: 2 * m.plan.height });
  const image = new Image();
  image.src = URL.createObjectURL(drawing(m));
  await image.decode();
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => save(blob, "gclip-machine.png"), "image/png");
};
