// Beside the pointer the words race that match its patch best.
import { html } from "../html.js";
import { patchOn } from "../store.js";

/** @typedef {{ name: string, colour: string, share: number, cosine: number }} Match */

/**
 * @param {object} props
 * @param {import("../../widgets/values").CanvasValue} props.value
 * @param {(patch: [number, number]) => Match[]} props.matchesAt
 */
export const Race = ({ value, matchesAt }) => {
  const patch = patchOn(value);
  const matches = patch ? matchesAt(patch) : [];
  const [y, x] = (patch ?? [0, 0]).map((at, axis) => (at + 0.5) / value.grid[axis]);
  const style = { left: `${100 * x}%`, top: `${100 * y}%` };
  const side = `${x > 0.5 ? "gw-left" : ""} ${y > 0.6 ? "gw-up" : ""}`;
  return html`<div class=${`gw-tip ${side}`} style=${style} hidden=${!matches.length}>
    ${matches.map(({ name, colour, share }, k) => {
      const bar = { width: `${Math.max(3, 100 * share)}%`, background: colour };
      return html`<div class="gw-runner" key=${k}><span style=${bar} /><bdi>${name}</bdi></div>`;
    })}
  </div>`;
};
