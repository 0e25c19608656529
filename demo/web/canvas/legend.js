// The classes of a mask with their shares of the picture; a press shows one of them alone.
import { percent, REST } from "../dom.js";
import { useCounted } from "../hooks.js";
import { html } from "../html.js";
import { CHANGED, REST_INDEX } from "./paint.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../../widgets/values").Mode} Mode */
/** @typedef {{ index: number, name: string, colour?: string, shares: number[] }} Entry */

const COUNTING = 600; // milliseconds
/** @type {Record<number, string>} */
const KINDS = { [REST_INDEX]: "gw-rest", [CHANGED]: "gw-changed" };

/**
 * What the legend lists: what changed, the classes that are shown, the largest first, the rest.
 * @param {CanvasValue} value
 * @returns {Entry[]}
 */
export const entriesOf = ({ classes, rest, sides, changed }) => {
  const last = sides.length - 1;
  const entries = classes
    .map(({ name, colour, shares }, index) => ({ index, name, colour, shares }))
    .filter(({ shares }) => shares.some((share) => share > 0))
    .sort((a, b) => b.shares[last] - a.shares[last]);
  const whole = changed
    ? [{ index: CHANGED, name: "Show only what changed", shares: [changed] }]
    : [];
  const unnamed = rest.some((share) => share > 0)
    ? [{ index: REST_INDEX, name: REST, shares: rest }]
    : [];
  return [...whole, ...entries, ...unnamed];
};

/** Shares of both sides with an arrow between. @param {number[]} shares */
const pairText = ([before, after]) =>
  percent(before) === percent(after)
    ? percent(after)
    : `${percent(before).replace(" %", "")} → ${percent(after)}`;

/**
 * @param {object} props
 * @param {Entry} props.entry
 * @param {Mode} props.mode
 * @param {boolean} props.pressed
 * @param {(index?: number) => void} props.onPeek
 * @param {(index: number) => void} props.onPress
 */
const Row = ({ entry, mode, pressed, onPeek, onPress }) => {
  const { index, name, colour, shares } = entry;
  const share = mode === "before" ? shares[0] : shares[shares.length - 1];
  const counted = useCounted(share, COUNTING);
  const peek = (/** @type {PointerEvent} */ { pointerType }) => {
    if (pointerType !== "touch") onPeek(index);
  };
  const focus = (/** @type {{ currentTarget: Element }} */ { currentTarget }) => {
    if (currentTarget.matches(":focus-visible")) onPeek(index);
  };
  const swatch = colour ? { background: colour } : {};
  const pair = mode === "swipe" && shares.length > 1;
  return html`<li class=${index === CHANGED ? "gw-whole" : ""}>
    <button
      type="button"
      class="gw-entry"
      aria-pressed=${pressed}
      onPointerEnter=${peek}
      onPointerLeave=${() => onPeek()}
      onFocus=${focus}
      onBlur=${() => onPeek()}
      onClick=${() => onPress(index)}
    >
      <span class=${`gw-swatch ${KINDS[index] ?? ""}`} style=${swatch} />
      <bdi class="gw-name">${name}</bdi>
      <span class="gw-percent">${pair ? pairText(shares) : percent(counted)}</span>
    </button>
  </li>`;
};

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {Mode} props.mode
 * @param {number | null} props.isolated
 * @param {(index?: number) => void} props.onPeek an entry is pointed at, or none
 * @param {(index: number) => void} props.onPress
 */
export const Legend = ({ value, mode, isolated, onPeek, onPress }) => {
  const missing = value.classes.filter(({ shares }) => !shares.some((share) => share > 0));
  return html`<ul class=${`gw-legend ${mode === "swipe" ? "gw-pairs" : ""}`}>
      ${entriesOf(value).map(
        (entry) => html`<${Row}
          key=${`${entry.index < 0 ? entry.index : ""} ${entry.name}`}
          entry=${entry}
          mode=${mode}
          pressed=${isolated === entry.index}
          onPeek=${onPeek}
          onPress=${onPress}
        />`,
      )}
    </ul>
    ${
      missing.length > 0 &&
      html`<details class="gw-missing">
        <summary>${missing.length} not found here</summary>
        <p class="gw-note">${missing.map(({ name }) => name).join(", ")}</p>
      </details>`
    }`;
};
