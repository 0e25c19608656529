// A tile per block: attention received and global tokens, or its mask; the largest channel.
import { inkOfBlock, shareAsLast } from "../block-masks.js";
import { clamp } from "../dom.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { isolatedIn } from "../store.js";
import { useFrame } from "./frame.js";
import { framesOf } from "./picture-part.js";
import { STRIP_NAMES } from "./plan.js";
import { times } from "./scores.js";
import { heat, Raster, Rect, Words } from "./shapes.js";
import { blockText } from "./words.js";
import { wordsOf } from "./words-part.js";
import { asButton, Zone } from "./zone.js";

/** @typedef {import("../../widgets/values").MachineBlock} MachineBlock */
/** @typedef {import("../../widgets/values").MachineValue} MachineValue */

/**
 * Red is what stands out and takes part: the last block's FFN mostly does not.
 * @param {MachineValue} value
 * @param {MachineBlock} block
 * @param {number} [ratio]
 */
export const isAbnormal = (value, block, ratio = block.ratio) =>
  !block.idle && ratio >= value.thresholds[1];

/** The tiles' attention, or their masks. */
export const BlocksRasters = () => {
  const { plan, state, now, masks } = useFrame();
  const { received, n, w, h, value } = state;
  const only = isolatedIn(now.value.words);
  return plan.tiles.map((tile, i) => {
    const ink = masks
      ? inkOfBlock(masks, i, wordsOf(now.value), only)
      : heat(received, value.thresholds[0], i * n);
    const of = [masks, masks ? only : received];
    return html`<${Raster} key=${i} box=${tile} w=${w} h=${h} of=${of} ink=${ink} />`;
  });
};

/** What glows behind tiles with global tokens. */
export const BlocksBack = () => {
  const { type, plan, state, masks } = useFrame();
  if (masks) return null;
  const edge = 0.35 * type.u;
  const [tokens] = state.value.thresholds;
  return plan.tiles.map(({ x, y, w, h }, i) => {
    const score = state.score[i];
    const opacity = score < tokens ? 0 : clamp(score / (3 * tokens), 0, 1);
    const box = { x: x - edge, y: y - edge, w: w + 2 * edge, h: h + 2 * edge };
    const rx = 0.5 * type.u;
    return html`<${Rect} key=${i} box=${box} kind="gm-glow" rx=${rx} opacity=${opacity} />`;
  });
};

/**
 * A planted fault: beside its spike, above what is left of one that CS repaired.
 * @param {{ block: MachineBlock, mid: number, base: number, tall: number }} props
 */
const Bolt = ({ block, mid, base, tall }) => {
  const { u } = useFrame().type;
  const [x, y] = block.repaired
    ? [mid - 0.1 * u, base - 1.45 * u - tall]
    : [mid + 0.75 * u, base - 0.2 * u];
  const [a, c, e] = [0.5 * u, 0.75 * u, 0.4 * u];
  const d = `M${x} ${y}l${a} ${-c}h${-e}l${e} ${-c}h${-e}l${-e} ${1.15 * c}h${e}z`;
  return html`<path d=${d} class="gm-bolt" />`;
};

/**
 * The block's largest channel as a spike, its ratio over it.
 * @param {{ block: MachineBlock, i: number }} props
 */
const Spike = ({ block, i }) => {
  const { type, plan, state } = useFrame();
  const { u } = type;
  const { x, y, w, h } = plan.tiles[i];
  const mid = x + w / 2;
  const base = y + h + 4.6 * u;
  const most = Math.max(10, ...state.ratio);
  const norm = block.repaired ? state.after[i] : state.ratio[i];
  const tall = (1.4 * u * Math.log(Math.max(norm, 1.02))) / Math.log(most);
  const bad = !block.repaired && isAbnormal(state.value, block, norm);
  const high = Math.max(tall, 0.12 * u);
  const spike = { x: mid - 0.25 * u, y: base - high, w: 0.5 * u, h: high };
  const was = `gm-spike${bad ? " gm-bad" : ""}${block.idle ? " gm-was" : ""}`;
  const own = {
    ...{ x: mid, kind: bad ? "strong" : "num", anchor: "middle" },
    ...{ className: block.idle ? "gm-small" : "", "data-key": `ratio ${block.number}` },
    "data-value": block.repaired ? block.after : block.ratio,
  };
  return html`<path d=${`M${x} ${base}h${w}`} class="gm-axis" />
    <${Rect} box=${spike} kind=${block.repaired ? "gm-mended" : was} />
    <${Words} y=${base - tall - 0.3 * u} text=${times(norm)} ...${own} />
    ${
      block.idle &&
      html`<${Words}
        x=${mid}
        y=${base - tall - 1.4 * u}
        text="unused"
        kind="tiny"
        anchor="middle"
      />`
    }
    ${block.planted && html`<${Bolt} block=${block} mid=${mid} base=${base} tall=${tall} />`}`;
};

