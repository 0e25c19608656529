// The squares of patches that share a row of a matrix of attention.

/** @typedef {[row: number, column: number]} Place */

/** @param {{ grid: [number, number], pooled: number }} shown */
export const squaresOf = ({ grid: [rows, columns], pooled }) => {
  const wide = Math.ceil(columns / pooled);
  return {
    /** The square of a patch. @param {Place} patch */
    at: ([row, column]) => Math.floor(row / pooled) * wide + Math.floor(column / pooled),
    /** The first patch of a square. @param {number} i @returns {Place} */
    first: (i) => [Math.floor(i / wide) * pooled, (i % wide) * pooled],
    /** The middle of a square, in patches. @param {number} i @returns {Place} */
    middle: (i) => {
      const [row, column] = [Math.floor(i / wide) * pooled, (i % wide) * pooled];
      const end = (/** @type {number} */ from, /** @type {number} */ most) =>
        (from + Math.min(from + pooled, most)) / 2;
      return [end(row, rows), end(column, columns)];
    },
  };
};

/**
 * The strongest places of a square's row, but itself: square and attention.
 * @param {import("./blobs.js").Matrix} matrix
 * @param {number} own
 */
export const strongestPlaces = (matrix, own) =>
  matrix.strongest(own).filter(([i, times]) => i !== own && times > 0);
