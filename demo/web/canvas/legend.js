// The classes of a mask with their shares of the picture; a press shows one of them alone.
import { useState } from "preact/hooks";
import { percent } from "../dom.js";
import { useHost } from "../gradio.js";
import { useCounted } from "../hooks.js";
import { html } from "../html.js";
import { REST, REST_INDEX } from "../rest.js";
import { CutOut } from "./cut-out.js";
import { CHANGED } from "./paint.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../../widgets/values").Mode} Mode */
/** @typedef {{ index: number, name: string, colour?: string, shares: number[],
 *   cutout?: string }} Entry */

const COUNTING = 600; // milliseconds
/** @type {Record<number, string>} */
const KINDS = { [REST_INDEX]: "gw-rest", [CHANGED]: "gw-changed" };

/**
 * What the legend lists: what changed, the classes that are shown, the largest first, the rest,
 * also without a pixel where the background is on.
 * @param {CanvasValue} value
 * @returns {Entry[]}
 */
export const entriesOf = ({ classes, rest, background, sides, changed }) => {
  const last = sides.length - 1;
  const entries = classes
    .map(({ name, colour, shares, cutout }, index) => ({ index, name, colour, shares, cutout }))
    .filter(({ shares }) => shares.some((share) => share > 0))
    .sort((a, b) => b.shares[last] - a.shares[last]);
  const whole = changed
    ? [{ index: CHANGED, name: "Show only what changed", shares: [changed] }]
    : [];
  const unnamed =
    background || rest.some((share) => share > 0)
      ? [{ index: REST_INDEX, name: REST, shares: rest }]
      : [];
  return [...whole, ...entries, ...unnamed];
};

/** Names an entry, also in another value of the canvas. @param {Entry} entry */
export const keyOf = ({ index, name }) => `${index < 0 ? index : ""} ${name}`;

/** Shares of both sides with an arrow between. @param {number[]} shares */
const pairText = ([before, after]) =>
  percent(before) === percent(after)
    ? percent(after)
    : `${percent(before).replace(" %", "")} → ${percent(after)}`;

/** Beside the background, where it is on. */
const SwitchOff = () => {
  const { trigger } = useHost();
  const press = () => trigger("backgroundOff");
  return html`<button
    type="button"
    class="gw-link gw-aside"
    aria-label="Switch the background off"
    onClick=${press}
  >
    Switch off
  </button>`;
};

/**
 * @param {object} props
 * @param {Entry} props.entry
 * @param {Mode} props.mode
 * @param {boolean} props.pressed
 * @param {boolean} props.switched it is the background, and can be switched off
 * @param {(entry: Entry | null) => void} props.onPeek
 * @param {(entry: Entry) => void} props.onPress
 * @param {() => void} props.onCut
 */
const Row = ({ entry, mode, pressed, switched, onPeek, onPress, onCut }) => {
  const { index, name, colour, shares, cutout } = entry;
  const share = mode === "before" ? shares[0] : shares[shares.length - 1];
  const counted = useCounted(share, COUNTING);
  const peek = (/** @type {PointerEvent} */ { pointerType }) => {
    if (pointerType !== "touch") onPeek(entry);
  };
  const focus = (/** @type {{ currentTarget: Element }} */ { currentTarget }) => {
    if (currentTarget.matches(":focus-visible")) onPeek(entry);
  };
  const swatch = colour ? { background: colour } : {};
  const pair = mode === "swipe" && shares.length > 1;
  return html`<li class=${switched || cutout ? "gw-with-aside" : ""}>
    <button
      type="button"
      class="gw-entry"
      aria-pressed=${pressed}
      onPointerEnter=${peek}
      onPointerLeave=${() => onPeek(null)}
      onFocus=${focus}
      onBlur=${() => onPeek(null)}
      onClick=${() => onPress(entry)}
    >
      <span class=${`gw-swatch ${KINDS[index] ?? ""}`} style=${swatch} />
      <bdi class="gw-name">${name}</bdi>
      <span class="gw-percent">${pair ? pairText(shares) : percent(counted)}</span>
    </button>
    ${switched && html`<${SwitchOff} />`}
    ${
      cutout &&
      html`<button
        type="button"
        class="gw-link gw-aside"
        aria-label=${`Cut out ${name}`}
        onClick=${onCut}
      >
        Cut out
      </button>`
    }
  </li>`;
};

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {Mode} props.mode
 * @param {number | null} props.isolated
 * @param {(entry: Entry | null) => void} props.onPeek an entry is pointed at, or none
 * @param {(entry: Entry) => void} props.onPress
 */
export const Legend = ({ value, mode, isolated, onPeek, onPress }) => {
  const [cut, setCut] = useState("");
  const cutting = value.classes.find(({ name, cutout }) => cutout && name === cut);
  const missing = value.classes.filter(({ shares }) => !shares.some((share) => share > 0));
  const row = (/** @type {Entry} */ entry) => html`<${Row}
    key=${keyOf(entry)}
    entry=${entry}
    mode=${mode}
    pressed=${isolated === entry.index}
    switched=${value.background && entry.index === REST_INDEX}
    onPeek=${onPeek}
    onPress=${onPress}
    onCut=${() => setCut(entry.name)}
  />`;
  const entries = entriesOf(value);
  const whole = entries.filter(({ index }) => index === CHANGED);
  const words = entries.filter(({ index }) => index !== CHANGED);
  return html`${whole.length > 0 && html`<ul class="gw-whole">${whole.map(row)}</ul>`}
    <ul class=${`gw-legend ${mode === "swipe" ? "gw-pairs" : ""}`}>${words.map(row)}</ul>
    ${
      cutting &&
      html`<${CutOut}
        key=${cutting.cutout}
        name=${cutting.name}
        blob=${cutting.cutout}
        size=${value.size}
        onClose=${() => setCut("")}
      />`
    }
    ${
      missing.length > 0 &&
      html`<details class="gw-missing">
        <summary>${missing.length} not found here</summary>
        <p class="gw-note">
          ${missing.map(({ name }, k) => html`${k > 0 && ", "}<bdi key=${name}>${name}</bdi>`)}
        </p>
      </details>`
    }`;
};
