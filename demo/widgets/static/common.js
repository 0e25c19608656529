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
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : (100 * share).toFixed(1) + " %");
const skeleton = (words) => {
  const box = make("div", "gw-skeleton");
  box.append(make("span", "", words || ""));
  return box;
};
