// Where the patch that is pointed at looks, on the photo itself: a glow, and arcs to the strongest
// places. Only this is drawn anew as the pointer moves.
import { useLayoutEffect, useRef } from "preact/hooks";
import { level, pixels, VEIL } from "../colours.js";
import { clamp } from "../dom.js";
import { html } from "../html.js";
import { squaresOf, strongestPlaces } from "../squares.js";
import { patchOn } from "../store.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */
/** @typedef {[row: number, column: number]} Place */

const ARCS = 3;

/** @param {{ from: Place, to: Place, rows: number }} props */
const Arc = ({ from: [y, x], to: [Y, X], rows }) => {
  const [cy, cx] = [(y + Y) / 2 - 0.2 * Math.abs(X - x), (x + X) / 2 + 0.2 * (Y - y)];
  const d = `M${x} ${y}Q${cx} ${clamp(cy, 0, rows)} ${X} ${Y}`;
  return html`<path d=${d} class="gw-casing" />
    <path d=${d} class="gw-arc" />
    <circle cx=${X} cy=${Y} r="0.35" class="gw-end" />`;
};

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {(patch: Place) => Matrix | null} props.matrixAt the matrix of the side that is seen there
 */
export const Looks = ({ value, matrixAt }) => {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const patch = patchOn(value);
  const matrix = patch && matrixAt(patch);
  const squares = squaresOf(value);
  const [rows, columns] = value.grid;
  const own = patch ? squares.at(patch) : -1;
  const strongest = matrix ? strongestPlaces(matrix, own).slice(0, ARCS) : [];
  useLayoutEffect(() => {
    if (!matrix || !canvas.current) return;
    const top = Math.min(strongest[0]?.[1] || matrix.top, matrix.top);
    const share = (/** @type {number} */ i) => Math.min(1, matrix.at(own, i) / top);
    pixels(canvas.current, columns, rows, (i) => {
      const square = squares.at([Math.floor(i / columns), i % columns]);
      return VEIL[level(share(square))];
    });
  }, [matrix, own]);
  return html`<canvas ref=${canvas} class="gw-glow" hidden=${!matrix} />
    <svg viewBox=${`0 0 ${columns} ${rows}`} preserveAspectRatio="none">
      ${strongest.map(
        ([i]) =>
          html`<${Arc}
            key=${i}
            from=${squares.middle(own)}
            to=${squares.middle(i)}
            rows=${rows}
          />`,
      )}
      ${patch && html`<rect x=${patch[1]} y=${patch[0]} width="1" height="1" class="gw-here" />`}
    </svg>`;
};
