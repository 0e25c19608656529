// Pointing at the canvas: a press asks why the pixel has its word, a drag swipes between two masks.
import { useRef } from "preact/hooks";
import { placeIn } from "../dom.js";
import { useHost } from "../gradio.js";
import { placeOf, point, usePointing } from "../pointing.js";
import { reasons } from "../store.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../squares.js").Patch} Patch */
/** @typedef {import("../pointing.js").Place} Place */

const DRAG = 6; // pixels before a press is a drag

/** Pins a patch and asks why a pixel has its word. @param {CanvasValue} value */
const useAsk = ({ picture, grid, size }) => {
  const { id, trigger } = useHost();
  return (/** @type {Patch} */ patch, /** @type {Place} */ place = placeOf(grid)(patch)) => {
    const [row, column] = place.map((share, axis) => Math.floor(share * size[axis]));
    reasons.value = null;
    point(id, picture, place, { pinned: true, pixel: [row, column] });
    trigger("select", { index: [row, column], value: [row, column] });
  };
};

/**
 * The handlers of the stage.
 * @param {object} canvas
 * @param {CanvasValue} canvas.value
 * @param {boolean} canvas.swipes a drag moves the line between two masks
 * @param {(split: number) => void} canvas.onSwipe
 * @param {() => void} canvas.onRelease the end of a drag
 */
export const useGestures = ({ value, swipes, onSwipe, onRelease }) => {
  const pointing = usePointing(value, { pin: useAsk(value) });
  const drag = useRef({ from: /** @type {number | null} */ (null), moved: false });
  const release = () => {
    drag.current.from = null;
    if (drag.current.moved) onRelease();
  };
  return {
    ...pointing,
    onPointerDown: (/** @type {PointerEvent} */ event) => {
      drag.current = { from: event.clientX, moved: false };
    },
    onPointerMove: (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
      const { from, moved } = drag.current;
      const drags = swipes && from !== null && event.buttons > 0;
      if (drags && (moved || Math.abs(event.clientX - from) > DRAG)) {
        if (!moved) event.currentTarget.setPointerCapture(event.pointerId);
        drag.current.moved = true;
        onSwipe(placeIn(event.currentTarget, event)[1]);
      } else pointing.onPointerMove(event);
    },
    onPointerUp: release,
    onPointerCancel: release,
    onClick: (/** @type {PointerEvent & { currentTarget: Element, target: Element }} */ event) => {
      if (!drag.current.moved && !event.target.closest(".gw-handle")) pointing.onClick(event);
    },
  };
};
