// Where things lie: the last block's parts side by side below the blocks, or all parts below each
// other. Pure functions of a request, of the letters and of the room.
import { clamp } from "../dom.js";
import { fit, placeMaplets, placeMaps, placeTiles, wrapLines } from "./place.js";

/** @typedef {import("../../widgets/values").MachineValue} MachineValue */
/** @typedef {import("../../widgets/values").PartName} PartName */
/** @typedef {import("./type.js").Type} Type */
/** @typedef {import("./type.js").Kind} Kind */
/** @typedef {{ x: number, y: number, w: number, h: number }} Box */
/**
 * @typedef {{ equation: string, value: string, wrapped: [text: string, kind: Kind][] }} Lines the
 * words under a part's name
 */
/**
 * @typedef {object} Plan
 * @property {boolean} wide parts lie side by side
 * @property {number} W
 * @property {number} height
 * @property {number} line height of a line
 * @property {number} ratio height over width of the picture
 * @property {number} per tiles a row
 * @property {number} gutter room for the names of the strips
 * @property {Record<PartName, Box>} parts
 * @property {Record<PartName, Lines>} lines
 * @property {number} foot where the lines of an opened part begin; 0: under its name
 * @property {Box} panel of the opened last block
 * @property {Box} photo
 * @property {(Box & { row: number })[]} tiles
 * @property {Box[]} heads q, k and v
 * @property {Box[]} maps
 * @property {Box} used
 * @property {Box} norms
 * @property {Box} alike
 * @property {(Box & { room: number })[]} maplets
 * @property {Box} bars
 * @property {Box} mask
 * @property {Box} legend
 */

/** @type {PartName[]} */
export const NAMES = ["picture", "blocks", "heads", "matrix", "values", "words", "scores", "mask"];
/** Shares of the width of the opened last block's parts. @type {[PartName, number][]} */
const OPENED = [
  ["heads", 0.12],
  ["matrix", 0.25],
  ["values", 0.21],
  ["words", 0.23],
  ["mask", 0.19],
];
export const ROW = 12; // tiles a row
const STRIPS = "below each: most looked-at patch, × an equal share · largest channel, × the median";
/**
 * Names of the rows of numbers under the tiles, and how far under.
 * @type {[name: string, below: number][]}
 */
export const STRIP_NAMES = [
  ["most looked at ×", 1.5],
  ["largest channel ×", 4.4],
];

/** Rows of bars of one patch's scores. @param {MachineValue} value */
export const barsOf = ({ words }) =>
  Math.min(words.length + (words[words.length - 1].index < 0 ? 0 : 1), 5);

/** @returns {Box} */
const nowhere = () => ({ x: 0, y: 0, w: 0, h: 0 });

/**
 * @param {MachineValue} value
 * @param {Type} type
 * @param {boolean} formulas
 * @param {number} W
 * @param {number} height of the opened part and what is above it; 0: as it comes
 * @returns {Plan}
 */
export const arrange = (value, type, formulas, W, height) => {
  const wide = W >= 54 * type.u;
  const linesOf = (/** @type {PartName} */ name) => {
    const { equation, mark, value: text } = value.parts[name];
    const stacked = name === "blocks" && !wide;
    return {
      equation: formulas ? equation + (mark ? ` [${mark}]` : "") : "",
      value: stacked ? `${text}; ${STRIPS}` : text,
      wrapped: [],
    };
  };
  const all = (/** @type {(name: PartName) => any} */ of) =>
    Object.fromEntries(NAMES.map((name) => [name, of(name)]));
  /** @type {Plan} */
  const plan = {
    ...{ wide, W, height: 0, per: 1, gutter: 0, foot: 0 },
    line: Math.max(1.35 * type.u, 1.22 * type.least),
    ratio: value.size[0] / value.size[1],
    parts: /** @type {Plan["parts"]} */ (all(nowhere)),
    lines: /** @type {Plan["lines"]} */ (all(linesOf)),
    ...{ panel: nowhere(), photo: nowhere(), used: nowhere(), norms: nowhere() },
    ...{ alike: nowhere(), bars: nowhere(), mask: nowhere(), legend: nowhere() },
    ...{ tiles: [], heads: [], maps: [], maplets: [] },
  };
  if (wide) sideBySide(plan, value, type, height);
  else stack(plan, value, type);
  return plan;
};

/**
 * What the opened parts show, below `top` and H high.
 * @param {Plan} plan
 * @param {MachineValue} value
 * @param {Type} type
 * @param {number} top
 * @param {number} H
 */
const placeOpened = (plan, value, type, top, H) => {
  const { u } = type;
  const { heads, matrix, values, words, mask } = plan.parts;
  const third = H / 3;
  plan.heads = [0, 1, 2].map((i) => {
    const box = {
      x: heads.x + 1.4 * u,
      y: top + i * third,
      w: heads.w - 1.4 * u,
      h: third - 0.8 * u,
    };
    return fit(plan.ratio, box, true);
  });
  placeMaps(plan, value, type, { x: matrix.x, y: top, w: matrix.w, h: H, most: 4.6 * u });
  plan.norms = { x: values.x, y: top, w: values.w, h: H - 7.2 * u };
  plan.alike = { x: values.x, y: top + H - 4.4 * u, w: values.w, h: 0 };
  const bars = barsOf(value) * 1.4 * u;
  const most = H - bars - 2.2 * u;
  placeMaplets(plan, value, type, { x: words.x, y: top, w: words.w, most });
  plan.parts.scores = { x: words.x, y: top + H - bars - 2 * u, w: words.w, h: bars + 2 * u };
  plan.bars = { x: words.x, y: top + H - bars, w: words.w, h: bars };
  plan.mask = fit(plan.ratio, { x: mask.x, y: top, w: mask.w, h: H - 7.4 * u }, true);
  plan.legend = { x: mask.x, y: plan.mask.y + plan.mask.h + 1.7 * u, w: mask.w, h: 0 };
};

