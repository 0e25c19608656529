// Pointing at patches. One patch of a picture is pointed at on the whole page, by the same rules
// wherever patches are shown:
// - a mouse points at the patch under it, and at none once it leaves, unless a patch is pinned;
// - a press, a tap or Enter pins a patch, and frees the pinned one;
// - arrow keys move to the next patch, which stays pinned; Escape frees it, wherever the focus is.
// What is pointed at is a place on the picture, so that it stays where the grid of patches changes.
import { signal } from "@preact/signals";
import { arrows, clamp, isPlainKey, placeIn } from "./dom.js";
import { useHost } from "./gradio.js";
import { reasons } from "./store.js";

/** @typedef {import("./squares.js").Patch} Patch */
/** In shares of a picture's height and width. @typedef {[y: number, x: number]} Place */
/** What shows patches. @typedef {{ picture: string, grid: [number, number] }} Patches */
/**
 * What is pointed at.
 * @typedef {object} Pointed
 * @property {string} picture name of the picture on which it lies
 * @property {Place} place
 * @property {string} source where it was pointed at: id of a widget, "" of a link
 * @property {boolean} pinned it stays when the pointer leaves
 * @property {boolean} byKeys arrow keys moved there
 * @property {[row: number, column: number] | null} pixel whose best words are asked for
 */

/** @type {import("@preact/signals").Signal<Pointed | null>} */
export const pointed = signal(null);

/** @param {Patch | null} a @param {Patch | null} b */
export const isSame = (a, b) => a?.[0] === b?.[0] && a?.[1] === b?.[1];

/**
 * The nearest patch of a grid.
 * @param {[number, number]} grid
 * @param {Patch} patch
 * @returns {Patch}
 */
const within = ([rows, columns], [row, column]) => [
  clamp(row, 0, rows - 1),
  clamp(column, 0, columns - 1),
];

/** @param {[number, number]} grid @returns {Patch} */
export const middleOf = ([rows, columns]) => [rows >> 1, columns >> 1];

/**
 * The patch at a place of a picture.
 * @param {[number, number]} grid
 * @returns {(place: Place) => Patch}
 */
export const patchIn =
  ([rows, columns]) =>
  ([y, x]) => [Math.floor(y * rows), Math.floor(x * columns)];

/**
 * The middle of a patch.
 * @param {[number, number]} grid
 * @returns {(patch: Patch) => Place}
 */
export const placeOf =
  ([rows, columns]) =>
  ([row, column]) => [(row + 0.5) / rows, (column + 0.5) / columns];

/** The patch that is pointed at on a picture, null for none. @param {Patches} shown */
export const patchOn = ({ picture, grid }) =>
  pointed.value?.picture === picture ? patchIn(grid)(pointed.value.place) : null;

/** Whether a patch of a picture is pinned. @param {Patches} shown */
export const pinnedOn = ({ picture }) => pointed.value?.picture === picture && pointed.value.pinned;

/**
 * Points at a place of a picture.
 * @param {string} source
 * @param {string} picture
 * @param {Place} place
 * @param {Partial<Pick<Pointed, "pinned" | "byKeys" | "pixel">>} [how]
 */
export const point = (source, picture, place, how = {}) => {
  pointed.value = { picture, place, source, pinned: false, byKeys: false, pixel: null, ...how };
};

/** Points at nothing, and drops what was asked of the patch. */
export const leave = () => {
  pointed.value = null;
  reasons.value = null;
};

/** Escape frees the patch; what covers the page takes the key first. */
export const freeByEscape = () =>
  document.addEventListener("keydown", ({ key, defaultPrevented }) => {
    const covered = document.fullscreenElement || document.querySelector("dialog, .gm-over");
    if (key === "Escape" && !defaultPrevented && !covered && pointed.value) leave();
  });

/**
 * Where a widget differs.
 * @typedef {object} Own
 * @property {string} [source] of what is pointed at here, in place of the widget's id
 * @property {(place: Place) => Patch} [patchAt] the patch at a place of the node, which is the
 *   picture where it is not given
 * @property {(patch: Patch, place?: Place) => void} [pin] pins and does more
 * @property {() => void} [press] what a press does, in place of pinning
 * @property {Patch | null} [at] from which arrow keys begin where none is pointed at
 * @property {number} [step] patches that an arrow key moves on
 * @property {boolean} [stays] the patch stays when a mouse leaves
 */

/**
 * Handlers of a node that shows patches.
 * @param {Patches} shown
 * @param {Own} [own]
 */
export const usePointing = (shown, own = {}) => {
  const { id } = useHost();
  const { source = id, patchAt = patchIn(shown.grid), at = null, step = 1, stays } = own;
  /** @param {Patch} patch @param {Parameters<typeof point>[3]} [how] */
  const pointAt = (patch, how) => point(source, shown.picture, placeOf(shown.grid)(patch), how);
  const { pin = (patch) => pointAt(patch, { pinned: true }) } = own;
  /** @param {Patch} patch @param {Place} [place] */
  const press = (patch, place) => {
    if (own.press) own.press();
    else if (pinnedOn(shown) && isSame(patch, patchOn(shown))) leave();
    else pin(patch, place);
  };
  /** @param {[rows: number, columns: number]} steps */
  const walk = ([down, right]) => {
    const from = patchOn(shown) ?? at;
    /** @type {Patch} */
    const to = from ? [from[0] + step * down, from[1] + step * right] : middleOf(shown.grid);
    const how = { pinned: pinnedOn(shown), byKeys: true };
    pointAt(within(shown.grid, to), how);
  };
  /** @typedef {PointerEvent & { currentTarget: Element }} Event */
  return {
    onPointerMove: (/** @type {Event} */ event) => {
      if (event.pointerType === "touch" || pinnedOn(shown)) return;
      const patch = patchAt(placeIn(event.currentTarget, event));
      if (!isSame(patch, patchOn(shown))) pointAt(patch);
    },
    onPointerLeave: (/** @type {Event} */ { pointerType }) => {
      if (!stays && pointerType !== "touch" && patchOn(shown) && !pinnedOn(shown)) leave();
    },
    onClick: (/** @type {Event} */ event) => {
      const place = placeIn(event.currentTarget, event);
      press(patchAt(place), place);
    },
    onKeyDown: (/** @type {KeyboardEvent} */ event) => {
      // A control within the node has keys of its own.
      if (event.target !== event.currentTarget || !isPlainKey(event)) return;
      const steps = arrows[event.key];
      if (steps) walk(steps);
      else if (event.key === "Enter" || event.key === " ") {
        press(patchOn(shown) ?? at ?? middleOf(shown.grid));
      } else if (event.key === "Escape" && patchOn(shown)) leave();
      else return;
      event.preventDefault();
    },
  };
};
