// What the parts share: elements, texts, packed numbers, heat, patches of a grid.

/** Selectors inside an element: for the first match, and for all matches. */
export const inside = (element) => ({
  /** @param {string} selector @returns {any} */
  $: (selector) => element.querySelector(selector),
  /** @param {string} selector @returns {any[]} */
  $$: (selector) => [...element.querySelectorAll(selector)],
});
/** @param {string} tag @returns {any} */
export const make = (tag, className = "", text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });
/** @param {() => void} [onclick] @returns {any} */
export const makeButton = (className, text, onclick) =>
  Object.assign(make("button", className, text), { type: "button", onclick });
/** Set custom properties of CSS. */
export function setProperties(element, values) {
  for (const name of Object.keys(values)) element.style.setProperty(`--${name}`, values[name]);
}
/** A value that this tab of the browser keeps for a reload, where it may; sets it if one is given. */
export function recall(name, value) {
  try {
    if (value !== undefined) sessionStorage.setItem(`gclip-${name}`, JSON.stringify(value));
    return JSON.parse(sessionStorage.getItem(`gclip-${name}`));
  } catch {
    return null; // this browser stores nothing
  }
}
/** Show a value in a box, but not over what is being typed there. */
export function showValue(box, value) {
  if (document.activeElement === box && box.value !== box.dataset.shown) return;
  box.value = value;
  box.dataset.shown = box.value;
}
let fading = 0;
/** Say something for some seconds. */
export function toast(text) {
  document.querySelector("#toast").textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => toast(""), 8000);
}
/** Whether all words of a text are among those of another. */
export const contains = (text, words) =>
  words.split(",").every((word) => text.split(",").some((one) => one.trim() === word.trim()));
/** Whether this visitor wants less motion. */
export const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
/** The colour of the background's bars, and how many words have bars. */
export const GREY = "#9aa0aa";
export const MOST_WORDS = 4;
export const behindText = (name) => (name ? `background (nearest: ${name})` : "background");
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Packed arrays that have been unpacked. */
const unpacked = new WeakMap();
function numbers(packed) {
  if (!unpacked.has(packed)) unpacked.set(packed, unpack(packed.gzip));
  return unpacked.get(packed);
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A function that unpacks arrays and then shows them; a newer call cancels older ones. */
export function newestOnly() {
  let newest = 0;
  return async (packed, show) => {
    newest += 1;
    const call = newest;
    const arrays = await Promise.all(packed.map((part) => part && numbers(part)));
    if (call === newest) show(arrays);
  };
}

/** A copy of the parts of a component, which are in a template of the page. */
export function partsOf(template) {
  const parts = document.querySelector(template).content.cloneNode(true);
  explainTerms(parts);
  return parts;
}
export const fill = (element, template) => element.replaceChildren(partsOf(template));

/** Give each term a tooltip with its sentence, unless it has one of its own. */
export function explainTerms(root) {
  const terms = inside(document).$("#terms").content;
  for (const term of root.querySelectorAll("dfn:not([tabindex])")) {
    const { title, textContent } = term;
    if (title) term.append(make("span", "unseen", title)); // for screen readers only
    const about = make("span");
    about.setAttribute("role", "tooltip");
    about.textContent = terms.querySelector(`[data-term="${title || textContent}"]`).textContent;
    term.append(about);
    term.removeAttribute("title");
    term.tabIndex = 0;
  }
}

/** How many answers a part has drawn: a diagram is hidden before the first, tests wait for one. */
export function countAnswer(element) {
  element.dataset.answers = Number(element.dataset.answers ?? 0) + 1;
}

const RAMP = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];
/** A colour for each of 256 values, from black through red to yellow; low ones are transparent. */
export const HEAT = Uint32Array.from({ length: 256 }, (_, value) => {
  const t = (value / 255) * (RAMP.length - 1);
  const low = Math.min(Math.floor(t), RAMP.length - 2);
  const [r, g, b] = RAMP[low].map((from, i) => from + (t - low) * (RAMP[low + 1][i] - from));
  return abgr(r, g, b, 130 + value * 0.4);
});

/** A colour in the byte order of a canvas. */
export function abgr(r, g, b, alpha) {
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** "#rrggbb" in the byte order of a canvas. */
export function ink(colour, alpha) {
  const [r, g, b] = [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
  return abgr(r, g, b, alpha);
}

/** Show pixels in rows of `width`. */
export function put(canvas, width, pixels) {
  const picture = new ImageData(new Uint8ClampedArray(pixels.buffer), width);
  Object.assign(canvas, { width, height: picture.height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** Show pixels that `colour(i)` computes. */
export function draw(canvas, width, height, colour) {
  const pixels = new Uint32Array(width * height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colour(i);
  put(canvas, width, pixels);
}

export const heat = (canvas, values, columns) =>
  draw(canvas, columns, values.length / columns, (i) => HEAT[values[i]]);

/** The row and the column of a patch, from 0. @returns {[number, number]} */
export const cellOf = (patch, [, columns]) => [Math.floor(patch / columns), patch % columns];

/** The place under a pointer, or the nearest, in shares of the sides of a part. */
export function placeUnder({ clientX, clientY }, part) {
  const { left, top, width, height } = part.getBoundingClientRect();
  return [clamp((clientX - left) / width, 0, 1), clamp((clientY - top) / height, 0, 1)];
}

/** The patch at a place; patches are numbered from 0, row by row.
 * @param {number[]} place @param {number[]} grid */
export function patchAt([x, y], [rows, columns]) {
  const [row, column] = [Math.floor(y * rows), Math.floor(x * columns)];
  return Math.min(row, rows - 1) * columns + Math.min(column, columns - 1);
}

/** The place of the centre of a patch. */
export function centreOf(patch, grid) {
  const [rows, columns] = grid;
  const [row, column] = cellOf(patch, grid);
  return [(column + 0.5) / columns, (row + 0.5) / rows];
}

export const ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};
export function patchBeside(patch, key, grid) {
  const [rows, columns] = grid;
  const [row, column] = cellOf(patch, grid);
  const [down, right] = ARROWS[key];
  return clamp(row + down, 0, rows - 1) * columns + clamp(column + right, 0, columns - 1);
}
export const middle = ([rows, columns]) => Math.floor(rows / 2) * columns + Math.floor(columns / 2);
export function placeOf(patch, grid) {
  const [row, column] = cellOf(patch, grid);
  return `row ${row + 1}, column ${column + 1}`;
}
