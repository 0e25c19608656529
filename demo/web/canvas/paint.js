// A mask on a canvas: a colour for each label, and outlines.
import { inksOf, pack } from "../colours.js";
import { clamp, pixelRatio } from "../dom.js";

const HIDDEN = -2; // the label of what is left as photo
export const CHANGED = -3; // shown alone: the pixels where two masks differ

/**
 * Labels of which those left out are HIDDEN.
 * @param {Int32Array} labels
 * @param {Int32Array | undefined} other labels of the other side, for CHANGED
 * @param {number} only the label that is shown, or CHANGED
 */
export const shownAlone = (labels, other, only) =>
  labels.map((label, i) => {
    const seen = only === CHANGED ? label !== other?.[i] : label === only;
    return seen ? label : HIDDEN;
  });

/**
 * The step to the label under every pixel of the screen along one axis, `by` pixels on.
 * @param {number} size labels along the axis
 * @param {number} length pixels along the axis
 * @param {number} step between two labels
 * @param {number} by
 */
const steps = (size, length, step, by) =>
  Int32Array.from({ length }, (_, at) => {
    const place = ((clamp(at + by, 0, length - 1) + 0.5) * size) / length;
    return Math.floor(place) * step;
  });

/** @param {number} opacity @param {boolean} alone */
const edgesOf = (opacity, alone) => {
  const white = pack(255, 255, 255, 235);
  return {
    alpha: 255 * (alone ? Math.max(opacity, 0.75) : opacity),
    white,
    halo: alone ? white : pack(20, 22, 28, 150),
    stripes: [pack(190, 190, 190, 235), pack(190, 190, 190, 60)],
  };
};

/**
 * Paints labels (h, w) at the canvas's size on the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {object} mask
 * @param {Int32Array} mask.labels
 * @param {[h: number, w: number]} mask.shape
 * @param {{ colour: string }[]} mask.classes
 * @param {number} mask.opacity
 * @param {boolean} mask.alone all others are HIDDEN
 */
export const paintMask = (canvas, { labels, shape: [h, w], classes, opacity, alone }) => {
  const ratio = pixelRatio();
  const [W, H] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
  if (!W || !H) return null;
  canvas.width = W;
  canvas.height = H;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const out = context.createImageData(W, H);
  const ink = new Uint32Array(out.data.buffer);
  const { alpha, white, halo, stripes } = edgesOf(opacity, alone);
  const shadeOf = inksOf(
    classes.map(({ colour }) => colour),
    alpha,
  );
  const t = Math.max(1, Math.round(ratio));
  // What has no label, as in the legend.
  const stripe = (/** @type {number} */ at) => stripes[at % (6 * t) < 3 * t ? 0 : 1];
  // The label's row and column under every pixel of the screen, and t pixels before and after.
  const [ys, up, down] = [0, -t, t].map((by) => steps(h, H, w, by));
  const [xs, left, right] = [0, -t, t].map((by) => steps(w, W, 1, by));
  for (let Y = 0, at = 0; Y < H; Y++) {
    for (let X = 0; X < W; X++, at++) {
      const label = labels[ys[Y] + xs[X]];
      // What is shown alone may be thin: its outline is around it.
      if (alone && label !== HIDDEN) ink[at] = shadeOf(label) || stripe(X + Y);
      else if (labels[up[Y] + xs[X]] !== label || labels[ys[Y] + left[X]] !== label) {
        ink[at] = white;
      } else if (labels[down[Y] + xs[X]] !== label || labels[ys[Y] + right[X]] !== label) {
        ink[at] = halo;
      } else ink[at] = shadeOf(label);
    }
  }
  context.putImageData(out, 0, 0);
  return { context, W, H, ratio };
};
