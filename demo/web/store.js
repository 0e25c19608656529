// What the widgets of the page share. Each is a signal: a component that reads one follows it.
import { signal } from "@preact/signals";

/**
 * The patch that is pointed at.
 * @typedef {object} Pointed
 * @property {string} picture name of the picture on which it lies
 * @property {number} row
 * @property {number} column
 * @property {boolean} pinned it stays when the pointer leaves
 * @property {string} source id of the component where it was pointed at
 * @property {boolean} asked a press on that canvas asked why the patch has its word
 */

/** A word shown alone, or what no word has. @typedef {{ name: string } | "rest"} Isolated */

/** @type {import("@preact/signals").Signal<Pointed | null>} */
export const pointed = signal(null);

/** @type {import("@preact/signals").Signal<Isolated | null>} */
export const isolated = signal(null);

/** Of all masks on the page, 0 to 1. */
export const opacity = signal(0.6);

/**
 * A channel that was pressed in the machine.
 * @type {import("@preact/signals").Signal<{ index: number, block: number } | null>}
 */
export const channel = signal(null);

/**
 * The best words at the pixel that was asked for.
 * @type {import("@preact/signals").Signal<import("../widgets/values").WhyValue | null>}
 */
export const reasons = signal(null);

/** Whether the page, not only its lesson, has a planted fault. */
export const planted = signal(false);

let given = Number.NaN;

/**
 * The opacity that an answer has; of an answer to an earlier one, the visitor's own stays.
 * @param {number} value
 */
export const giveOpacity = (value) => {
  if (value === given) return;
  given = value;
  opacity.value = value;
};

/**
 * The patch that is pointed at on a picture, within its grid.
 * @param {{ picture: string, grid: [number, number] }} shown
 * @returns {[row: number, column: number] | null}
 */
export const patchOn = ({ picture, grid }) => {
  const patch = pointed.value;
  if (patch?.picture !== picture) return null;
  return [Math.min(patch.row, grid[0] - 1), Math.min(patch.column, grid[1] - 1)];
};

/**
 * Points at a patch of a picture, or at none.
 * @param {string} source
 * @param {string} picture
 * @param {[row: number, column: number] | null} patch
 * @param {{ pinned?: boolean, asked?: boolean }} [how]
 */
export const point = (source, picture, patch, { pinned = false, asked = false } = {}) => {
  if (!patch) {
    pointed.value = null;
    return;
  }
  const [row, column] = patch;
  pointed.value = { picture, row, column, pinned, source, asked };
};

/** Points at nothing, and drops what was asked of the patch. */
export const leave = () => {
  pointed.value = null;
  reasons.value = null;
};
