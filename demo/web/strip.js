// Pictures in a row or a grid, as buttons if one can be pressed; without pictures, chips.
import { make, setText } from "./elements.js";
/** @import { Item, Strip } from "./types.js" */

/**
 * Returns a function that draws a strip; a press calls `press` with its item.
 * @param {HTMLElement} element
 * @param {(item: Item) => void} [press]
 * @returns {(value: Strip) => void}
 */
export function createStrip(element, press) {
  const legend = make("div", "legend");
  const strip = make("div", "items");
  const note = make("p", "note");
  element.replaceChildren(legend, strip, note);
  let key = "";
  /** @type {Item[]} */
  let items = [];

  /** @param {Item} item @param {number} i @param {unknown} isPressable */
  function drawn({ url, caption = "", alt = "", isOurs }, i, isPressable) {
    const item = make(isPressable ? "button" : "figure", url ? "" : "pill");
    item.classList.toggle("ours", isOurs === true);
    if (url) item.append(Object.assign(make("img"), { src: url, alt }));
    if (caption) item.append(make("bdi", "", caption));
    if (isPressable) Object.assign(item, { type: "button", onclick: () => press(items[i]) });
    return item;
  }

  return ({ columns = 1, classes = [], selected, pressable = true, ...value }) => {
    items = value.items;
    legend.replaceChildren(...classes.map(named));
    setText(note, value.note ?? "");
    strip.style.setProperty("--columns", `${columns}`);
    // What a press does may change with each press, which must not replace the focused button.
    const next = JSON.stringify([items.map(({ settings, ...seen }) => seen), pressable]);
    if (key !== next) {
      strip.replaceChildren(...items.map((item, i) => drawn(item, i, pressable && press)));
      key = next;
    }
    if (selected !== undefined)
      strip.querySelectorAll("button").forEach((button, i) => {
        button.setAttribute("aria-pressed", `${i === selected}`);
      });
  };
}

/** @param {{ name: string, colour: string }} entry */
function named({ name, colour }) {
  const entry = make("bdi", colour ? "" : "none");
  entry.append(make("i", "swatch"), name);
  entry.style.setProperty("--colour", colour);
  return entry;
}
