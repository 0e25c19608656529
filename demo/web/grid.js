// Patches of a grid, [rows, columns]: a patch is its number, row by row, from 0. A place of the photo
// is its [x, y] in shares of the sides.

/** @param {number} value @param {number} least @param {number} most */
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** The row and the column of a patch, from 0.
 * @param {number} patch @param {number[]} grid @returns {[number, number]} */
export const cellOf = (patch, [, columns]) => [Math.floor(patch / columns), patch % columns];

/** The place under a pointer, or the nearest, in shares of the sides of a part.
 * @param {MouseEvent} event @param {Element} part */
export function placeUnder({ clientX, clientY }, part) {
  const { left, top, width, height } = part.getBoundingClientRect();
  return [clamp((clientX - left) / width, 0, 1), clamp((clientY - top) / height, 0, 1)];
}

/** @param {number[]} place @param {number[]} grid */
export function patchAt([x, y], [rows, columns]) {
  const [row, column] = [Math.floor(y * rows), Math.floor(x * columns)];
  return Math.min(row, rows - 1) * columns + Math.min(column, columns - 1);
}

/** The place of the centre of a patch. @param {number} patch @param {number[]} grid */
export function centreOf(patch, grid) {
  const [rows, columns] = grid;
  const [row, column] = cellOf(patch, grid);
  return [(column + 0.5) / columns, (row + 0.5) / rows];
}

/** @type {Record<string, [down: number, right: number]>} */
export const ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** The patch to which an arrow key leads. @param {number} patch @param {string} key
 * @param {number[]} grid */
export function patchBeside(patch, key, grid) {
  const [rows, columns] = grid;
  const [row, column] = cellOf(patch, grid);
  const [down, right] = ARROWS[key];
  return clamp(row + down, 0, rows - 1) * columns + clamp(column + right, 0, columns - 1);
}

/** @param {number[]} grid */
export const middle = ([rows, columns]) => Math.floor(rows / 2) * columns + Math.floor(columns / 2);

/** Where a patch is, in words. @param {number} patch @param {number[]} grid */
export function placeOf(patch, grid) {
  const [row, column] = cellOf(patch, grid);
  return `row ${row + 1}, column ${column + 1}`;
}
