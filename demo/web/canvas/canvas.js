// The card of a mask: the picture with its mask as the method is switched, why a patch has its
// word, and the classes with their shares.
import { useLayoutEffect, useState } from "preact/hooks";
import { fetchPicture, labelsOf } from "../blobs.js";
import { byPointer, percent } from "../dom.js";
import { Failed } from "../failed.js";
import { useHost } from "../gradio.js";
import { useDocumentEvent } from "../hooks.js";
import { html } from "../html.js";
import { Simulation } from "../simulation.js";
import { giveOpacity, isolated, leave, patchOn, point, pointed } from "../store.js";
import { Prose } from "../terms/prose.js";
import { WORDS } from "../words.js";
import { Bars } from "./bars.js";
import { entriesOf, Legend } from "./legend.js";
import { Modes } from "./modes.js";
import { Opacity } from "./opacity.js";
import { CHANGED, REST_INDEX } from "./paint.js";
import { patchAt } from "./pointing.js";
import { Reason } from "./reason.js";
import { Region } from "./region.js";
import { useSides } from "./sides.js";
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
 * The label of the isolated word in a mask, null where it is not shown.
 * @param {CanvasValue} value
 */
const isolatedIn = (value) => {
  const word = isolated.value;
  if (word === null) return null;
  const index =
    word === "rest" ? REST_INDEX : value.classes.findIndex(({ name }) => name === word.name);
  return entriesOf(value).some((entry) => entry.index === index) ? index : null;
};

/**
 * What is shown alone: the word that is isolated on the page, or what changed here.
 * @param {CanvasValue} value
 */
const useIsolated = (value) => {
  const [changes, setChanges] = useState(false);
  const [peeked, setPeeked] = useState(/** @type {number | null} */ (null));
  const index = changes && value.changed ? CHANGED : isolatedIn(value);
  useLayoutEffect(() => {
    if (isolatedIn(value) === null && !value.compact) isolated.value = null;
  }, [value]);
  const press = (/** @type {number} */ pressed) => {
    if (pointed.value?.pinned) leave();
    const alone = pressed !== index;
    setChanges(alone && pressed === CHANGED);
    if (!alone || pressed === CHANGED) isolated.value = null;
    else isolated.value = pressed < 0 ? "rest" : { name: value.classes[pressed].name };
  };
  const peek = (/** @type {number | null} */ pointedAt = null) => setPeeked(pointedAt);
  return { index, only: peeked ?? index, press, peek };
};

/** The masks in words. @param {CanvasValue} value */
const spokenOf = (value) => {
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
  const { id } = useHost();
  useLayoutEffect(() => {
    giveOpacity(value.opacity);
    if (!value.pixel || value.compact || (patchOn(value) && pointed.value?.pinned)) return;
    const [y, x] = value.pixel.map((at, axis) => Math.min(0.9999, at / value.size[axis]));
    point(id, value.picture, patchAt(value, [y, x]), { pinned: true, asked: true });
  }, [value]);
};

/**
 * @param {{ value: CanvasValue, loaded: { image: HTMLImageElement, labels: Int32Array[] } }} props
 */
const Canvas = ({ value, loaded }) => {
  const [mode, chooseMode] = useMode(value);
  const [split, setSplit] = useState(0.5);
  const [spoken, setSpoken] = useState(false);
  const [presses, setPresses] = useState(0);
  const shown = useIsolated(value);
  const { sideAt, error, retry } = useSides(value, mode, split);
  useValue(value);
  // What covers the page takes the key first.
  useDocumentEvent("keydown", ({ key, defaultPrevented }) => {
    const covered = document.fullscreenElement || document.querySelector("dialog, .gm-over");
    if (key === "Escape" && !defaultPrevented && !covered && patchOn(value)) leave();
  });
  return html`<${Simulation} sentence=${value.simulated} />
    ${value.bars.length > 0 && html`<${Bars} bars=${value.bars} />`}
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
      only=${shown.only}
      label=${spokenOf(value)}
      sideAt=${sideAt}
      onAsk=${() => setPresses(presses + 1)}
      onInput=${setSpoken}
    />
    <${Reason} value=${value} spoken=${spoken} presses=${presses} sideAt=${sideAt} />
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
    ${value.region && value.sides.length > 1 && html`<${Region} value=${value} loaded=${loaded} />`}
    ${
      !value.compact &&
      html`<${Legend}
          value=${value}
          mode=${mode}
          isolated=${shown.index}
          onPeek=${shown.peek}
          onPress=${shown.press}
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
