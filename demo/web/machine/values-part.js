// The norms of the channels that feed the Values, and how alike the Values are.
import { arrows, clamp, isPlainKey, placeIn, written } from "../dom.js";
import { html } from "../html.js";
import { stemsOf } from "../plot.js";
import { channel } from "../store.js";
import { isAbnormal } from "./blocks-part.js";
import { useFrame } from "./frame.js";
import { times } from "./scores.js";
import { explains, Line, Rect, Words } from "./shapes.js";

/** @typedef {import("./frame.js").Frame} Frame */

const TOP = 1.08; // room over the largest norm
const REACH = 60; // a finger covers so many parts of the width

/** Where channels and norms lie. @param {Frame} frame */
const scalesOf = ({ type: { u }, plan, state, now }) => {
  const { x, y, w, h } = plan.norms;
  const { median, thresholds } = state.value;
  const limit = median * thresholds[1];
  const most = Math.max(...now.norms, limit) * TOP;
  const log = most > 12 * median;
  const low = log ? 0.4 * median : 0;
  const base = y + h;
  const part = (/** @type {number} */ norm) =>
    log ? Math.log(Math.max(norm, low) / low) / Math.log(most / low) : norm / most;
  const count = state.norms.length;
  const yOf = (/** @type {number} */ norm) =>
    base - clamp(part(norm), 0, 1) * (h - (log ? 1.6 : 3.6) * u);
  const { x: xOf, stem: rise } = stemsOf(count, x, x + w, base);
  const stem = (/** @type {number} */ i, /** @type {number} */ norm) => rise(i, yOf(norm));
  return { x, y, w, base, limit, count, xOf, yOf, stem };
};

/** Every channel as a stem, the largest and what CS makes of it. */
const Stems = () => {
  const frame = useFrame();
  const { type, state } = frame;
  const { u } = type;
  const { value, norms, mended } = state;
  const { x, w, base, limit, count, xOf, yOf, stem } = scalesOf(frame);
  const block = value.blocks[value.norms_of - 1];
  const abnormal = isAbnormal(value, block) ? " gm-bad" : "";
  const was = abnormal + (value.repaired.length ? " gm-was" : "");
  const others = Array.from(norms, (norm, i) => (i === value.channel ? "" : stem(i, norm)));
  const thick = 0.4 * u;
  const width = clamp((0.62 * w) / count, 0.8, 6);
  return html`<path d=${others.join("")} class="gm-norms" stroke-width=${width} />
    <path d=${`M${x} ${base}H${x + w}`} class="gm-axis" />
    <path d=${`M${x} ${yOf(limit)}H${x + w}`} class="gm-limit" />
    <path
      d=${stem(value.channel, norms[value.channel])}
      class=${`gm-norms${was}`}
      stroke-width=${thick}
    />
    ${value.repaired.map(
      ([i]) => html`<path key=${i} d=${stem(i, mended[i])} class="gm-mend" stroke-width=${thick} />
        <circle cx=${xOf(i)} cy=${yOf(mended[i])} r=${0.35 * u} class="gm-mended" />`,
    )}
    <${Words}
      x=${x}
      y=${yOf(limit) - 0.35 * u}
      text=${`${value.thresholds[1]} × median`}
      kind="tiny"
    />`;
};

/** A channel's norm in words. @param {Frame} frame @param {number} index */
const normText = ({ now }, index) => {
  const { repaired, median } = now.value;
  const isRepaired = repaired.some(([channel]) => channel === index);
  const then = isRepaired ? ` → ${times(now.mended[index] / median)}` : "";
  return `${times(now.norms[index] / median)}${then}`.replace(" × →", " →");
};

/** The name of a channel beside its stem. @param {{ index: number, pressed: boolean }} props */
const ChannelName = ({ index, pressed }) => {
  const frame = useFrame();
  const { type, plan, state, now } = frame;
  const { u } = type;
  const { value } = state;
  const box = plan.norms;
  const { base, limit, xOf, yOf } = scalesOf(frame);
  const block = value.blocks[value.norms_of - 1];
  const planted = block.planted && index === value.fault?.[0];
  const lines = [`channel ${index}`, ...(planted ? ["planted"] : []), normText(frame, index)];
  /** @param {number} k @returns {import("./type.js").Kind} */
  const kindOf = (k) => (k ? "num" : "strong");
  const tall = 1.2 * u * (lines.length - 1);
  const [x, top] = [xOf(index), yOf(now.norms[index])];
  // Beside a stem that stands out; else above it, below the limit or above it.
  const free = top - yOf(limit) > tall + 1.4 * u;
  const above = (free ? top - 0.5 * u : yOf(limit) - 1.5 * u) - tall;
  const y = top < yOf(limit) - 2 * u ? Math.max(top + 0.3 * u, box.y + 0.4 * u) : above;
  // To the left of its stem where there is room, and within its part.
  const wide = Math.max(...lines.map((line, k) => type.lengthOf(line, kindOf(k))));
  const [first, last] = [box.x - 0.4 * u, box.x + box.w + 0.4 * u];
  const left = x - 0.6 * u - wide >= first || x > box.x + box.w / 2;
  const from = left ? Math.max(x - 0.6 * u, first + wide) : Math.min(x + 0.6 * u, last - wide);
  return html`${lines.map(
    (text, k) => html`<${Words}
      key=${k}
      x=${from}
      y=${y + 1.2 * k * u}
      text=${text}
      kind=${kindOf(k)}
      anchor=${left ? "end" : "start"}
      className="gm-halo"
      data-value=${now.norms[index]}
    />`,
  )}
  ${pressed && html`<path d=${`M${x} ${Math.max(y, box.y)}V${base}`} class="gm-axis" />`}`;
};

