// A small mask over its photo.
import { useLayoutEffect, useRef } from "preact/hooks";
import { hex, pack, pixels } from "../colours.js";
import { html } from "../html.js";
import { drawPicture } from "../resample.js";

/**
 * @param {object} props
 * @param {import("../../widgets/values").MethodsValue} props.value
 * @param {HTMLImageElement} props.image
 * @param {Int32Array} props.labels
 */
export const SmallMask = ({ value, image, labels }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [height, width] = value.shape;
  useLayoutEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    drawPicture(canvas, image, [width, height]);
    const inks = value.colours.map((colour) => pack(...hex(colour)));
    const veil = document.createElement("canvas");
    pixels(veil, width, height, (i) => (labels[i] < 0 ? 0 : inks[labels[i]]));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.globalAlpha = value.opacity;
    context.drawImage(veil, 0, 0);
  }, [value, image, labels]);
  return html`<canvas ref=${ref} width=${width} height=${height} />`;
};
