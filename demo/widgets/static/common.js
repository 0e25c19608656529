// Shared by every widget. Words of visitors enter the page through textContent only.
const make = (tag, cls, text) => {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (tag === "button") node.type = "button";
  if (text !== undefined) node.textContent = text;
  return node;
};
const svg = (tag, attributes) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  return node;
};
const fault = (value) => (value.simulated ? [make("span", "gw-pill gw-fault", "Simulation")] : []);
// Colours as a canvas holds them, and those of attention: plain, and as a veil over a picture.
const pack = (r, g, b, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
const hex = (colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
const HEAT = LUT.map((rgb) => pack(...rgb)), GLOW = LUT.map((rgb, k) => pack(...rgb, 70 + (185 * k) / 63));
const pixels = (canvas, w, h, ink) => {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d"), data = context.createImageData(w, h), out = new Uint32Array(data.data.buffer);
  for (let i = 0; i < out.length; i++) out[i] = ink(i);
  context.putImageData(data, 0, 0);
};
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
// Where in a node a pointer is: shares of its height and width, under 1.
const placeIn = (node, event) => {
  const box = node.getBoundingClientRect();
  return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].map((x) => clamp(x, 0, 0.99999));
};
const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : (100 * share).toFixed(1) + " %");
const skeleton = (words) => {
  const box = make("div", "gw-skeleton");
  box.append(make("span", "", words || ""));
  return box;
};
