// The card of a mask: the picture with its mask as the method is switched, why a patch has its
// word, and the classes with their shares.
import { useLayoutEffect, useState } from "preact/hooks";
import { fetchPicture, labelsOf } from "../blobs.js";
import { byPointer, percent } from "../dom.js";
import { Failed } from "../failed.js";
import { html } from "../html.js";
import { WORDS } from "../page/words.js";
import { leave, pinnedOn, placeOf, point } from "../pointing.js";
import { Simulation } from "../simulation.js";
import { giveOpacity, isolate, isolated, isolatedIn } from "../store.js";
import { Prose } from "../terms/prose.js";
import { Bars, Modes, Opacity } from "./controls.js";
import { entriesOf, keyOf, Legend } from "./legend.js";
import { CHANGED } from "./paint.js";
import { Reason } from "./reason.js";
import { Region } from "./region.js";
import { useSideAtPatch } from "./sides.js";
import { SideName, Stage } from "./stage.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../../widgets/values").Mode} Mode */

/** How to point, by what there is to point with. @param {CanvasValue} value */
const hintOf = ({ sides }) => {
  const { touch, mouse, swipe } = WORDS.pointing;
  const how = byPointer(mouse, touch);
  return sides.length > 1 ? `${how} ${swipe}` : how;
};

const KEYS = "Arrow keys move over the patches, Enter asks why, Escape ends it.";

/**
 * What of two masks is shown. A new simulation and its repair are swiped between, until it ends.
 * @param {CanvasValue} value
 */
const useMode = (value) => {
  const simulated = Boolean(value.simulated);
  const [state, setState] = useState({ mode: /** @type {Mode | null} */ (null), simulated });
  let { mode } = state;
  if (simulated !== state.simulated) {
    mode = simulated && value.changed ? "swipe" : null;
    setState({ mode, simulated });
  }
  const choose = (/** @type {Mode} */ chosen) => setState({ mode: chosen, simulated });
  const shown = value.sides.length > 1 ? (mode ?? value.mode) : "after";
  return /** @type {const} */ ([shown, choose]);
};

/**
 * What is shown alone: the word that is isolated on the page, or what changed here.
 * @param {CanvasValue} value
 */
const useIsolated = (value) => {
  const [changes, setChanges] = useState(false);
  const [peeked, setPeeked] = useState(/** @type {string | null} */ (null));
  const entries = entriesOf(value);
  // By its key: a new value may have the same word at another index.
  const peekedEntry = entries.find((entry) => keyOf(entry) === peeked);
  const index = changes && value.changed ? CHANGED : isolatedIn(entries);
  useLayoutEffect(() => {
    if (isolatedIn(entries) === null && !value.compact) isolated.value = null;
    if (!peekedEntry) setPeeked(null);
  }, [value]);
  const press = (/** @type {import("./legend.js").Entry} */ entry) => {
    if (pinnedOn(value)) leave();
    const alone = entry.index !== index;
    const isChanged = entry.index === CHANGED;
    setChanges(alone && isChanged);
    if (alone && !isChanged) isolate(entry);
    else isolated.value = null;
  };
  const peek = (/** @type {import("./legend.js").Entry | null} */ entry) =>
    setPeeked(entry && keyOf(entry));
  return { index, only: peekedEntry?.index ?? index, press, peek };
};

/** The masks in words, for who does not see them. @param {CanvasValue} value */
const ariaLabelOf = (value) => {
  const entries = entriesOf(value).filter(({ index }) => index !== CHANGED);
  const sides = value.sides.map(({ title, badge }, k) => {
    const shares = entries.map(({ name, shares }) => `${name} ${percent(shares[k])}`);
    return `${title}${badge && `, ${badge}`}: ${shares.join(", ")}`;
  });
  return `${sides.join(". ")}. ${KEYS}`;
};

/**
 * Takes what a new value asks for: its opacity, and the pixel of a link.
 * @param {CanvasValue} value
 */
const useValue = (value) => {
  useLayoutEffect(() => {
    giveOpacity(value.opacity);
    const { picture, size } = value;
    if (!value.pixel || value.compact || pinnedOn(value)) return;
    const [row, column] = value.pixel.map((at, axis) => Math.min(at, size[axis] - 1));
    const middle = placeOf(size)([row, column]);
    point("", picture, middle, { pinned: true, pixel: [row, column] });
  }, [value]);
};

/**
 * @param {{ value: CanvasValue, loaded: { image: HTMLImageElement, labels: Int32Array[] } }} props
 */
const Canvas = ({ value, loaded }) => {
  const [mode, chooseMode] = useMode(value);
  const [split, setSplit] = useState(0.5);
  const isolation = useIsolated(value);
  const { side, error, retry } = useSideAtPatch(value, mode, split);
  useValue(value);
  return html`<${Simulation} sentence=${value.simulated} />
    ${value.bars && html`<${Bars} bars=${value.bars} />`}
    ${
      value.sides.length > 1
        ? html`<${Modes} sides=${value.sides} mode=${mode} onChoose=${chooseMode} />`
        : html`<div class="gw-head"><${SideName} side=${value.sides[0]} /></div>`
    }
    <${Stage}
      value=${value}
      loaded=${loaded}
      mode=${mode}
      split=${split}
      onSwipe=${setSplit}
      only=${isolation.only}
      ariaLabel=${ariaLabelOf(value)}
      side=${side}
    />
    <${Reason} value=${value} side=${side} />
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
    ${value.region && value.sides.length > 1 && html`<${Region} value=${value} loaded=${loaded} />`}
    ${
      !value.compact &&
      html`<${Legend}
          value=${value}
          mode=${mode}
          isolated=${isolation.index}
          onPeek=${isolation.peek}
          onPress=${isolation.press}
        />
        ${value.notes
          .slice(1)
          .map((note) => html`<p class="gw-note" key=${note}><${Prose} text=${note} /></p>`)}
        <p class="gw-note gw-hint">${hintOf(value)}</p>
        <${Opacity} />`
    }`;
};

/**
 * @type {import("../gradio.js").Widget<CanvasValue, { image: HTMLImageElement, labels: Int32Array[]
 * }>}
 */
export const canvas = {
  load: async (value) => {
    const masks = Promise.all(value.sides.map((side) => labelsOf(side.mask)));
    const [image, labels] = await Promise.all([fetchPicture(value.picture), masks]);
    return { image, labels };
  },
  View: Canvas,
};
