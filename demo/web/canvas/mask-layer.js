// One mask over the photo, with the names of its regions; a new mask fades in over the old one.
import { useLayoutEffect, useRef } from "preact/hooks";
import { isEqual, still } from "../dom.js";
import { html } from "../html.js";
import { opacity } from "../store.js";
import { pointOf, writeNames } from "./names.js";
import { paintMask, shownAlone } from "./paint.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {[from: number, to: number]} Range */

const FADE = 450; // milliseconds

/**
 * What names are written: the classes that side k shows, the largest first.
 * @param {CanvasValue} value
 * @param {{ k: number, labels: Int32Array, only: number | null, range: Range, W: number,
 *   H: number }} mask
 */
const namesOf = (value, { k, labels, only, range: [from, to], W, H }) =>
  value.classes
    .map(({ name, colour, ink, shares, places }, index) => {
      const place = places[k];
      if (!place || (only !== null && only !== index)) return null;
      const [row, column, radius] = place;
      const named = { text: name, colour, ink, room: radius * H, share: shares[k] };
      const [x, y] = [column * H, row * H];
      if (x > from * W && x < to * W) return { ...named, x, y };
      const point = pointOf(labels, value.shape, index, from, to);
      return point && { ...named, x: point[1] * W, y: point[0] * H };
    })
    .filter((name) => name !== null)
    .sort((a, b) => b.share - a.share);

/** The old mask fades while the new one appears. @param {HTMLCanvasElement} canvas */
const fade = (canvas) => {
  const ghost = document.createElement("canvas");
  ghost.className = "gw-ghost";
  Object.assign(ghost, { width: canvas.width, height: canvas.height });
  ghost.getContext("2d")?.drawImage(canvas, 0, 0);
  canvas.after(ghost);
  const options = { duration: FADE, easing: "ease-in-out" };
  const ended = ghost.animate([{ opacity: 1 }, { opacity: 0 }], options).finished;
  ended.finally(() => ghost.remove());
  canvas.animate([{ opacity: 0 }, { opacity: 1 }], options);
};

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {Int32Array[]} props.labels of all sides
 * @param {number} props.k the side
 * @param {number | null} props.only the label that is shown alone
 * @param {Range} props.range columns in which names are written, as shares of the width
 * @param {boolean} props.seen
 * @param {string} props.clip
 * @param {number} props.width of the stage
 * @param {() => number} props.topOf lower edge of what lies over the mask's top
 */
export const MaskLayer = ({ value, labels, k, only, range, seen, clip, width, topOf }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const last = useRef(/** @type {{ picture: string, labels: Int32Array } | null} */ (null));
  const own = labels[k];
  const [from, to] = range;
  const shade = opacity.value;
  useLayoutEffect(() => {
    const canvas = ref.current;
    if (!seen || !canvas) return;
    const old = last.current;
    last.current = { picture: value.picture, labels: own };
    const again = old?.picture === value.picture && !isEqual(old.labels, own);
    if (again && canvas.width && !still()) fade(canvas);
    const alone = only !== null;
    const shown = alone ? shownAlone(own, labels[1 - k], only) : own;
    const { shape, classes } = value;
    const painted = paintMask(canvas, { labels: shown, shape, classes, opacity: shade, alone });
    if (!painted) return;
    const { context, W, H, ratio } = painted;
    const names = namesOf(value, { k, labels: own, only, range, W, H });
    const { fontFamily } = getComputedStyle(canvas);
    writeNames(context, names, fontFamily, [from * W, to * W, ratio * topOf(), H], ratio);
  }, [value, own, only, shade, width, seen, from, to]);
  const style = clip ? { clipPath: clip } : {};
  return html`<canvas ref=${ref} class=${`gw-mask ${seen ? "" : "gw-off"}`} style=${style} />`;
};
