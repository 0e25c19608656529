// Before, after, or both to swipe between.
import { html } from "../html.js";

/** @typedef {import("../../widgets/values").Mode} Mode */

const MODES = /** @type {Mode[]} */ (["before", "after", "swipe"]);

/** @param {{ mode: Mode, onChoose: (mode: Mode) => void }} props */
export const Modes = ({ mode, onChoose }) => html`<div
  class="gw-modes"
  role="group"
  aria-label="What the canvas shows"
>
  ${MODES.map(
    (name) => html`<button
      key=${name}
      type="button"
      class="gw-button"
      data-mode=${name}
      aria-pressed=${name === mode}
      onClick=${() => onChoose(name)}
    >
      ${name}
    </button>`,
  )}
</div>`;
