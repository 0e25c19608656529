// Places that can be pointed at: one patch lights up in all of them; a press pins it, or does what
// the place is for.
import { placeIn } from "../dom.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { squaresOf } from "../squares.js";
import { patchOn, point, pointed } from "../store.js";
import { useFrame, usePatch } from "./frame.js";
import { Rect } from "./shapes.js";

/** @typedef {import("./plan.js").Box} Box */
/** @typedef {[row: number, column: number]} Place */

/** Pointing at patches of the machine's picture. */
export const usePointing = () => {
  const { id } = useHost();
  const { value } = useFrame().state;
  const isPinned = () => Boolean(patchOn(value) && pointed.value?.pinned);
  const isHere = (/** @type {Place} */ patch) => String(patch) === String(patchOn(value));
  const [rows, columns] = value.grid;
  return {
    isPinned,
    /** The patch that is pointed at, else the middle one. @returns {Place} */
    at: () => patchOn(value) ?? [rows >> 1, columns >> 1],
    move: (/** @type {Place} */ patch) => {
      if (!isPinned() && !isHere(patch)) point(id, value.picture, patch);
    },
    go: (/** @type {Place} */ patch) => point(id, value.picture, patch, { pinned: isPinned() }),
    pin: (/** @type {Place} */ patch) =>
      point(id, value.picture, patch, { pinned: !(isPinned() && isHere(patch)) }),
    leave: () => point(id, value.picture, null),
  };
};

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
  const { state } = useFrame();
  const { isPinned, at, move, pin, leave } = usePointing();
  const { h, w, m, value } = state;
  const squares = squaresOf({ grid: value.grid, pooled: value.square });
  /** @param {PointerEvent & { currentTarget: Element }} event @returns {Place} */
  const patchAt = (event) => {
    const [y, x] = placeIn(event.currentTarget, event);
    if (kind === "grid") return [Math.floor(y * h), Math.floor(x * w)];
    const [row, column] = squares.middle(Math.floor(y * m));
    return [Math.floor(row), Math.floor(column)];
  };
  const press = (/** @type {Place} */ patch) => (onPress ? onPress() : pin(patch));
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (onKey?.(event)) {
      // taken
    } else if (event.key === "Enter" || event.key === " ") press(at());
    else if (event.key === "Escape" && (isPinned() || patchOn(value))) leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const hover = (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
    if (event.pointerType !== "touch") move(patchAt(event));
  };
  const click = (/** @type {PointerEvent & { currentTarget: Element }} */ event) =>
    press(patchAt(event));
  return html`<${Rect}
      box=${box}
      kind="gm-zone"
      onPointerMove=${hover}
      onClick=${click}
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
