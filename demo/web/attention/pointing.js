// Pointing at the maps: a hover moves, a press or Enter pins.
import { arrows, placeIn } from "../dom.js";
import { useHost } from "../gradio.js";
import { point } from "../store.js";

/**
 * Handlers of every map.
 * @param {import("../../widgets/values").AttentionValue} value
 * @param {{ square: number, pinned: boolean, asMatrix: boolean }} now
 */
export const usePointing = (value, { square, pinned, asMatrix }) => {
  const { id, trigger } = useHost();
  const [height, width] = value.grid;
  /** @param {number} i @returns {[number, number]} */
  const patchOf = (i) => [Math.floor(i / width) * value.pooled, (i % width) * value.pooled];
  const move = (/** @type {number} */ i, pin = pinned) =>
    point(id, value.picture, patchOf(i), { pinned: pin });
  const tell = (/** @type {number} */ i) =>
    trigger("select", { index: patchOf(i), value: patchOf(i) });
  const squareAt = (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
    const [y, x] = placeIn(event.currentTarget, event);
    if (asMatrix) return Math.floor(y * height * width);
    return Math.floor(y * height) * width + Math.floor(x * width);
  };
  return {
    onPointerMove: (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
      const i = squareAt(event);
      if (!pinned && event.pointerType !== "touch" && i !== square) move(i);
    },
    onPointerLeave: (/** @type {PointerEvent} */ { pointerType }) => {
      if (!pinned && pointerType !== "touch") point(id, value.picture, null);
    },
    onClick: (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
      const i = squareAt(event);
      move(i, event.pointerType === "touch" || !pinned || i !== square);
      tell(i);
    },
    onKeyDown: (/** @type {KeyboardEvent} */ event) => {
      const step = arrows[event.key];
      if (step) {
        const [row, column] = [Math.floor(square / width) + step[0], (square % width) + step[1]];
        const within = row >= 0 && row < height && column >= 0 && column < width;
        if (within) move(row * width + column);
      } else if (event.key === "Enter" || event.key === " ") {
        move(square, !pinned);
        tell(square);
      } else if (event.key === "Escape") move(square, false);
      else return;
      event.preventDefault();
    },
  };
};
