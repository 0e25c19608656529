// The diagram for slides: one SVG with all it needs in it, and the same as PNG.
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset", "opacity",
  "font-family", "font-weight", "font-style", "text-anchor", "paint-order", "stroke-linejoin"];
const copied = (from) => {
  if (from.matches(".gm-zone, .gm-area") || from.style.display === "none") return [];
  const to = from.cloneNode(false), style = getComputedStyle(from);
  for (const name of ["class", "role", "tabindex"]) to.removeAttribute(name);
  if (from.tagName !== "g") for (const name of STYLES) to.setAttribute(name, style.getPropertyValue(name));
  for (const child of from.childNodes) to.append(...(child.nodeType === Node.TEXT_NODE ? [child.cloneNode()] : copied(child)));
  return [to];
};
const drawing = () => {
  const { W: width, height } = plan, ground = getComputedStyle(root).getPropertyValue("--background-fill-primary") || "#ffffff";
  const whole = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` });
  const images = [...layer.children].map((one) => svg("image", {
    href: one.toDataURL(), x: one.box.x, y: one.box.y, width: one.box.w, height: one.box.h, opacity: one.style.opacity,
    preserveAspectRatio: "none", style: one.className && "image-rendering: pixelated",
  }));
  whole.append(svg("rect", { width: "100%", height: "100%", fill: ground }));
  whole.append(...[...back.children].flatMap(copied), ...images, ...[...front.children].flatMap(copied));
  return new Blob([new XMLSerializer().serializeToString(whole)], { type: "image/svg+xml" });
};
const save = (blob, name) => {
  const link = Object.assign(make("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const saveSvg = () => save(drawing(), "gclip-machine.svg");
const savePng = async () => {
  const image = new Image(), canvas = Object.assign(make("canvas"), { width: 2 * plan.W, height: 2 * plan.height });
  image.src = URL.createObjectURL(drawing());
  await image.decode();
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => save(blob, "gclip-machine.png"), "image/png");
};
