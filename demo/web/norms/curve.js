// A number of every block, before and after CS; a press chooses a block.
import { clamp } from "../dom.js";
import { html } from "../html.js";
import {
  AFTER,
  DASHED,
  Dot,
  Label,
  Line,
  Plot,
  STANDS_OUT,
  scale,
  shareAt,
  short,
} from "../plot.js";

/** @typedef {import("../../widgets/values").NormsValue} NormsValue */
/** @typedef {import("../../widgets/values").Curve} CurveValue */
/** @typedef {import("../plot.js").Space} Space */

const EDGE = 8; // free at both ends

/** @param {{ value: NormsValue, curve: CurveValue, space: Space }} props */
const Lines = ({ value, curve, space: { left, right, height } }) => {
  const { title, rows, low, high, limit } = curve;
  const [before, after] = rows;
  const base = height - 8;
  const y = scale(low, high, base, 8);
  const x = (/** @type {number} */ block) =>
    left + EDGE + (block / Math.max(1, before.length - 1)) * (right - left - 2 * EDGE);
  const way = (/** @type {number[]} */ row) =>
    `M${row.map((number, block) => `${x(block).toFixed(1)} ${y(number).toFixed(1)}`).join("L")}`;
  const changes = before.some((number, block) => Math.abs(number - after[block]) > 1e-4);
  const ticks = [limit || 1, limit ? Math.max(...before) : low].toSorted((a, b) => b - a);
  const [upper, lower] = ticks.map((tick) => y(tick) + 4);
  const chosen = { x: x(value.block - 1) - EDGE, width: 2 * EDGE, height };
  return html`<rect ...${chosen} y="0" rx="4" fill="currentColor" opacity="0.12" />
    ${
      limit > 0 &&
      html`<${Line}
        d=${`M${left} ${y(limit)}H${right}`}
        stroke="currentColor"
        width=${1}
        ...${DASHED}
      />`
    }
    <${Line} d=${way(before)} stroke=${STANDS_OUT} width=${1.5} />
    ${before.map((number, block) => {
      const r = value.abnormal.includes(block + 1) ? 3 : 2;
      return html`<${Dot} x=${x(block)} y=${y(number)} colour=${STANDS_OUT} r=${r} />`;
    })}
    ${
      changes &&
      html`<${Line}
        d=${way(after)}
        stroke=${AFTER}
        width=${1.5}
        stroke-dasharray=${value.cs ? "none" : "3 3"}
      />`
    }
    <${Label} x=${left + 6} y=${y(before[0]) > height / 2 ? 12 : base - 4}>${title}<//>
    <${Label} x=${left - 4} y=${upper} anchor="end">${short(ticks[0])}<//>
    <${Label} x=${left - 4} y=${clamp(lower, upper + 13, base)} anchor="end">
      ${short(ticks[1])}
    <//>`;
};

/**
 * @param {{ value: NormsValue, curve: CurveValue, height: number, onChoose: (block: number) => void
 * }} props
 */
export const Curve = ({ value, curve, height, onChoose }) => {
  const [before] = curve.rows;
  const spoken = before.map((number, block) => `${block + 1}: ${number.toFixed(3)}`).join(", ");
  const press = (/** @type {MouseEvent & { currentTarget: Element }} */ event) => {
    const edge = EDGE / (event.currentTarget.clientWidth - 40);
    const share = (shareAt(event) - edge) / (1 - 2 * edge);
    const last = before.length - 1;
    onChoose(clamp(1 + Math.round(share * last), 1, last + 1));
  };
  const label = `${curve.title} by block: ${spoken}`;
  return html`<${Plot} height=${height} label=${label} onClick=${press}>
    ${(/** @type {Space} */ space) =>
      html`<${Lines} value=${value} curve=${curve} space=${space} />`}
  <//>`;
};