/** @param {Plan} plan @param {MachineValue} value @param {Type} type @param {number} height */
const sideBySide = (plan, value, type, height) => {
  const { u } = type;
  const { W, parts, lines } = plan;
  const [top, pad, gap] = [3.5 * u, 1.2 * u, 2.2 * u];
  const photo = { x: 0, y: top, w: clamp(0.17 * W, 11 * u, 20 * u), h: 11.4 * u };
  plan.photo = fit(plan.ratio, photo, true);
  plan.gutter = Math.max(...STRIP_NAMES.map(([text]) => type.lengthOf(text, "tiny")));
  const left = plan.photo.w + 1.4 * u + plan.gutter;
  const tiles = { x: left, y: top, w: W - left - 0.5 * u, most: ROW };
  const foot = placeTiles(plan, value, type, tiles);
  parts.picture = { x: 0, y: 0, w: plan.photo.w, h: plan.photo.y + plan.photo.h };
  parts.blocks = { x: left, y: 0, w: W - left, h: foot };
  const y = Math.max(foot, parts.picture.h) + 2.6 * u;
  const c = y + 3.2 * u;
  const free = W - 2 * pad - 4 * gap;
  for (const [name, share] of OPENED) {
    lines[name].wrapped = wrapLines(type, lines[name], share * free);
  }
  const most = Math.max(...OPENED.map(([name]) => lines[name].wrapped.length));
  const below = most * plan.line + u;
  const H = height ? clamp(height - c - below, 14 * u, 30 * u) : clamp(0.22 * W, 18.5 * u, 21 * u);
  let x = pad;
  for (const [name, share] of OPENED) {
    parts[name] = { x, y, w: share * free, h: 3.2 * u + H + below };
    x += share * free + gap;
  }
  plan.foot = c + H + 1.5 * u;
  plan.panel = { x: 0, y, w: W, h: parts.mask.h };
  plan.height = y + plan.panel.h;
  placeOpened(plan, value, type, c, H);
};

/**
 * Places of what each part shows when all lie below each other; each returns its height.
 * @param {Plan} plan
 * @param {MachineValue} value
 * @param {Type} type
 * @returns {Record<PartName, (x: number, y: number, w: number) => number>}
 */
const stacked = (plan, value, type) => {
  const { u } = type;
  const whole = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ w) =>
    fit(plan.ratio, { x, y, w, h: 17 * u });
  return {
    picture: (x, y, w) => {
      plan.photo = whole(x, y, w);
      return plan.photo.h;
    },
    blocks: (x, y, w) => placeTiles(plan, value, type, { x, y: y + 0.2 * u, w, most: 6 }) - y,
    heads: (x, y, w) => {
      const third = (w - 1.2 * u) / 3;
      plan.heads = [0, 1, 2].map((i) => {
        const box = { x: x + i * (third + 0.6 * u), y: y + 1.2 * u, w: third, h: 9 * u };
        return fit(plan.ratio, box);
      });
      return plan.heads[0].h + 1.2 * u;
    },
    matrix: (x, y, w) => {
      const h = Math.min(w, 19 * u) + 11 * u;
      placeMaps(plan, value, type, { x, y, w, h, most: 7 * u });
      return plan.used.y + plan.used.h - y;
    },
    values: (x, y, w) => {
      plan.norms = { x, y, w, h: 9 * u };
      plan.alike = { x, y: y + 11.4 * u, w, h: 0 };
      return 15.8 * u;
    },
    words: (x, y, w) => {
      placeMaplets(plan, value, type, { x, y, w, most: 26 * u });
      const last = plan.maplets[plan.maplets.length - 1];
      return last.y + last.h + 2.2 * u - y;
    },
    scores: (x, y, w) => {
      plan.bars = { x, y, w, h: 7 * u };
      return 7 * u;
    },
    mask: (x, y, w) => {
      plan.mask = whole(x, y, w);
      plan.legend = { x, y: y + plan.mask.h + 1.7 * u, w, h: 0 };
      return plan.mask.h + 7.4 * u;
    },
  };
};

/** @param {Plan} plan @param {MachineValue} value @param {Type} type */
const stack = (plan, value, type) => {
  const { u } = type;
  const pad = 0.8 * u;
  const w = plan.W - 2 * pad;
  const place = stacked(plan, value, type);
  let y = 0;
  for (const name of NAMES) {
    const begin = y;
    const lines = plan.lines[name];
    lines.wrapped = name === "scores" ? [] : wrapLines(type, lines, w);
    y += (2 + 1.35 * lines.wrapped.length) * u;
    y += place[name](pad, y, w) + 1.6 * u;
    plan.parts[name] = { x: pad, y: begin, w, h: y - begin };
  }
  const { heads } = plan.parts;
  plan.panel = { x: 0, y: heads.y - 0.6 * u, w: plan.W, h: y - heads.y + 0.6 * u };
  plan.height = y;
};
