// Where the patches of each mask look and which words they match: fetched after the mask is shown.

import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { fetchArrays, fetchMatrix } from "../blobs.js";
import { useBothFetched } from "../hooks.js";
import { patchOn } from "../pointing.js";
import { REST, REST_COLOUR } from "../rest.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../../widgets/values").WordsArrays} WordsArrays */
/** @typedef {import("./best-words.js").Match} Match */
/** @typedef {import("../squares.js").Patch} Patch */
/**
 * @typedef {{ title: string, matrix: import("../blobs.js").Matrix | null, matches: Match[] }}
 * SideShown
 */
/** @typedef {import("@preact/signals").ReadonlySignal<SideShown | null>} SideAtPatch */

/** @type {(name: string) => Promise<WordsArrays>} */
const fetchWords = fetchArrays;

/**
 * The words that match a patch best.
 * @param {CanvasValue} value
 * @param {WordsArrays | null} words
 * @param {Patch} patch
 * @returns {Match[]}
 */
const matchesOf = ({ classes, grid: [rows, columns] }, words, [row, column]) => {
  if (!words) return [];
  const n = rows * columns;
  const own = row * columns + column;
  return Array.from({ length: words.best.length / n }, (_, rank) => {
    const at = rank * n + own;
    const shown = classes[words.best[at]];
    return {
      name: shown?.name ?? REST,
      colour: shown?.colour ?? REST_COLOUR,
      part: words.shares[at],
      cosine: words.cosines[at],
    };
  });
};

/**
 * What is known of the side that is seen at the patch that is pointed at; null where none is. It is
 * a signal, so that only what shows it follows the pointer.
 * @param {CanvasValue} value
 * @param {import("../../widgets/values").Mode} mode
 * @param {number} split
 */
export const useSideAtPatch = (value, mode, split) => {
  const { sides, grid } = value;
  const matrices = useBothFetched(
    sides.map(({ matrix }) => matrix),
    fetchMatrix,
  );
  const words = useBothFetched(
    sides.map((side) => side.words),
    fetchWords,
  );
  const retry = () => {
    matrices.retry();
    words.retry();
  };
  /** @returns {SideShown | null} */
  const sideNow = () => {
    const patch = patchOn(value);
    if (!patch) return null;
    const last = sides.length - 1;
    const isAfter = (patch[1] + 0.5) / grid[1] > split;
    const k = { before: 0, after: last, swipe: isAfter ? last : 0 }[mode];
    const matches = matchesOf(value, words.data[k], patch);
    return { title: sides[k].title, matrix: matrices.data[k], matches };
  };
  const side = useMemo(
    () => computed(sideNow),
    [value, mode, split, ...matrices.data, ...words.data],
  );
  return { side, error: matrices.error ?? words.error, retry };
};
