// The pieces that the diagram is made of: words, boxes, bands, pictures.
import { useLayoutEffect, useRef } from "preact/hooks";
import { HEAT, level, pixels } from "../colours.js";
import { pixelRatio } from "../dom.js";
import { html } from "../html.js";
import { drawPicture } from "../resample.js";
import { Equation } from "./equation.js";
import { useFrame } from "./frame.js";
import { MARK } from "./type.js";

/** @typedef {import("./plan.js").Box} Box */
/** @typedef {import("./type.js").Kind} Kind */
/** @typedef {"start" | "middle" | "end"} Anchor */

/**
 * Colours of a list of attentions from `start`; `top` is the brightest.
 * @param {ArrayLike<number>} list
 * @param {number} top
 */
export const heat =
  (list, top, start = 0, table = HEAT) =>
  (/** @type {number} */ i) =>
    table[level(list[start + i] / top)];

/** @param {{ box: Box, kind: string, [name: string]: any }} props */
export const Rect = ({ box: { x, y, w, h }, kind, ...more }) =>
  html`<rect
    x=${x.toFixed(1)}
    y=${y.toFixed(1)}
    width=${Math.max(w, 0).toFixed(1)}
    height=${Math.max(h, 0).toFixed(1)}
    class=${kind}
    ...${more}
  />`;

/**
 * What the page's tooltip and a screen reader say of a text.
 * @param {string} text
 * @param {string} sentence
 */
export const explains = (text, sentence) => ({
  tabindex: 0,
  role: "note",
  "data-tip": sentence,
  "aria-label": `${text}: ${sentence}`,
});

/**
 * A line of text.
 * @param {object} props
 * @param {number} props.x
 * @param {number} props.y
 * @param {any} props.text
 * @param {Kind} [props.kind]
 * @param {Anchor} [props.anchor]
 * @param {string} [props.className]
 */
export const Words = ({ x, y, text, kind = "body", anchor = "start", className = "", ...more }) => {
  const { type } = useFrame();
  return html`<text
    x=${x.toFixed(1)}
    y=${y.toFixed(1)}
    class=${`gm-t gm-${kind} ${className}`}
    text-anchor=${anchor}
    font-size=${`${type.size(kind)}px`}
    font-weight=${type.weight(kind)}
    ...${more}
  >
    ${text}
  </text>`;
};

const SHIFT = { start: 0, middle: 0.5, end: 1 };

/**
 * A symbol, or a line of an equation with the mark of its source.
 * @param {{ x: number, y: number, text: string, anchor?: Anchor, className?: string }} props
 */
export const Formula = ({ x, y, text, anchor = "start", className = "" }) => {
  const { type, state } = useFrame();
  const size = type.size("eq");
  const width = type.lengthOf(text, "eq") + size;
  const mark = text.match(MARK)?.[1];
  const { marks } = state.value;
  const left = x - SHIFT[anchor] * width;
  return html`<foreignObject x=${left} y=${y - 1.35 * size} width=${width} height=${2 * size}>
    <div
      class=${`gm-math gm-${anchor} ${className}`}
      style=${{ fontSize: `${size}px`, lineHeight: `${2 * size}px` }}
    >
      <${Equation} text=${text.replace(MARK, "")} />
      ${
        mark &&
        html`${" "}<span
            class="gm-origin term"
            style=${{ fontSize: `${type.size("small")}px` }}
            ...${explains(mark, marks[mark])}
            >${mark}</span
          >`
      }
    </div>
  </foreignObject>`;
};

/**
 * A line that is an equation or words.
 * @param {{ x: number, y: number, text: string, kind: Kind, anchor?: Anchor, className?: string }}
 * props
 */
export const Line = (props) =>
  props.kind === "eq"
    ? html`<${Formula} ...${props} className="gm-eq" />`
    : html`<${Words} ...${props} />`;

/**
 * A band from the right edge of one box to the left edge of another.
 * @param {{ from: Box, to: Box }} props
 */
export const Band = ({ from: a, to: b }) => {
  const c = (a.x + a.w + b.x) / 2;
  const [x, X] = [a.x + a.w + 2, b.x - 2];
  const there = `M${x} ${a.y}C${c} ${a.y} ${c} ${b.y} ${X} ${b.y}V${b.y + b.h}`;
  const again = `C${c} ${b.y + b.h} ${c} ${a.y + a.h} ${x} ${a.y + a.h}Z`;
  return html`<path d=${there + again} class="gm-flow" />`;
};

/**
 * A band from the lower edge of one box to the upper edge of another.
 * @param {{ from: Box, to: Box, kind: string, opacity: number }} props
 */
export const Fall = ({ from: a, to: b, kind, opacity }) => {
  const c = (a.y + a.h + b.y) / 2;
  const [y, Y] = [a.y + a.h + 2, b.y - 2];
  const there = `M${a.x} ${y}C${a.x} ${c} ${b.x} ${c} ${b.x} ${Y}H${b.x + b.w}`;
  const again = `C${b.x + b.w} ${c} ${a.x + a.w} ${c} ${a.x + a.w} ${y}Z`;
  return html`<path d=${there + again} class=${kind} opacity=${opacity} />`;
};

/** @param {Box} box */
const styleOf = ({ x, y, w, h }) => ({
  left: `${x}px`,
  top: `${y}px`,
  width: `${w}px`,
  height: `${h}px`,
});

/**
 * Colours of w × h cells, painted anew when one of `of` changes.
 * @param {object} props
 * @param {Box} props.box
 * @param {number} props.w
 * @param {number} props.h
 * @param {unknown[]} props.of
 * @param {(i: number) => number} props.ink
 * @param {number} [props.opacity]
 */
export const Raster = ({ box, w, h, of, ink, opacity = 1 }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useLayoutEffect(() => {
    if (ref.current) pixels(ref.current, w, h, ink);
  }, [w, h, ...of]);
  return html`<canvas ref=${ref} class="gm-pixels" style=${{ ...styleOf(box), opacity }} />`;
};

/**
 * The photo at the screen's pixels.
 * @param {{ box: Box, image: HTMLImageElement, kind?: string }} props
 */
export const Photo = ({ box, image, kind = "" }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const scaled = (/** @type {number} */ side) => Math.round(side * pixelRatio());
  const [W, H] = [scaled(box.w), scaled(box.h)];
  useLayoutEffect(() => {
    if (ref.current) drawPicture(ref.current, image, [W, H]);
  }, [image, W, H]);
  return html`<canvas ref=${ref} class=${kind} style=${styleOf(box)} />`;
};
