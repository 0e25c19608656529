// Small helpers for numbers, places and the pointer.

/** @param {number} x @param {number} low @param {number} high */
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/**
 * The pointer's place in a node: shares of its height and width, below 1.
 * @param {Element} node
 * @param {MouseEvent} event
 * @returns {[y: number, x: number]}
 */
export const placeIn = (node, event) => {
  const box = node.getBoundingClientRect();
  const [y, x] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
  return [clamp(y, 0, 0.99999), clamp(x, 0, 0.99999)];
};

/**
 * Whether two rows of numbers are the same.
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export const isEqual = (a, b) =>
  a.length === b.length && Array.prototype.every.call(a, (x, i) => Object.is(x, b[i]));

/** @param {number} share */
export const percent = (share) =>
  share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;

/** A number with a minus that is as wide as a plus. @param {number} value @param {number} digits */
export const written = (value, digits) => value.toFixed(digits).replace("-", "−");

/** @param {number} row @param {number} column */
export const placeName = (row, column) => `row ${row + 1}, column ${column + 1}`;

/** Whether the visitor asks for less motion. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Words for who has a mouse, or for who has a finger.
 * @param {string} mouse
 * @param {string} touch
 */
export const byPointer = (mouse, touch) => (matchMedia("(hover: none)").matches ? touch : mouse);

/** Pixels of the screen per CSS pixel, at most 2. */
export const pixelRatio = () => Math.min(2, window.devicePixelRatio || 1);

/** Steps (rows, columns) of the arrow keys. @type {Record<string, [number, number] | undefined>} */
export const arrows = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/**
 * Whether a key is pressed without those that make it a shortcut of the browser's.
 * @param {KeyboardEvent} event
 */
export const isPlainKey = ({ altKey, ctrlKey, metaKey }) => !altKey && !ctrlKey && !metaKey;

/** @param {number} ms */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
