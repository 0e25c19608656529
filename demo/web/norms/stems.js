// Every channel's weight norm in one block as a stem, before and after CS in one plot.
import { useMemo } from "preact/hooks";
import { clamp } from "../dom.js";
import { html } from "../html.js";
import {
  AFTER,
  BEFORE,
  DASHED,
  Dot,
  isLogarithmic,
  Label,
  Line,
  STANDS_OUT,
  scale,
  short,
  stemsOf,
} from "../plot.js";

/** @typedef {import("../../widgets/values").NormsValue} NormsValue */
/** @typedef {import("../plot.js").Space} Space */

const TICKS = [0.01, 0.1, 1, 10, 100, 1000, 10000];
const FOOT = 18; // pixels under the axis

/** Where channels and norms lie. @param {NormsValue} value @param {Space} space */
export const scalesOf = ({ norms, median, threshold }, { left, right, height }) => {
  const most = Math.max(...norms, median * threshold);
  const log = isLogarithmic(median, most);
  const low = log ? median / 2.5 : 0;
  const high = most * (log ? 1.6 : 1.25) || 1;
  const base = height - FOOT;
  const y = scale(low, high, base, FOOT);
  const { x, stem: rise } = stemsOf(norms.length, left, right, base);
  const stem = (/** @type {number} */ i, /** @type {number} */ norm) => rise(i, y(norm));
  const ticks = log ? TICKS.filter((tick) => tick > low && tick < high) : [0, median];
  return { x, y, stem, base, ticks, most };
};

/** @param {{ value: NormsValue, space: Space }} props */
const Channels = ({ value, space }) => {
  const { norms, median, threshold, cs, top } = value;
  const { left, right, height } = space;
  const { x, y, stem, base, ticks, most } = scalesOf(value, space);
  const moved = new Map(value.moved);
  const marked = new Set(moved.keys());
  if (value.abnormal.includes(value.block)) marked.add(top);
  const limit = y(median * threshold);
  const thick = clamp((0.7 * (right - left)) / norms.length, 0.6, 6);
  const stems = norms.map((norm, i) => stem(i, norm)).join("");
  return html`<${Line} d=${stems} stroke=${BEFORE} width=${thick} />
    ${[...marked].map(
      (i) => html`<${Line} d=${stem(i, norms[i])} stroke=${STANDS_OUT} width=${2} />
        <${Dot} x=${x(i)} y=${y(norms[i])} colour=${STANDS_OUT} hollow=${cs && moved.has(i)} />`,
    )}
    ${value.moved.map(
      ([i, norm]) => html`<${Dot} x=${x(i)} y=${y(norm)} colour=${AFTER} hollow=${!cs} />`,
    )}
    <${Line} d=${`M${left} ${limit}H${right}`} stroke="currentColor" width=${1} ...${DASHED} />
    <${Label} x=${right} y=${limit - 4} anchor="end">${threshold} × median<//>
    <${Line} d=${`M${left} 4V${base}H${right}`} stroke="currentColor" width=${1} />
    ${ticks.map(
      (tick) => html`<${Label} x=${left - 4} y=${y(tick) + 4} anchor="end">${short(tick)}<//>`,
    )}
    <${Label} x=${left} y=${height - 4}>channel 0<//>
    <${Label} x=${right} y=${height - 4} anchor="end">${norms.length - 1}<//>
    ${
      marked.has(top) &&
      html`<${Label}
        x=${clamp(x(top), left + 30, right - 34)}
        y=${Math.max(12, y(most) - 8)}
        anchor="middle"
        font-weight="600"
      >
        channel ${top}
      <//>`
    }`;
};

/**
 * @param {object} props
 * @param {NormsValue} props.value
 * @param {Space} props.space
 * @param {number | null} props.hovered the channel that is pointed at
 * @param {[number, number] | null} props.chosen the first and the last chosen channel
 */
export const Stems = ({ value, space, hovered, chosen }) => {
  const { x, base } = scalesOf(value, space);
  // The same nodes while only the pointer moves.
  const channels = useMemo(
    () => html`<${Channels} value=${value} space=${space} />`,
    [value, space.width],
  );
  const [from, to] = chosen ? [x(chosen[0] - 0.5), x(chosen[1] + 0.5)] : [0, 0];
  return html`${
    chosen &&
    html`<rect
      x=${from}
      y="4"
      width=${to - from}
      height=${base - 4}
      fill=${STANDS_OUT}
      opacity="0.25"
    />`
  }
  ${channels}
  ${
    hovered !== null &&
    html`<${Line} d=${`M${x(hovered)} 4V${base}`} stroke="currentColor" width=${1} opacity="0.6" />`
  }`;
};
