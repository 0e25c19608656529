// Places that can be pointed at: one patch lights up in all of them; a press pins it, or does what
// the place is for.

import { isPlainKey } from "../dom.js";
import { html } from "../html.js";
import { usePointing } from "../pointing.js";
import { useFrame, usePatch } from "./frame.js";
import { Rect } from "./shapes.js";

/** @typedef {import("./plan.js").Box} Box */

/** Where the patch lies in a zone. @param {{ box: Box, kind: "grid" | "rows" }} props */
const Spot = ({ box, kind }) => {
  const { h, w, m } = useFrame().state;
  const patch = usePatch();
  if (!patch) return null;
  const { row, column, square } = patch;
  const at = `${row},${column}`;
  if (kind === "rows") {
    const high = box.h / m;
    const place = { x: box.x, y: box.y + square * high - 0.5, w: box.w, h: Math.max(high, 1) + 1 };
    return html`<${Rect} box=${place} kind="gm-row" data-patch=${at} />`;
  }
  const [wide, high] = [box.w / w, box.h / h];
  const place = {
    ...{ x: box.x + column * wide - 0.5, y: box.y + row * high - 0.5 },
    ...{ w: wide + 1, h: high + 1 },
  };
  return html`<${Rect} box=${place} kind="gm-spot" data-patch=${at} />`;
};

/**
 * A zone of patches (grid) or of a matrix's rows.
 * @param {object} props
 * @param {Box} props.box
 * @param {"grid" | "rows"} [props.kind]
 * @param {() => void} [props.onPress] in place of pinning the patch
 * @param {(event: KeyboardEvent) => boolean} [props.onKey] whether it took the key
 */
export const Zone = ({ box, kind = "grid", onPress, onKey, ...more }) => {
  const { value, squares } = useFrame().state;
  const ofMatrix = (/** @type {[y: number, x: number]} */ [y]) =>
    squares.patch(Math.floor(y * squares.count));
  const own = { press: onPress, stays: true };
  const pointing = usePointing(value, kind === "rows" ? { ...own, patchAt: ofMatrix } : own);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (isPlainKey(event) && onKey?.(event)) event.preventDefault();
    else pointing.onKeyDown(event);
  };
  return html`<${Rect}
      box=${box}
      kind="gm-zone"
      ...${pointing}
      onKeyDown=${onKeyDown}
      ...${more}
    />
    <${Spot} box=${box} kind=${kind} />`;
};

/** What makes a zone a button. @param {string} label @param {boolean} pressed */
export const asButton = (label, pressed) => ({
  role: "button",
  tabindex: 0,
  "aria-pressed": pressed,
  "aria-label": label,
});
