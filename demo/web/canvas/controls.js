// What a visitor sets on the canvas, and the scores of what is set.

import { arrows, clamp, isPlainKey } from "../dom.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { keep } from "../page/address.js";
import { opacity } from "../store.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../../widgets/values").Mode} Mode */
/** @typedef {import("../../widgets/values").Side} Side */

const MODES = /** @type {Mode[]} */ (["before", "after", "swipe"]);

/**
 * One side of two, the other, or both to swipe between; each button names what it shows.
 * @param {{ sides: Side[], mode: Mode, onChoose: (mode: Mode) => void }} props
 */
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

/**
 * The line between two masks and its handle.
 * @param {object} props
 * @param {[before: string, after: string]} props.titles
 * @param {number} props.split share of the width that shows the first
 * @param {boolean} props.hidden
 * @param {(split: number) => void} props.onMove
 */
export const Swipe = ({ titles: [before, after], split, hidden, onMove }) => {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (!isPlainKey(event)) return;
    const step = arrows[event.key];
    const end = { Home: 0, End: 1 }[event.key];
    const to = step ? split + 0.05 * (step[1] - step[0]) : end;
    if (to === undefined) return;
    event.preventDefault();
    onMove(clamp(to, 0, 1));
  };
  const style = { left: `${100 * split}%` };
  const part = Math.round(100 * split);
  return html`<span class="gw-edge" style=${style} hidden=${hidden} />
    <span
      class="gw-handle"
      style=${style}
      hidden=${hidden}
      tabindex="0"
      role="slider"
      aria-label=${`Swipe between ${before} and ${after}`}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${part}
      aria-valuetext=${`${part} % ${before}`}
      onKeyDown=${onKeyDown}
    />`;
};

/** The slider of all masks' opacity. */
export const Opacity = () => {
  const { trigger } = useHost();
  const part = Math.round(100 * opacity.value);
  const slide = (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => {
    opacity.value = Number(currentTarget.value) / 100;
    keep("opacity", String(opacity.value));
  };
  const done = () => trigger("opacity", { index: 0, value: opacity.value });
  return html`<label class="gw-bar">
    <span>Opacity</span>
    <input type="range" min="0" max="100" value=${part} onInput=${slide} onChange=${done} />
    <span class="gw-percent">${part} %</span>
  </label>`;
};

/**
 * A score under every setting of the switches, as bars; the one that is shown is marked.
 * @param {{ bars: import("../../widgets/values").SwitchBars }} props
 */
export const Bars = ({
  bars: { title, entries },
}) => html`<p class="gw-caption"><${Prose} text=${title} /></p>
  <dl class="gw-bars" aria-label=${title}>
  ${entries.map(
    ({ name, score, text, now }) => html`<div key=${name} class=${now ? "gw-now" : ""}>
      <dt>${name}</dt>
      <dd>
        <span class="gw-meter"><span style=${{ width: `${100 * score}%` }} /></span>
        <span class="gw-percent">${text}</span>
      </dd>
    </div>`,
  )}
</dl>`;
