// Elements of the page: to find them, to make them, and to say something in them.

/** Selectors inside an element: for the first match, and for all matches.
 * @param {ParentNode} element */
export const inside = (element) => ({
  /** @param {string} selector @returns {any} */
  $: (selector) => element.querySelector(selector),
  /** @param {string} selector @returns {any[]} */
  $$: (selector) => [...element.querySelectorAll(selector)],
});

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @returns {HTMLElementTagNameMap[T]} */
export const make = (tag, className = "", text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

/** @param {string} className @param {string} text @param {() => void} [onclick] */
export const makeButton = (className, text, onclick) =>
  Object.assign(make("button", className, text), { type: "button", onclick });

/** A copy of the elements of a template. @param {string} template @returns {DocumentFragment} */
export const copyOf = (template) => inside(document).$(template).content.cloneNode(true);

/** Set custom properties of CSS.
 * @param {HTMLElement} element @param {Record<string, string | number>} values */
export function setProperties(element, values) {
  for (const name of Object.keys(values)) element.style.setProperty(`--${name}`, `${values[name]}`);
}

/** Show a text, or hide the element if there is none.
 * @param {HTMLElement} element @param {string} text */
export function setText(element, text) {
  Object.assign(element, { textContent: text, hidden: !text });
}

/** Show a value in a box, but not over what is being typed there.
 * @param {HTMLInputElement} box @param {string | number | boolean} value */
export function showValue(box, value) {
  if (document.activeElement === box && box.value !== box.dataset.shown) return;
  box.value = `${value}`;
  box.dataset.shown = box.value;
}

/** How many answers a part has drawn: a diagram is hidden before the first, tests wait for one.
 * @param {HTMLElement} element */
export function countAnswer(element) {
  element.dataset.answers = `${Number(element.dataset.answers ?? 0) + 1}`;
}

let fading = 0;
/** Say something for some seconds. @param {string} text */
export function toast(text) {
  document.querySelector("#toast").textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => toast(""), 8000);
}

/** Whether this visitor wants less motion. */
export const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
