// Pointing at the canvas: a patch lights up, a press asks why it has its word, a drag swipes.
import { useRef } from "preact/hooks";
import { arrows, clamp, placeIn } from "../dom.js";
import { useHost } from "../gradio.js";
import { leave, patchOn, point, pointed, reasons } from "../store.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {[row: number, column: number]} Place */

const DRAG = 6; // pixels before a press is a drag

/**
 * The patch at a place (shares of height and width).
 * @param {CanvasValue} value
 * @param {Place} place
 * @returns {Place}
 */
export const patchAt = ({ grid: [rows, columns] }, [y, x]) => [
  Math.floor(y * rows),
  Math.floor(x * columns),
];

/** Asks why a patch has its word. @param {CanvasValue} value */
const useAsk = (value) => {
  const { id, trigger } = useHost();
  return (/** @type {Place} */ patch, /** @type {Place | null} */ place = null) => {
    const [rows, columns] = value.grid;
    const [y, x] = place ?? [(patch[0] + 0.5) / rows, (patch[1] + 0.5) / columns];
    const pixel = [Math.floor(y * value.size[0]), Math.floor(x * value.size[1])];
    reasons.value = null;
    point(id, value.picture, patch, { pinned: true, asked: true });
    trigger("select", { index: pixel, value: pixel });
  };
};

/**
 * The handlers of the stage.
 * @param {object} canvas
 * @param {CanvasValue} canvas.value
 * @param {boolean} canvas.swipes a drag moves the line between two masks
 * @param {(split: number) => void} canvas.onSwipe
 * @param {() => void} canvas.onRelease the end of a drag
 * @param {() => void} canvas.onAsk a patch was pressed
 * @param {(byKey: boolean) => void} canvas.onInput whether keys or a pointer move
 */
export const usePointing = ({ value, swipes, onSwipe, onRelease, onAsk, onInput }) => {
  const { id } = useHost();
  const ask = useAsk(value);
  const drag = useRef({ from: /** @type {number | null} */ (null), moved: false });
  const isPinned = () => Boolean(patchOn(value) && pointed.value?.pinned);
  const move = (/** @type {Place | null} */ patch) => {
    if (String(patch) !== String(patchOn(value))) point(id, value.picture, patch);
  };
  const press = (/** @type {Place} */ patch, /** @type {Place | null} */ place = null) => {
    ask(patch, place);
    onAsk();
  };
  const release = () => {
    drag.current.from = null;
    if (drag.current.moved) onRelease();
  };
  return {
    onPointerDown: (/** @type {PointerEvent} */ event) => {
      drag.current = { from: event.clientX, moved: false };
      onInput(false);
    },
    onPointerMove: (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
      const { from, moved } = drag.current;
      const place = placeIn(event.currentTarget, event);
      const drags = swipes && from !== null && event.buttons > 0;
      if (drags && (moved || Math.abs(event.clientX - from) > DRAG)) {
        if (!moved) event.currentTarget.setPointerCapture(event.pointerId);
        drag.current.moved = true;
        onSwipe(place[1]);
      } else if (event.pointerType !== "touch" && !isPinned()) {
        onInput(false);
        move(patchAt(value, place));
      }
    },
    onPointerUp: release,
    onPointerCancel: release,
    onPointerLeave: () => isPinned() || move(null),
    onClick: (/** @type {MouseEvent & { currentTarget: Element, target: Element }} */ event) => {
      if (drag.current.moved || event.target.closest(".gw-handle")) return;
      const place = placeIn(event.currentTarget, event);
      const patch = patchAt(value, place);
      if (isPinned() && String(patch) === String(patchOn(value))) leave();
      else press(patch, place);
    },
    onKeyDown: (/** @type {KeyboardEvent} */ event) => {
      const step = arrows[event.key];
      const [rows, columns] = value.grid;
      const now = patchOn(value);
      const middle = /** @type {Place} */ ([rows >> 1, columns >> 1]);
      if (step) {
        onInput(true);
        const [row, column] = now ?? [middle[0] - step[0], middle[1] - step[1]];
        move([clamp(row + step[0], 0, rows - 1), clamp(column + step[1], 0, columns - 1)]);
      } else if (event.key === "Enter" || event.key === " ") press(now ?? middle);
      else return;
      event.preventDefault();
    },
  };
};
