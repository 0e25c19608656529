// A photo at the size of the screen's pixels.
import { useLayoutEffect, useRef } from "preact/hooks";
import { pixelRatio } from "./dom.js";
import { useWidth } from "./hooks.js";
import { html } from "./html.js";
import { drawPicture } from "./resample.js";

/** @param {{ image: HTMLImageElement, className?: string }} props */
export const Picture = ({ image, className = "" }) => {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const width = useWidth(canvas);
  useLayoutEffect(() => {
    const node = canvas.current;
    if (!node) return;
    const scaled = (/** @type {number} */ side) => Math.round(side * pixelRatio());
    drawPicture(node, image, [scaled(node.clientWidth), scaled(node.clientHeight)]);
  }, [image, width]);
  return html`<canvas ref=${canvas} class=${`gw-picture ${className}`} aria-hidden="true" />`;
};