/** Puts the focus on a block's neighbour. @param {number} number */
const focusTile = (number) =>
  /** @type {SVGElement | null} */ (
    document.querySelector(`#machine [data-block="${number}"]`)
  )?.focus();

/** @param {{ block: MachineBlock, i: number, onAsk: (block: number) => void }} props */
const Tile = ({ block, i, onAsk }) => {
  const { trigger } = useHost();
  const { type, plan, state, masks } = useFrame();
  const { u } = type;
  const { value } = state;
  const box = plan.tiles[i];
  const { number, tokens } = block;
  const [mid, foot] = [box.x + box.w / 2, box.y + box.h];
  const chosen = value.norms_of === number;
  const middle = { x: mid, anchor: "middle" };
  const under = { x: mid - 0.9 * u, y: box.y - 1.6 * u, w: chosen ? 1.8 * u : 0, h: 1.3 * u };
  const strong = state.score[i] >= value.thresholds[0];
  const figure = masks
    ? { text: `${Math.round(100 * shareAsLast(masks, i))} %`, kind: "num" }
    : {
        text: times(state.score[i]),
        kind: strong ? "strong" : "num",
        "data-key": `score ${number}`,
        "data-value": block.score,
      };
  const choose = () => {
    if (!chosen) trigger("select", { index: number, value: number });
  };
  const onKey = (/** @type {KeyboardEvent} */ { key }) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) focusTile(clamp(number + step, 1, value.blocks.length));
    return Boolean(step);
  };
  const ask = (/** @type {Event} */ event) => {
    event.stopPropagation(); // the part would ask about itself
    onAsk(number);
  };
  const zone = { ...asButton(blockText(block, value), chosen), tabindex: chosen ? 0 : -1 };
  return html`<g onPointerMove=${ask} onFocusIn=${ask}>
    ${!masks && html`<path d=${framesOf(state, tokens, box)} class="gm-token" />`}
    <${Rect} box=${box} kind=${`gm-rim${value.fused.includes(number) ? " gm-fused" : ""}`} />
    <${Rect} box=${under} kind="gm-in" rx=${0.4 * u} />
    <${Words}
      ...${middle}
      y=${box.y - 0.6 * u}
      text=${number}
      kind=${chosen ? "strong" : "num"}
      className=${chosen ? "gm-on" : ""}
    />
    <${Words} ...${middle} y=${foot + 1.5 * u} ...${figure} />
    <${Spike} block=${block} i=${i} />
    <${Zone} box=${box} onPress=${choose} onKey=${onKey} ...${zone} data-block=${number} />
  </g>`;
};

/** The names of the numbers under the tiles, at the left of each row. */
const StripNames = () => {
  const { type, plan, masks } = useFrame();
  const { u } = type;
  const x = plan.parts.blocks.x - 0.4 * u;
  const rows = plan.tiles.filter((_, i) => i % plan.per === 0);
  return rows.map(({ y, h, row }) => {
    const name = (/** @type {string} */ text, /** @type {number} */ at) =>
      html`<${Words}
        key=${`${row} ${text}`}
        x=${x}
        y=${at}
        text=${text}
        kind="tiny"
        anchor="end"
      />`;
    const below = STRIP_NAMES.map(([text, dy], k) =>
      name(masks && !k ? "as in the last block" : text, y + h + dy * u),
    );
    return [name("block", y - 0.6 * u), ...below];
  });
};

/** @param {{ onAsk: (block: number) => void }} props */
export const BlocksPart = ({ onAsk }) => {
  const { plan, state } = useFrame();
  return html`${state.value.blocks.map(
    (block, i) => html`<${Tile} key=${block.number} block=${block} i=${i} onAsk=${onAsk} />`,
  )}
  ${plan.wide && html`<${StripNames} />`}`;
};
