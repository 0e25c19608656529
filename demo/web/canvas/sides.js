// Where the patches of each mask look and which words they match: fetched after the mask is shown.
import { fetchArrays, fetchMatrix } from "../blobs.js";
import { REST } from "../dom.js";
import { useFetched } from "../hooks.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("./race.js").Match} Match */
/** @typedef {[row: number, column: number]} Place */
/**
 * @typedef {{ title: string, matrix: import("../blobs.js").Matrix | null, matches: Match[] }}
 * SideShown
 */

const REST_COLOUR = "#8a8a8a";

/**
 * The words that match a patch best.
 * @param {CanvasValue} value
 * @param {import("../blobs.js").Arrays | null} words
 * @param {Place} patch
 * @returns {Match[]}
 */
const matchesOf = ({ classes, grid: [rows, columns] }, words, [row, column]) => {
  if (!words) return [];
  const n = rows * columns;
  const own = row * columns + column;
  const places = Array.from({ length: words.best.length / n }, (_, k) => k * n + own);
  return places.map((at) => {
    const shown = classes[words.best[at]];
    return {
      name: shown?.name ?? REST,
      colour: shown?.colour ?? REST_COLOUR,
      share: words.shares[at],
      cosine: words.cosines[at],
    };
  });
};

/**
 * @param {CanvasValue} value
 * @param {import("../../widgets/values").Mode} mode
 * @param {number} split
 */
export const useSides = (value, mode, split) => {
  const last = value.sides.length - 1;
  const nameOf = (/** @type {number} */ k, /** @type {"matrix" | "words"} */ kind) =>
    value.sides[k]?.[kind] ?? "";
  const matrices = [
    useFetched(nameOf(0, "matrix"), fetchMatrix),
    useFetched(nameOf(1, "matrix"), fetchMatrix),
  ];
  const words = [
    useFetched(nameOf(0, "words"), fetchArrays),
    useFetched(nameOf(1, "words"), fetchArrays),
  ];
  const failed = [...matrices, ...words].filter(({ error }) => error);
  /** The side that is seen at a patch. @param {Place} patch @returns {SideShown} */
  const sideAt = (patch) => {
    const x = (patch[1] + 0.5) / value.grid[1];
    const k = { before: 0, after: last, swipe: x > split ? last : 0 }[mode];
    return {
      title: value.sides[k].title,
      matrix: matrices[k].data,
      matches: matchesOf(value, words[k].data, patch),
    };
  };
  const retry = () => {
    for (const arrays of failed) arrays.retry();
  };
  return { sideAt, error: failed[0]?.error ?? null, retry };
};
