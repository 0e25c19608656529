// The largest region that changed, magnified, before and after.
import { computed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { inksOf, pack, pixels } from "../colours.js";
import { pixelRatio } from "../dom.js";
import { useWidth } from "../hooks.js";
import { html } from "../html.js";
import { pinnedOn } from "../pointing.js";
import { opacity } from "../store.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */

const FAINT = 90; // of what did not change
const UNNAMED = pack(150, 150, 150); // what changed and has no word now

/**
 * A mask's colours at its own size, faint where it did not change.
 * @param {CanvasValue} value
 * @param {Int32Array} labels
 * @param {Int32Array} other
 */
const coloured = ({ shape: [h, w], classes }, labels, other) => {
  const canvas = document.createElement("canvas");
  const colours = classes.map(({ colour }) => colour);
  const [changed, same] = [inksOf(colours, 255, UNNAMED), inksOf(colours, FAINT)];
  pixels(canvas, w, h, (i) => (labels[i] === other[i] ? same : changed)(labels[i]));
  return canvas;
};

/**
 * @param {{ value: CanvasValue, image: HTMLImageElement, labels: Int32Array[], k: number }} props
 */
const Crop = ({ value, image, labels, k }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const width = useWidth(ref);
  const [top, left, bottom, right] = value.region ?? [0, 0, 1, 1];
  const [tall, wide] = [(bottom - top) * value.size[0], (right - left) * value.size[1]];
  const { title } = value.sides[k];
  useLayoutEffect(() => {
    const canvas = ref.current;
    if (!canvas || !width) return;
    canvas.width = Math.round(width * pixelRatio());
    canvas.height = Math.round((canvas.width * tall) / wide);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const draw = (/** @type {HTMLImageElement | HTMLCanvasElement} */ source) => {
      const [w, h] = [source.width, source.height];
      const part = /** @type {const} */ ([
        left * w,
        top * h,
        (right - left) * w,
        (bottom - top) * h,
      ]);
      context.drawImage(source, ...part, 0, 0, canvas.width, canvas.height);
    };
    context.imageSmoothingQuality = "high";
    draw(image);
    context.globalAlpha = Math.max(opacity.value, 0.6);
    context.imageSmoothingEnabled = false;
    draw(coloured(value, labels[k], labels[1 - k]));
  }, [value, labels, width, opacity.value]);
  return html`<figure>
    <canvas
      ref=${ref}
      role="img"
      aria-label=${`${title}, the largest region that changed`}
      style=${{ aspectRatio: `${wide} / ${tall}` }}
    />
    <figcaption class="gw-caption"><${Prose} text=${title} /></figcaption>
  </figure>`;
};

/**
 * Nothing while a patch is pinned: why it has its word takes the place of what changed.
 * @param {{ value: CanvasValue, loaded: { image: HTMLImageElement, labels: Int32Array[] } }} props
 */
export const Region = ({ value, loaded: { image, labels } }) => {
  const isPinned = useMemo(() => computed(() => Boolean(pinnedOn(value))), [value]);
  return html`<div class="gw-region" hidden=${isPinned.value}>
    ${value.sides.map(
      ({ title }, k) =>
        html`<${Crop} key=${title} value=${value} image=${image} labels=${labels} k=${k} />`,
    )}
  </div>`;
};
