// The line between two masks and its handle.
import { arrows, clamp } from "../dom.js";
import { html } from "../html.js";

/**
 * @param {object} props
 * @param {[before: string, after: string]} props.titles
 * @param {number} props.split share of the width that shows the first
 * @param {boolean} props.hidden
 * @param {(split: number) => void} props.onMove
 */
export const Swipe = ({ titles: [before, after], split, hidden, onMove }) => {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const step = arrows[event.key];
    const end = { Home: 0, End: 1 }[event.key];
    const to = step ? split + 0.05 * (step[1] - step[0]) : end;
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
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
