// A small mask over its photo, or what of it differs from another one.
import { useLayoutEffect, useRef } from "preact/hooks";
import { inksOf, pack, pixels } from "../colours.js";
import { html } from "../html.js";
import { drawPicture } from "../resample.js";
import { opacity } from "../store.js";

const DIM = "grayscale(1) brightness(0.55)";
const UNNAMED = pack(150, 150, 150); // what differs and has no class

/**
 * @param {object} props
 * @param {import("../../widgets/values").MethodsValue} props.value
 * @param {HTMLImageElement} props.image
 * @param {Int32Array} props.labels
 * @param {Int32Array | null} props.base only what differs from these labels is coloured
 */
export const SmallMask = ({ value, image, labels, base }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [height, width] = value.shape;
  const shade = opacity.value;
  useLayoutEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    drawPicture(canvas, image, [width, height]);
    const inkOf = inksOf(value.colours, 255, base ? UNNAMED : 0);
    const veil = document.createElement("canvas");
    pixels(veil, width, height, (i) => (labels[i] === base?.[i] ? 0 : inkOf(labels[i])));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (base) {
      context.filter = DIM;
      context.drawImage(canvas, 0, 0);
      context.filter = "none";
    }
    context.globalAlpha = base ? 1 : shade;
    context.drawImage(veil, 0, 0);
  }, [value, image, labels, base, shade]);
  return html`<canvas ref=${ref} width=${width} height=${height} />`;
};
