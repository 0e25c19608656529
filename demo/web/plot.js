// An SVG plot at the size of the screen, and the parts that it is made of.
import { useRef } from "preact/hooks";
import { useWidth } from "./hooks.js";
import { html } from "./html.js";

/** @typedef {{ left: number, right: number, width: number, height: number }} Space */

/** Colours of norms: of all channels, of those that stand out, of what CS makes of these. */
export const BEFORE = "#4a90d9";
export const STANDS_OUT = "#e0633a";
export const AFTER = "#1f9d83";
export const DASHED = { "stroke-dasharray": "4 3" };
const ENDS = { left: 34, right: 6 };
const LEAST = 120; // pixels of a plot's width
const SPAN = 12; // what spans more is drawn on a logarithmic scale

/** A number in two digits. @param {number} x */
export const short = (x) => String(Number(x.toPrecision(2)));

/**
 * Whether values from `low` to `high` need a logarithmic scale.
 * @param {number} low
 * @param {number} high
 */
export const isLogarithmic = (low, high) => low > 0 && high > SPAN * low;

/**
 * The height of a value between `base` and `top`; logarithmic where values span much.
 * @param {number} low
 * @param {number} high
 * @param {number} base
 * @param {number} top
 */
export const scale = (low, high, base, top) => {
  const log = isLogarithmic(low, high);
  const part = (/** @type {number} */ v) => Math.log(Math.max(v, low) / low) / Math.log(high / low);
  return (/** @type {number} */ v) =>
    base - (base - top) * (log ? part(v) : (v - low) / (high - low));
};

/**
 * Where the channel i of `count` stands between `left` and `right`, and its stem to the height `y`.
 * @param {number} count
 * @param {number} left
 * @param {number} right
 * @param {number} base
 */
export const stemsOf = (count, left, right, base) => {
  const x = (/** @type {number} */ i) => left + ((i + 0.5) / count) * (right - left);
  const stem = (/** @type {number} */ i, /** @type {number} */ y) =>
    `M${x(i).toFixed(1)} ${base}V${y.toFixed(1)}`;
  return { x, stem };
};

/**
 * The pointer's place between the ends of a plot: a share of its width.
 * @param {MouseEvent & { currentTarget: Element }} event
 */
export const shareAt = ({ clientX, currentTarget }) => {
  const box = currentTarget.getBoundingClientRect();
  return (clientX - box.left - ENDS.left) / (box.width - ENDS.left - ENDS.right);
};

/**
 * A plot; `children` draws it in the space between its ends. Other props go to the SVG.
 * @param {{ height: number, label: string, children: (space: Space) => any,
 *   [name: string]: any }} props
 */
export const Plot = ({ height, label, children, ...more }) => {
  const ref = useRef(/** @type {SVGSVGElement | null} */ (null));
  const width = Math.max(LEAST, useWidth(ref));
  const space = { left: ENDS.left, right: width - ENDS.right, width, height };
  return html`<svg
    ref=${ref}
    class="gw-plot"
    role="img"
    aria-label=${label}
    viewBox=${`0 0 ${width} ${height}`}
    height=${height}
    ...${more}
  >
    ${children(space)}
  </svg>`;
};

/** @param {{ x: number, y: number, anchor?: string, children?: any, [name: string]: any }} props */
export const Label = ({ x, y, anchor = "start", children, ...more }) =>
  html`<text x=${x} y=${y} text-anchor=${anchor} ...${more}>${children}</text>`;

/** @param {{ d: string, stroke: string, width: number, [name: string]: any }} props */
export const Line = ({ d, stroke, width, ...more }) =>
  html`<path d=${d} stroke=${stroke} stroke-width=${width} fill="none" ...${more} />`;

/** @param {{ x: number, y: number, colour: string, r?: number, hollow?: boolean }} props */
export const Dot = ({ x, y, colour, r = 4, hollow = false }) =>
  html`<circle
    cx=${x}
    cy=${y}
    r=${r}
    fill=${hollow ? "none" : colour}
    stroke=${colour}
    stroke-width=${r > 2 ? 2 : 0}
  />`;
