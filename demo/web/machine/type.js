// Sizes of letters, and how long a text is: what the layout and the diagram ask of the browser.
import { render } from "preact";
import { html } from "../html.js";
import { Equation } from "./equation.js";

/** @typedef {"name" | "body" | "eq" | "num" | "strong" | "small" | "tiny"} Kind */
/**
 * @typedef {object} Type
 * @property {number} u size of an ordinary letter, in pixels
 * @property {number} least nothing is smaller
 * @property {(kind: Kind) => number} size
 * @property {(kind: Kind) => number} weight
 * @property {(text: string, kind: Kind) => number} lengthOf
 * @property {(text: string, room: number, kind: Kind) => string[]} wrap lines within a width
 * @property {(text: string, room: number) => [text: string, kind: Kind]} brief
 *   a word within a width
 * @property {(text: string, room: number) => [lines: string[], kind: Kind]} named
 *   a word within a width, in two lines where it needs them
 */

/** Size, in ordinary letters, and weight. @type {Record<Kind, [size: number, weight: number]>} */
const KINDS = {
  name: [1.12, 650],
  body: [1, 400],
  eq: [1.02, 400],
  num: [0.88, 400],
  strong: [0.88, 700],
  small: [0.88, 400],
  tiny: [0.8, 400],
};
/** The mark of an equation's source, behind it. */
export const MARK = /\s*(\[(?:paper|reading|ours)\])/;

const ruler = /** @type {CanvasRenderingContext2D} */ (
  document.createElement("canvas").getContext("2d")
);
/** @type {Map<string, number>} */
const equations = new Map();

/** The width of an equation at 100 pixels a letter. @param {string} text */
const equationWidth = (text) => {
  const known = equations.get(text);
  if (known !== undefined) return known;
  const box = document.createElement("span");
  box.style.cssText =
    "position: absolute; visibility: hidden; white-space: nowrap; font-size: 100px";
  document.body.append(box);
  render(html`<${Equation} text=${text} />`, box);
  const { width } = box.getBoundingClientRect();
  render(null, box);
  box.remove();
  equations.set(text, width);
  return width;
};

/**
 * @param {number} u
 * @param {number} least
 * @param {string} family
 * @returns {Type}
 */
export const makeType = (u, least, family) => {
  const size = (/** @type {Kind} */ kind) =>
    Math.max(kind === "eq" ? 1.08 * least : least, KINDS[kind][0] * u);
  const weight = (/** @type {Kind} */ kind) => KINDS[kind][1];
  const plain = (/** @type {string} */ text, /** @type {Kind} */ kind) => {
    ruler.font = `${weight(kind)} ${size(kind)}px ${family}`;
    return ruler.measureText(text).width;
  };
  const lengthOf = (/** @type {string} */ text, /** @type {Kind} */ kind) => {
    if (kind !== "eq") return plain(text, kind);
    const [mark = ""] = text.match(MARK) ?? [];
    const equation = text.replace(MARK, "");
    return (equationWidth(equation) * size(kind)) / 100 + plain(mark, "small");
  };
  const wrap = (
    /** @type {string} */ text,
    /** @type {number} */ room,
    /** @type {Kind} */ kind,
  ) => {
    /** @type {string[]} */
    const lines = [];
    for (const word of text.split(/ (?!%)/)) {
      const longer = `${lines[lines.length - 1] ?? ""} ${word}`.trim();
      if (lines.length && lengthOf(longer, kind) <= room) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  };
  /**
   * Smaller where it must be, then cut.
   * @param {string} text
   * @param {number} room
   * @returns {[string, Kind]}
   */
  const brief = (text, room) => {
    const kinds = /** @type {Kind[]} */ (["body", "tiny"]);
    const kind = kinds.find((candidate) => lengthOf(text, candidate) <= room);
    if (kind) return [text, kind];
    const letters = [...text];
    const cut = () => `${letters.join("")}…`;
    while (letters.length > 1 && lengthOf(cut(), "tiny") > room) letters.pop();
    return [cut(), "tiny"];
  };
  const named = (/** @type {string} */ text, /** @type {number} */ room) => {
    const [line, kind] = brief(text, room);
    const [first, ...others] = wrap(text, room, "tiny");
    /** @type {[string[], Kind]} */
    const whole = [[line], kind];
    if (line === text || !others.length) return whole;
    const lines = [first, others.join(" ")].map((part) => brief(part, room)[0]);
    return /** @type {[string[], Kind]} */ ([lines, "tiny"]);
  };
  return { u, least, size, weight, lengthOf, wrap, brief, named };
};
