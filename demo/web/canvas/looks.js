// Where the patch that is pointed at looks, on the photo itself: a glow, and arcs to the strongest
// places.
import { useLayoutEffect, useRef } from "preact/hooks";
import { level, pixels, VEIL } from "../colours.js";
import { clamp } from "../dom.js";
import { html } from "../html.js";
import { patchOn } from "../pointing.js";
import { squaresOf, strongestPlaces } from "../squares.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../squares.js").Patch} Patch */

const ARCS = 3;

/** From and to are in patches. @param {{ from: Patch, to: Patch, rows: number }} props */
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
 * @param {import("./sides.js").SideAtPatch} props.side
 */
export const Looks = ({ value, side }) => {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const patch = patchOn(value);
  const matrix = side.value?.matrix ?? null;
  const squares = squaresOf(value);
  const [rows, columns] = value.grid;
  const own = patch ? squares.at(patch) : -1;
  const strongest = patch && matrix ? strongestPlaces(matrix, own).slice(0, ARCS) : [];
  useLayoutEffect(() => {
    if (!matrix || !patch || !canvas.current) return;
    const times = squares.spread(matrix.row(own));
    // The brightest is where it looks most, itself left out; a pooled row may be brighter still.
    const top = Math.min(strongest[0]?.[1] || matrix.top, matrix.top);
    pixels(canvas.current, columns, rows, (i) => VEIL[level(times[i] / top)]);
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
