// The pixels of masks: a colour for each word, stripes for a weak fit, white edges.
import { abgr, ink } from "./pixels.js";
/** @import { Word } from "./types.js" */

/**
 * What is seen of two masks, of the labels of their pixels and their weak fits: columns from `seam` on
 * show the second one. `alone` is the label that is shown alone; `isChanges` tells whether only
 * pixels are shown that differ between the masks.
 * @typedef {{ width: number, classes: Word[], seam: number, alone: ?number,
 *   masks: { labels: Uint8Array, unsure: boolean[] }[], isChanges: boolean }} View
 */

export const NONE = 255; // the label of a pixel without a class
const EDGE = abgr(255, 255, 255, 216);
const STRIPE = 7; // pixels of the screen
const CELLS = 100; // the longest side of the grid in which names are placed

/** The mask that a column shows: 0 or 1. @param {View} view @param {number} x */
const maskAt = (view, x) => (x < view.seam ? 0 : 1);

/** @param {View} view @param {number} i */
const isShown = ({ isChanges, masks: [first, second] }, i) =>
  !isChanges || first.labels[i] !== second.labels[i];

/** The pixels of a view; a pixel of the screen is `thick` of them, and `alpha` is from 0 to 255.
 * @param {View} view @param {number} thick @param {number} alpha */
export function paint(view, thick, alpha) {
  const { width, masks } = view;
  const height = masks[0].labels.length / width;
  const inks = masks.map(({ unsure }) => inksOf(view, unsure, alpha));
  const pixels = new Uint32Array(width * height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const side = maskAt(view, x);
      const { labels } = masks[side];
      const right = x + thick < width ? i + thick : i;
      const below = y + thick < height ? i + thick * width : i;
      if (isEdge(view, labels, i, right) || isEdge(view, labels, i, below)) pixels[i] = EDGE;
      else if (isShown(view, i)) {
        const { full, striped } = inks[side];
        const isFull = (x + y) % (2 * STRIPE * thick) < STRIPE * thick;
        pixels[i] = (isFull ? full : striped)[labels[i]];
      }
    }
  return pixels;
}

/** Edges are drawn around changes, between all words, or around the one that is shown alone.
 * @param {View} view @param {Uint8Array} labels @param {number} i @param {number} j */
function isEdge(view, labels, i, j) {
  if (view.isChanges) return isShown(view, i) !== isShown(view, j);
  const { alone } = view;
  return labels[i] !== labels[j] && (alone === null || [labels[i], labels[j]].includes(alone));
}

/** A mask's colour of each label, and that of its stripes, which differs if it is a weak fit.
 * @param {View} view @param {boolean[]} unsure @param {number} alpha */
function inksOf({ classes, alone, isChanges }, unsure, alpha) {
  const full = new Uint32Array(256);
  if (alone !== null) {
    full.fill(abgr(12, 14, 18, Math.max(alpha, 150)));
    full[alone] = 0;
    return { full, striped: full };
  }
  classes.forEach(({ colour, strength }, label) => {
    full[label] = ink(colour, alpha * strength);
  });
  const striped = full.map((colour, label) =>
    unsure[label] ? ink(classes[label].colour, alpha / 4) : colour,
  );
  if (isChanges) striped[NONE] = abgr(255, 255, 255, 150); // not grey: it has changed
  return { full, striped };
}

/** The labels that need a name, on a coarse grid: its cells row by row, and their columns.
 * @param {View} view */
export function gridOf(view) {
  const { width, masks, alone } = view;
  const height = masks[0].labels.length / width;
  const step = Math.ceil(Math.max(width, height) / CELLS);
  const columns = Math.floor(width / step);
  const middle = Math.floor(step / 2);
  const cells = Uint8Array.from({ length: Math.floor(height / step) * columns }, (_, cell) => {
    const y = Math.floor(cell / columns) * step + middle;
    const x = (cell % columns) * step + middle;
    const i = y * width + x;
    const label = masks[maskAt(view, x)].labels[i];
    return isShown(view, i) && (alone === null || label === alone) ? label : NONE;
  });
  return { cells, columns };
}