/** The zone of the channels: a slider. @param {{ index: number }} props */
const ChannelZone = ({ index }) => {
  const frame = useFrame();
  const { plan, now } = frame;
  const { norms, value } = now;
  const take = (/** @type {number} */ i) => {
    channel.value = { index: clamp(i, 0, norms.length - 1), block: value.norms_of };
  };
  // The largest channel within a finger's breadth.
  const press = (/** @type {MouseEvent & { currentTarget: Element }} */ event) => {
    const at = Math.floor(placeIn(event.currentTarget, event)[1] * norms.length);
    const reach = Math.ceil(norms.length / REACH);
    const from = Math.max(0, at - reach);
    const near = norms.subarray(from, at + reach + 1);
    take(from + near.indexOf(Math.max(...near)));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!isPlainKey(event)) return;
    const step = arrows[event.key];
    if (step) take(index - 10 * step[0] + step[1]);
    else if (event.key === "Enter" || event.key === " ") take(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<${Rect}
    box=${plan.norms}
    kind="gm-zone"
    role="slider"
    tabindex="0"
    aria-label=${`Channels of block ${value.norms_of}`}
    aria-valuemin="0"
    aria-valuemax=${norms.length - 1}
    aria-valuenow=${index}
    aria-valuetext=${`channel ${index}, ${normText(frame, index)} the median`}
    data-zone="norms"
    onClick=${press}
    onKeyDown=${onKeyDown}
  />`;
};

/** Of two patches: where they lie, class, lines up, kind of letters. */
const SIMILAR = /** @type {const} */ ([
  ["one region", "in", -0.9, "strong"],
  ["two regions", "out", 1.7, "num"],
]);

/** How alike the Values of two patches are, between the lowest and 1. */
const Similarity = () => {
  const { type, plan, state } = useFrame();
  const { u } = type;
  const { similar, value } = state;
  const a = plan.alike;
  const line = a.y + 2.2 * u;
  const low = Math.min(0, ...value.similar.map((cosine) => Math.floor(10 * (cosine ?? 0)) / 10));
  const lowest = written(low, low ? 1 : 0);
  const from = a.x + type.lengthOf(lowest, "small") + 0.75 * u;
  const to = a.x + a.w - type.lengthOf("1", "small") - 0.75 * u;
  const x = (/** @type {number} */ s) => from + clamp((s - low) / (1 - low), 0, 1) * (to - from);
  const end = (/** @type {number} */ at) => `M${at} ${line - 0.3 * u}v${0.6 * u}`;
  const known = !similar.some(Number.isNaN);
  const longest = "Values of two regions −0.00";
  const prefix = type.lengthOf(longest, "strong") <= a.w ? "Values of " : "";
  return html`<path d=${`M${from} ${line}H${to}${end(from)}${end(to)}`} class="gm-axis" />
    <${Words} x=${a.x} y=${line + 0.35 * u} text=${lowest} kind="small" />
    <${Words} x=${a.x + a.w} y=${line + 0.35 * u} text="1" kind="small" anchor="end" />
    ${known && html`<path d=${`M${x(similar[1])} ${line}H${x(similar[0])}`} class="gm-apart" />`}
    ${
      known &&
      SIMILAR.map(([where, cls, dy, kind], i) => {
        const short = `${where} ${written(similar[i], 2)}`;
        const text = `${prefix}${short}`;
        const half = type.lengthOf(text, kind) / 2;
        const at = clamp(x(similar[i]), a.x + half, a.x + a.w - half);
        const of = `of the Values of two patches of ${where}`;
        const sentence = `Mean cosine ${of}: 1 alike, 0 unrelated.`;
        return html`<g key=${where}>
          <circle cx=${x(similar[i])} cy=${line} r=${0.5 * u} class=${`gm-${cls}`} />
          <${Words}
            x=${at}
            y=${line + dy * u}
            text=${text}
            kind=${kind}
            anchor="middle"
            className="term"
            data-key=${where}
            data-value=${value.similar[i]}
            ...${explains(short, sentence)}
          />
        </g>`;
      })
    }`;
};

export const ValuesPart = () => {
  const { type, plan, state, formulas } = useFrame();
  const { value } = state;
  const box = plan.norms;
  const pressed = channel.value?.block === value.norms_of ? channel.value.index : null;
  const index = pressed ?? value.channel;
  const name = formulas ? "‖W_{2}[d, :]‖_{2}, block" : "channel norms, block";
  const y = box.y + box.h + 1.3 * type.u;
  const kind = formulas ? "eq" : "small";
  return html`<${Stems} />
    <${ChannelName} index=${index} pressed=${pressed !== null} />
    <${Line} x=${box.x} y=${y} text=${`${name} ${value.norms_of}`} kind=${kind} />
    <${ChannelZone} index=${index} />
    <${Similarity} />`;
};
