// Where single parts lie, for both layouts of the machine.
import { clamp } from "../dom.js";

/** @typedef {import("../../widgets/values").MachineValue} MachineValue */
/** @typedef {import("./type.js").Type} Type */
/** @typedef {import("./type.js").Kind} Kind */
/** @typedef {import("./plan.js").Plan} Plan */
/** @typedef {import("./plan.js").Box} Box */
/** @typedef {import("./plan.js").Lines} Lines */

const MOST_MAPLETS = 6;

/**
 * A part's equation and, where four lines hold both, its value.
 * @param {Type} type
 * @param {Lines} lines
 * @param {number} w
 * @returns {[string, Kind][]}
 */
export const wrapLines = (type, { equation, value }, w) => {
  const wrap = (/** @type {string} */ text, /** @type {Kind} */ kind) =>
    text
      ? type.wrap(text, w, kind).map((line) => /** @type {[string, Kind]} */ ([line, kind]))
      : [];
  const [first, second] = [wrap(equation, "eq"), wrap(value, "small")];
  return first.length + second.length > 4 ? first : [...first, ...second];
};

/**
 * The largest place of a shape in a box: in its middle, or at its left.
 * @param {number} ratio
 * @param {Box} box
 * @returns {Box}
 */
export const fit = (ratio, { x, y, w, h }, left = false) => {
  const k = Math.min(w, h / ratio);
  return { x: left ? x : x + (w - k) / 2, y, w: k, h: k * ratio };
};

/**
 * Places in rows; `most` is the largest height of one.
 * @param {number} ratio
 * @param {number} count
 * @param {number} columns
 * @param {{ x: number, y: number, w: number, gap: number, below: number, most?: number }} box
 */
const gridOf = (
  ratio,
  count,
  columns,
  { x, y, w, gap, below, most = Number.POSITIVE_INFINITY },
) => {
  const each = (w - (columns - 1) * gap) / columns;
  const high = Math.min(each * ratio, most);
  return Array.from({ length: count }, (_, i) => {
    const left = x + (i % columns) * (each + gap);
    const place = fit(ratio, { x: left, y: 0, w: each, h: high });
    return { ...place, y: y + Math.floor(i / columns) * (high + below), room: each + 0.8 * gap };
  });
};

/**
 * The tiles of all blocks; returns their foot.
 * @param {Plan} plan
 * @param {MachineValue} value
 * @param {Type} type
 * @param {{ x: number, y: number, w: number, most: number }} box
 */
export const placeTiles = (plan, { blocks }, { u }, { x, y, w, most }) => {
  plan.per = Math.min(blocks.length, most);
  const box = { x: x + 0.35 * u, y: y + 1.5 * u, w: w - 0.7 * u, gap: 0.9 * u, below: 7.1 * u };
  plan.tiles = gridOf(plan.ratio, blocks.length, plan.per, box).map((tile, i) => ({
    ...tile,
    row: Math.floor(i / plan.per),
  }));
  const last = plan.tiles[plan.tiles.length - 1];
  return last.y + last.h + 5.4 * u;
};

/**
 * The matrices, and below them the one that is used.
 * @param {Plan} plan
 * @param {MachineValue} value
 * @param {Type} type
 * @param {Box & { most: number }} box
 */
export const placeMaps = (plan, value, type, { x, y, w, h, most }) => {
  const { u } = type;
  const count = Math.max(1 + value.fused.length, 3);
  const gap = 0.7 * u;
  const sideOf = (/** @type {number} */ apart) =>
    Math.min(most, (w - apart - (count - 1) * gap) / count);
  // The first line of AMF comes down beside the part's name, never through it.
  const name = type.lengthOf(value.parts.matrix.name, "name");
  const lack = name + u - 1.5 * sideOf(1.2 * u) - gap - 1.2 * u;
  const apart = 1.2 * u + (plan.wide ? clamp(2 * lack, 0, 4 * u) : 0);
  const s = sideOf(apart);
  const side = Math.min(w, h - s - 4 * u);
  const from = plan.wide ? x : x + (w - apart - count * (s + gap)) / 2;
  plan.maps = Array.from({ length: count }, (_, i) => ({
    ...{ x: from + i * (s + gap) + (i && apart), y: y + 1.3 * u, w: s, h: s },
  }));
  plan.used = { x: plan.wide ? x : x + (w - side) / 2, y: y + s + 4 * u, w: side, h: side };
};

/**
 * A small map of every word.
 * @param {Plan} plan
 * @param {MachineValue} value
 * @param {Type} type
 * @param {{ x: number, y: number, w: number, most: number }} box
 */
export const placeMaplets = (plan, { words }, type, { x, y, w, most }) => {
  const { u } = type;
  const count = Math.min(words.length, MOST_MAPLETS);
  const columns = count < 5 ? Math.min(count, 2) : 3;
  const rows = Math.ceil(count / columns);
  const grid = (/** @type {number} */ below) =>
    gridOf(plan.ratio, count, columns, {
      ...{ x, y, w, gap: 0.9 * u, below },
      most: most / rows - below,
    });
  const single = grid(1.9 * u);
  const { room } = single[0];
  const hasTwoLines = words.some(({ name }) => type.named(name, room)[0].length > 1);
  plan.maplets = hasTwoLines ? grid(2.7 * u) : single;
};
