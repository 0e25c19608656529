// Beside the pointer the words that match its patch best, and where the patch is.
import { placeName } from "../dom.js";
import { html } from "../html.js";
import { patchOn } from "../pointing.js";

/** @typedef {{ name: string, colour: string, part: number, cosine: number }} Match */

/**
 * @param {object} props
 * @param {import("../../widgets/values").CanvasValue} props.value
 * @param {import("./sides.js").SideAtPatch} props.side
 */
export const BestWords = ({ value, side }) => {
  const patch = patchOn(value);
  const matches = side.value?.matches ?? [];
  if (!patch || !matches.length) return null;
  const [y, x] = patch.map((at, axis) => (at + 0.5) / value.grid[axis]);
  const style = { left: `${100 * x}%`, top: `${100 * y}%` };
  const where = `${x > 0.5 ? "gw-left" : ""} ${y > 0.6 ? "gw-up" : ""}`;
  return html`<div class=${`gw-tip ${where}`} style=${style}>
    ${matches.map(({ name, colour, part }, k) => {
      const bar = { width: `${Math.max(3, 100 * part)}%`, background: colour };
      return html`<div class="gw-best" key=${k}><span style=${bar} /><bdi>${name}</bdi></div>`;
    })}
    <div class="gw-where">${placeName(...patch)}</div>
  </div>`;
};
