// Helpers for the document. A visitor's words enter the page through textContent only.

export const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (tag === "button") node.type = "button";
  if (text !== undefined) node.textContent = text;
  return node;
};

export const svg = (tag, attributes = {}) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  return node;
};

export const button = (text, act, className = "gw-button") => {
  const node = make("button", className, text);
  node.addEventListener("click", act);
  return node;
};

export const skeleton = (words) => {
  const box = make("div", "gw-skeleton");
  box.append(make("span", "", words || ""));
  return box;
};

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

// The pointer's place in a node: shares of its height and width, below 1.
export const placeIn = (node, event) => {
  const box = node.getBoundingClientRect();
  const [y, x] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
  return [clamp(y, 0, 0.99999), clamp(x, 0, 0.99999)];
};

export const percent = (share) =>
  share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;

// A number with a minus that is as wide as a plus.
export const written = (value, digits) => value.toFixed(digits).replace("-", "−");

export const placeName = (row, column) => `row ${row + 1}, column ${column + 1}`;

// Whether the visitor asks for less motion.
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const arrows = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};
