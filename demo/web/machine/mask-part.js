// The mask over the photo in grey, and its legend.
import { hex, pack } from "../colours.js";
import { html } from "../html.js";
import { REST_INDEX } from "../rest.js";
import { isolatedIn } from "../store.js";
import { useFrame } from "./frame.js";
import { Photo, Raster, Rect, Words } from "./shapes.js";
import { largestWords } from "./words-part.js";
import { Zone } from "./zone.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{ name: string, share: number, fill: string }} Entry */

const LISTED = 5;

/**
 * The colour of every label; what has no word is hatched, as in the page's other legends.
 * @param {State} state
 * @param {Int32Array} labels
 * @param {number | null} word shown alone
 */
const inkOf = ({ value }, labels, word) => {
  const columns = value.shape[1];
  const faint = (/** @type {number} */ index) => (word === null || word === index ? 190 : 40);
  const rest = word === REST_INDEX ? pack(140, 140, 140, 190) : pack(20, 20, 24, 150);
  const stripe = pack(150, 150, 150, 190);
  const other = pack(140, 140, 140, 160);
  const inks = new Map(
    value.words.map(({ index, colour }) => [index, pack(...hex(colour), faint(index))]),
  );
  const isHatched = (/** @type {number} */ i) =>
    (((i % columns) - Math.floor(i / columns)) & 7) < 2;
  return (/** @type {number} */ i) => {
    if (labels[i] < 0) return isHatched(i) ? stripe : rest;
    return inks.get(labels[i]) ?? other;
  };
};

export const MaskRasters = () => {
  const { plan, now, old, t } = useFrame();
  const [rows, columns] = now.value.shape;
  const word = isolatedIn(now.value.words);
  const paint = (
    /** @type {State} */ state,
    /** @type {string} */ key,
    /** @type {number} */ opacity,
  ) =>
    html`<${Raster}
      key=${key}
      box=${plan.mask}
      w=${columns}
      h=${rows}
      of=${[state.labels, word]}
      ink=${inkOf(now, state.labels, word)}
      opacity=${opacity}
    />`;
  return html`<${Photo} box=${plan.mask} image=${now.photo} kind="gm-grey" />
    ${paint(now, "now", t)} ${t < 1 && old && paint(old, "old", 1 - t)}`;
};

/** @param {import("./frame.js").Frame} frame @returns {Entry[]} */
const legendOf = ({ now, state }) => {
  const { words, rest } = now.value;
  const shown = words.filter((_, i) => now.share[i] > 0).length;
  const most = shown > LISTED ? LISTED - 1 : LISTED;
  const listed = largestWords(now, most).filter((i) => now.share[i] > 0);
  const entries = listed.map((i) => ({
    name: words[i].name,
    share: state.share[i],
    fill: words[i].index < 0 ? "none" : words[i].colour,
  }));
  if (rest > 0 && words[words.length - 1].index >= 0) {
    entries.push({ name: "no label", share: rest, fill: "none" });
  }
  if (shown > listed.length) {
    const left = 1 - listed.reduce((sum, i) => sum + state.share[i], 0);
    entries.push({ name: `${shown - listed.length} more`, share: left, fill: "transparent" });
  }
  return entries;
};

/** What has no word, as a swatch. @param {{ x: number, y: number, side: number }} props */
const Hatch = ({ x, y, side }) => {
  const third = side / 3;
  const back = `M${x} ${y}l${side} ${side}m${-third} 0l${-2 * third} ${-2 * third}`;
  return html`<path d=${`${back}M${x + third} ${y}l${2 * third} ${2 * third}`} class="gm-hatch" />`;
};

/** @param {{ entry: Entry, k: number }} props */
const Row = ({ entry: { name, share, fill }, k }) => {
  const { type, plan } = useFrame();
  const { u } = type;
  const { x, y, w } = plan.legend;
  const line = y + 1.35 * k * u;
  const swatch = { x, y: line - 0.75 * u, w: 0.85 * u, h: 0.85 * u };
  const part = `${Math.round(100 * share)} %`;
  const [text, kind] = type.brief(name, w - 1.6 * u - type.lengthOf(part, "num"));
  return html`<${Rect} box=${swatch} kind="" fill=${fill} />
    ${fill === "none" && html`<${Hatch} x=${x} y=${swatch.y} side=${swatch.w} />`}
    <${Words} x=${x + 1.3 * u} y=${line} text=${text} kind=${kind} />
    <${Words} x=${x + w} y=${line} text=${part} kind="num" anchor="end" />`;
};

export const MaskPart = () => {
  const frame = useFrame();
  return html`<${Zone} box=${frame.plan.mask} />
    ${legendOf(frame).map((entry, k) => html`<${Row} key=${entry.name} entry=${entry} k=${k} />`)}`;
};
