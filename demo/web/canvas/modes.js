// One side of two, the other, or both to swipe between; each button names what it shows.
import { html } from "../html.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../../widgets/values").Mode} Mode */
/** @typedef {import("../../widgets/values").Side} Side */

const MODES = /** @type {Mode[]} */ (["before", "after", "swipe"]);

/** @param {{ sides: Side[], mode: Mode, onChoose: (mode: Mode) => void }} props */
export const Modes = ({ sides: [before, after], mode, onChoose }) => {
  const names = { before: before.title, after: after.title, swipe: "Swipe" };
  return html`<div class="gw-modes" role="group" aria-label="What the canvas shows">
    ${MODES.map(
      (name) => html`<button
        key=${name}
        type="button"
        class="gw-button"
        data-mode=${name}
        aria-pressed=${name === mode}
        onClick=${() => onChoose(name)}
      >
        <${Prose} text=${names[name]} />
      </button>`,
    )}
  </div>`;
};
