// What a request brought: its arrays, and what of them moves from one request to the next.
import { fetchPicture, labelsOf, unpackText } from "../blobs.js";
import { isEqual } from "../dom.js";
import { squaresOf } from "../squares.js";

/** @typedef {import("../../widgets/values").MachineValue} MachineValue */
/** @typedef {ArrayLike<number> & { length: number }} Numbers */
/**
 * The arrays of a request, and sizes: n patches (h, w) in m squares.
 * @typedef {object} State
 * @property {MachineValue} value
 * @property {HTMLImageElement} photo
 * @property {Int32Array} labels of the mask
 * @property {number} h
 * @property {number} w
 * @property {number} n
 * @property {ReturnType<typeof squaresOf>} squares
 * @property {number} m
 * @property {number} bright attention that is drawn brightest
 * @property {Numbers[]} maps (m, m) of the last block and of those that AMF takes
 * @property {Float32Array} received (blocks, n) attention
 * @property {Float32Array} head_q (m, 3) colours
 * @property {Float32Array} head_k
 * @property {Float32Array} head_v
 * @property {Float32Array} local (m, m)
 * @property {Float32Array} used (m, m)
 * @property {Float32Array} scores (words, n)
 * @property {Float32Array} norms of the block in view
 * @property {Float32Array} mended the same after CS
 * @property {Numbers} fits (2, n) the best words, 0 a hidden one
 * @property {Numbers} cosines (2, n)
 * @property {Numbers} looks (k, n) where patches look most
 * @property {Numbers} times (k, n)
 * @property {Float32Array} score of each block
 * @property {Float32Array} ratio
 * @property {Float32Array} after
 * @property {Float32Array} similar in-in, in-out
 * @property {Float32Array} share of each word
 * @property {Float32Array} fusing (1,) 1 where AMF takes blocks
 */

/**
 * @param {MachineValue} value
 * @returns {Promise<State>}
 */
export const unpackState = async (value) => {
  const [arrays, photo, labels] = await Promise.all([
    unpackText(value.data),
    fetchPicture(value.picture),
    labelsOf(value.mask),
  ]);
  const [h, w] = value.grid;
  const squares = squaresOf(value);
  const perBlock = (/** @type {"score" | "ratio" | "after"} */ name) =>
    Float32Array.from(value.blocks, (block) => block[name]);
  const norms = /** @type {Float32Array} */ (arrays.norms);
  const mended = norms.slice();
  for (const [channel, norm] of value.repaired) mended[channel] = norm;
  const named = /** @type {any} */ (
    Object.fromEntries(
      Object.entries(arrays).map(([name, array]) => [name.replace(" ", "_"), array]),
    )
  );
  return {
    ...named,
    ...{ value, photo, labels, h, w, n: h * w, squares, m: squares.count, mended },
    maps: [arrays.local, ...value.fused.map((block) => arrays[`block ${block - 1}`])],
    bright: value.bright,
    score: perBlock("score"),
    ratio: perBlock("ratio"),
    after: perBlock("after"),
    similar: Float32Array.from(value.similar, (x) => x ?? Number.NaN),
    share: Float32Array.from(value.words, ({ share }) => share),
    fusing: Float32Array.of(value.fused.length ? 1 : 0),
  };
};

// biome-ignore format: a list
const MOVING = /** @type {const} */ ([
  "received", "head_q", "head_k", "head_v", "local", "used", "scores", "norms", "mended",
  "score", "ratio", "after", "similar", "share", "fusing",
]);

/**
 * The state between two requests, t of the way; equal arrays stay the same object.
 * @param {State | null} from
 * @param {State} to
 * @param {number} t
 * @returns {State}
 */
export const between = (from, to, t) => {
  if (t >= 1 || !from) return to;
  const mixed = { ...to, bright: from.bright + (to.bright - from.bright) * t };
  for (const name of MOVING) {
    const [a, b] = [from[name], to[name]];
    if (a.length !== b.length || isEqual(a, b)) continue;
    mixed[name] = b.map((x, i) => (Number.isNaN(a[i]) ? x : a[i] + (x - a[i]) * t));
  }
  return mixed;
};

/**
 * What each part is drawn from.
 * @type {Record<import("../../widgets/values").PartName, (keyof State)[]>}
 */
const DEPENDS = {
  picture: [],
  blocks: ["received", "score", "ratio", "after"],
  heads: ["head_q", "head_k", "head_v"],
  matrix: ["used"],
  values: ["norms", "mended", "similar"],
  words: ["scores"],
  scores: ["scores"],
  mask: ["labels"],
};

/**
 * The first block that a switch changed, from 0; -1 for none.
 * @param {State} from
 * @param {State} to
 */
const firstMoved = (from, to) => {
  const tile = (/** @type {State} */ { ratio, after, received, n }, /** @type {number} */ i) => [
    ...[ratio[i], after[i]],
    ...received.subarray(i * n, (i + 1) * n),
  ];
  return to.value.blocks.findIndex((_, i) => !isEqual(tile(from, i), tile(to, i)));
};

/**
 * Which parts a switch left as they were, in words.
 * @param {State} from
 * @param {State} to
 */
export const unchanged = (from, to) => {
  /** @type {Partial<Record<import("../../widgets/values").PartName, string>>} */
  const words = {};
  const same = (/** @type {keyof State} */ name) =>
    isEqual(/** @type {Numbers} */ (from[name]), /** @type {Numbers} */ (to[name]));
  for (const name of /** @type {(keyof typeof DEPENDS)[]} */ (Object.keys(DEPENDS))) {
    if (DEPENDS[name].every(same)) words[name] = "unchanged";
  }
  const moved = firstMoved(from, to);
  if (moved === 1) words.blocks = "block 1 unchanged";
  if (moved > 1) words.blocks = `blocks 1 to ${moved} unchanged`;
  return words;
};
