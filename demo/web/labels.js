// Names of classes on a mask.
import { make } from "./elements.js";
import { clamp } from "./grid.js";
/** @import { Word } from "./types.js" */

/**
 * Put each class's name as deep inside the class as it fits, inside the layer and without overlap.
 * `cells` are the labels of a coarse grid, row by row; `taken` are boxes to avoid: left, top, right,
 * bottom.
 * @param {HTMLElement} layer @param {Word[]} classes
 * @param {Uint8Array} cells @param {number} columns @param {number[][]} taken
 */
export function placeLabels(layer, classes, cells, columns, taken) {
  const depth = depths(cells, columns);
  const byClass = classes.map(() => /** @type {number[]} */ ([]));
  cells.forEach((label, cell) => {
    byClass[label]?.push(cell);
  });
  const [right, bottom, rows] = [layer.clientWidth, layer.clientHeight, cells.length / columns];
  const largestFirst = [...byClass.keys()].sort((a, b) => byClass[b].length - byClass[a].length);
  layer.replaceChildren();
  if (bottom < 100) return; // they would hide the mask; the legend has them, too
  for (const c of largestFirst) {
    const inner = byClass[c].filter((cell) => depth[cell] > 1); // a rim needs no name
    if (inner.length < cells.length / 1200) continue;
    const { name, isKnown } = classes[c];
    const label = make("bdi", "", isKnown ? name : `${name} ?`);
    Object.assign(label.style, { background: classes[c].colour, color: classes[c].ink });
    layer.append(label);
    const [w, h] = [label.offsetWidth / 2 + 3, label.offsetHeight / 2 + 3];
    const box = inner
      .sort((a, b) => depth[b] - depth[a])
      .map((cell) => {
        const x = clamp((((cell % columns) + 0.5) * right) / columns, w, right - w);
        const y = clamp(((Math.floor(cell / columns) + 0.5) * bottom) / rows, h, bottom - h);
        return [x - w, y - h, x + w, y + h];
      })
      .find((a) => taken.every((b) => a[0] > b[2] || a[2] < b[0] || a[1] > b[3] || a[3] < b[1]));
    if (box) {
      taken.push(box);
      Object.assign(label.style, { left: `${box[0] + 3}px`, top: `${box[1] + 3}px` });
    } else label.remove();
  }
}

/** How many steps each cell is from another class or from the edge.
 * @param {Uint8Array} cells @param {number} columns */
function depths(cells, columns) {
  const depth = new Uint16Array(cells.length);
  const next = (
    /** @type {number} */ i,
    /** @type {number} */ j,
    /** @type {boolean} */ isInside,
  ) => (isInside && cells[i] === cells[j] ? depth[j] : 0);
  for (let i = 0; i < cells.length; i++)
    depth[i] = 1 + Math.min(next(i, i - columns, true), next(i, i - 1, i % columns > 0));
  for (let i = cells.length - 1; i >= 0; i--) {
    const right = next(i, i + 1, (i + 1) % columns > 0);
    depth[i] = Math.min(depth[i], 1 + Math.min(next(i, i + columns, true), right));
  }
  return depth;
}
