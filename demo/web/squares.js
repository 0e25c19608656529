// The squares of patches that share a row of a matrix of attention.

/** @typedef {[row: number, column: number]} Patch */

/** @param {{ grid: [number, number], pooled: number }} shown */
export const squaresOf = ({ grid: [rows, columns], pooled }) => {
  const [tall, wide] = [Math.ceil(rows / pooled), Math.ceil(columns / pooled)];
  /** The square of a patch. @param {Patch} patch */
  const at = ([row, column]) => Math.floor(row / pooled) * wide + Math.floor(column / pooled);
  /**
   * The middle of a square, in patches; those at the lower and right edge may be smaller.
   * @param {number} i
   * @returns {[row: number, column: number]}
   */
  const middle = (i) => {
    const mean = (/** @type {number} */ from, /** @type {number} */ end) =>
      (from + Math.min(from + pooled, end)) / 2;
    return [mean(Math.floor(i / wide) * pooled, rows), mean((i % wide) * pooled, columns)];
  };
  /** The patch in the middle of a square. @param {number} i @returns {Patch} */
  const patch = (i) => {
    const [row, column] = middle(i);
    return [Math.floor(row), Math.floor(column)];
  };
  /** Numbers of every square as those of every patch. @param {ArrayLike<number>} numbers */
  const spread = (numbers) =>
    Float32Array.from(
      { length: rows * columns },
      (_, i) => numbers[at([Math.floor(i / columns), i % columns])],
    );
  return { tall, wide, count: tall * wide, at, middle, patch, spread };
};

/**
 * The strongest places of a square's row, but itself: square and attention.
 * @param {import("./blobs.js").Matrix} matrix
 * @param {number} own
 */
export const strongestPlaces = (matrix, own) =>
  matrix.strongest(own).filter(([i, times]) => i !== own && times > 0);
