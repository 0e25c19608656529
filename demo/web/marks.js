// Marks: places on the photo of which a visitor says what they are. The state has them as text,
// "x,y,word" or "left,top,right,bottom,word" with shares of the photo's sides, separated by ";".
// No word means none of the words; settings.py reads the same.
import { make, makeButton } from "./elements.js";
import { ARROWS, clamp } from "./grid.js";

/** @typedef {{ box: number[], word: string }} Mark */

/** @param {string} text @returns {Mark[]} */
export function read(text) {
  const items = text.split(";").filter(Boolean);
  return items.map((item) => {
    const parts = item.split(",");
    return { box: parts.slice(0, -1).map(Number), word: parts.at(-1) };
  });
}

/** @param {Mark[]} marks */
export const write = (marks) =>
  marks.map(({ box, word }) => [...box.map((n) => Number(n.toFixed(4))), word].join()).join(";");

/** Put an element at a point or over a box of the photo.
 * @param {HTMLElement} element @param {number[]} place */
export function putAt(element, [left, top, right, bottom]) {
  Object.assign(element.style, { left: `${100 * left}%`, top: `${100 * top}%` });
  if (right === undefined) return;
  const [width, height] = [`${100 * (right - left)}%`, `${100 * (bottom - top)}%`];
  Object.assign(element.style, { width, height });
}

const MOST_WORDS = 5; // on buttons; the others are typed

/** Ask what is at a place: a line of buttons, of which the word of the mask is `pressed`.
 * `tell(word)` is called with the answer. A mark that is `there` can be removed, and its word kept.
 * @param {string[]} words @param {string | undefined} pressed @param {(word: string) => void} tell
 * @param {{ word: string, remove: () => void, keep: () => void } | undefined} there */
export function ask(words, pressed, tell, there) {
  const line = make("form", "say");
  const input = Object.assign(make("input"), {
    placeholder: "something else",
    maxLength: 60,
    ariaLabel: "This is something else: its name",
  });
  line.onsubmit = (event) => {
    event.preventDefault();
    const word = input.value.replace(/[,;#\s]+/g, " ").trim();
    if (word) tell(word);
  };
  const known = words.slice(0, MOST_WORDS).map((word) => {
    const button = makeButton("pill", word, () => tell(word));
    button.ariaPressed = String(word === pressed);
    return button;
  });
  line.append(
    make("strong", "", "This is"),
    ...known,
    input,
    Object.assign(makeButton("pill", "OK"), { type: "submit" }),
    makeButton("pill", "none of these", () => tell("")),
  );
  if (there) line.append(makeButton("link", "Remove this mark", there.remove));
  if (there?.word)
    line.append(makeButton("link", `Find “${there.word}” on other photos`, there.keep));
  return line;
}

/**
 * Draw the marks as dots and boxes that can be dragged and opened.
 * @param {HTMLElement} layer @param {Mark[]} marks @param {(word: string) => string} colourOf
 * @param {(marks: Mark[]) => void} change @param {(mark: Mark) => void} open
 */
export function drawMarks(layer, marks, colourOf, change, open) {
  const key = JSON.stringify(marks.map((mark) => [mark, colourOf(mark.word)]));
  if (layer.dataset.key === key) return; // one of them may be on its way
  layer.dataset.key = key;
  const moved = (
    /** @type {number} */ index,
    /** @type {number} */ right,
    /** @type {number} */ down,
  ) => {
    const shifted = marks[index].box.map((n, i) => clamp(n + (i % 2 ? down : right), 0, 1));
    return marks.map((mark, i) => (i === index ? { ...mark, box: shifted } : mark));
  };
  const buttons = marks.map(({ box, word }, index) => {
    const button = makeButton(box.length > 2 ? "mark box" : "mark", word ? "" : "×");
    putAt(button, box);
    button.title = `${word || "None of these"}: drag, or press to change`;
    button.ariaLabel = button.title;
    button.style.setProperty("--colour", word ? colourOf(word) : "white");
    /** Where a drag began. @type {?PointerEvent} */
    let from = null;
    button.onpointerdown = (event) => {
      from = event;
      button.setPointerCapture(event.pointerId);
    };
    /** @param {PointerEvent} event @returns {[number, number]} */
    const by = ({ clientX, clientY }) => [
      (clientX - from.clientX) / layer.clientWidth,
      (clientY - from.clientY) / layer.clientHeight,
    ];
    button.onpointermove = (event) => from && putAt(button, moved(index, ...by(event))[index].box);
    button.onpointerup = (event) => {
      if (!from) return; // pressed elsewhere
      const [right, down] = by(event);
      from = null;
      const isDrag = Math.hypot(right * layer.clientWidth, down * layer.clientHeight) > 4;
      if (isDrag) change(moved(index, right, down));
      else open(marks[index]);
    };
    button.onpointercancel = () => {
      from = null;
      putAt(button, box);
    };
    button.onkeydown = (event) => {
      const { key } = event;
      const [down, right] = ARROWS[key] ?? [];
      if (["Delete", "Backspace"].includes(key)) change(marks.filter((_, i) => i !== index));
      else if (key === "Enter" || key === " ") open(marks[index]);
      else if (key in ARROWS) change(moved(index, 0.02 * right, 0.02 * down));
      else return;
      event.preventDefault();
    };
    return button;
  });
  const focused = [...layer.children].indexOf(document.activeElement);
  layer.replaceChildren(...buttons);
  buttons[focused]?.focus();
}
