// A map of attention: over the dimmed photo patch by patch, or as a matrix at the screen's pixels.
// Each has its canvas, painted when its numbers change; marks lie over them.
import { useLayoutEffect, useRef } from "preact/hooks";
import { GLOW, HEAT, level, pixels } from "./colours.js";
import { pixelRatio } from "./dom.js";
import { useWidth } from "./hooks.js";
import { html } from "./html.js";
import { Picture } from "./picture.js";

/** @typedef {import("./blobs.js").Matrix} Matrix */
/** @typedef {{ current: HTMLCanvasElement | null }} CanvasRef */

/**
 * The cells of `n` that each of `W` pixels covers, with their shares of the pixel.
 * @param {number} n
 * @param {number} W
 * @returns {[cell: number, share: number][][]}
 */
const cellsOf = (n, W) =>
  Array.from({ length: W }, (_, at) => {
    const [from, to] = [(at * n) / W, ((at + 1) * n) / W];
    /** @type {[number, number][]} */
    const cells = [];
    for (let i = Math.floor(from); i < Math.min(n, to); i++) {
      const share = (Math.min(to, i + 1) - Math.max(from, i)) / (to - from);
      if (share > 1e-9) cells.push([i, share]);
    }
    return cells;
  });

/**
 * Paints a whole matrix (n, n), averaged over the area of each of W × W pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {Matrix} matrix
 * @param {number} top
 * @param {number} W
 */
const paintMatrix = (canvas, { n, times }, top, W) => {
  const cells = cellsOf(n, W);
  const rows = new Float32Array(n * W); // each row averaged
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < W; x++) {
      for (const [i, share] of cells[x]) rows[y * W + x] += share * times[y * n + i];
    }
  }
  pixels(canvas, W, W, (at) => {
    const x = at % W;
    let mean = 0;
    for (const [i, share] of cells[(at - x) / W]) mean += share * rows[i * W + x];
    return HEAT[level(mean / top)];
  });
};

/**
 * @param {object} props
 * @param {import("../widgets/values").Shown} props.shown
 * @param {HTMLImageElement} props.image
 * @param {ArrayLike<number>} props.times attention of every patch, 1 an equal share
 * @param {number} props.top the brightest
 * @param {Matrix | null} [props.matrix] shown in place of the photo
 * @param {any} [props.children] marks, in patches of the photo or rows of the matrix
 * @param {Record<string, any>} [props.stage] attributes and handlers of what is pointed at
 */
export const Figure = ({ shown, image, times, top, matrix, children, stage = {} }) => {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const photo = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const whole = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const width = useWidth(place);
  const [rows, columns] = shown.grid;
  const [height, wide] = shown.size;
  const W = Math.max(1, Math.round(width * pixelRatio()));
  useLayoutEffect(() => {
    if (matrix || !photo.current) return;
    pixels(photo.current, columns, rows, (i) => GLOW[level(times[i] / top)]);
  }, [!matrix, top, times]);
  useLayoutEffect(() => {
    if (matrix && width && whole.current) paintMatrix(whole.current, matrix, top, W);
  }, [matrix, top, W]);
  const box = matrix ? [matrix.n, matrix.n] : [columns, rows];
  const exact = { width: `${W / pixelRatio()}px`, height: `${W / pixelRatio()}px` };
  return html`<div
      ref=${place}
      class=${`gw-stage ${matrix ? "gw-square" : ""}`}
    style=${{ "--ratio": wide / height, aspectRatio: matrix ? "1" : `${wide} / ${height}` }}
    ...${stage}
  >
    ${!matrix && html`<${Picture} image=${image} className="gw-dim" />`}
    <canvas ref=${photo} hidden=${Boolean(matrix)} />
    <canvas ref=${whole} hidden=${!matrix} style=${exact} />
    <svg viewBox=${`0 0 ${box[0]} ${box[1]}`} preserveAspectRatio="none">${children}</svg>
    ${matrix && html`<span class="gw-axis gw-down" aria-hidden="true">patch that looks →</span>`}
  </div>
  ${matrix && html`<span class="gw-axis" aria-hidden="true">patch looked at →</span>`}`;
};

/**
 * A frame around patches or rows.
 * @param {{ x: number, y: number, width?: number, height?: number, kind: string }} props
 */
export const Mark = ({ x, y, width = 1, height = 1, kind }) =>
  html`<rect x=${x} y=${y} width=${width} height=${height} class=${kind} />`;

/**
 * A frame around one of `columns` patches a row.
 * @param {{ i: number, columns: number, kind: string }} props
 */
export const PatchMark = ({ i, columns, kind }) =>
  html`<${Mark} x=${i % columns} y=${Math.floor(i / columns)} kind=${kind} />`;
