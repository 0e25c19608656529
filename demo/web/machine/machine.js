// The machine: one linked diagram from picture to mask, its switches, and its full screen.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { BlockMasksText, useBlockMasks } from "../by-block.js";
import { byPointer } from "../dom.js";
import { Failed } from "../failed.js";
import { useHost } from "../gradio.js";
import { useDocumentEvent } from "../hooks.js";
import { html } from "../html.js";
import { leave, patchOn, pinnedOn, pointed } from "../pointing.js";
import { Bar } from "./bar.js";
import { Diagram } from "./diagram.js";
import { arrange } from "./plan.js";
import { useRoom } from "./room.js";
import { unpackState } from "./state.js";
import { useTurn } from "./turn.js";
import { blockText, patchText } from "./words.js";
import { wordsOf } from "./words-part.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("../../widgets/values").MachineValue} MachineValue */
/** @typedef {{ part?: import("../../widgets/values").PartName, block?: number }} Asked */

const TITLE = "The machine: from picture to mask, full screen";
const LIGHTS = "any patch: it lights up everywhere.";

/**
 * The part or block that is pointed at, in a sentence.
 * @param {MachineValue} value
 * @param {Asked} asked
 */
const askedText = (value, { part, block }) => {
  const shown = value.blocks[(block ?? 0) - 1];
  if (shown) return `${blockText(shown, value)}.`;
  return part ? `${value.parts[part].name}: ${value.parts[part].sentence}` : "";
};

/**
 * The line under the diagram.
 * @param {{ state: State, news: string, asked: Asked, masks: import("../block-masks.js").BlockMasks
 * | null }} props
 */
const Info = ({ state, news, asked, masks }) => {
  const since = useRef({ news: "", pointed: /** @type {unknown} */ (null) });
  if (since.current.news !== news) since.current = { news, pointed: pointed.value };
  const patch = patchOn(state.value);
  // What a switch did, until something is pointed at.
  const isNew = news && since.current.pointed === pointed.value;
  const invite = `${byPointer("Point at", "Tap")} ${LIGHTS}`;
  const line = patch ? patchText(state, patch, pinnedOn(state.value)) : invite;
  return html`<div class="gm-info">
    <p>
      <span aria-live="polite">${isNew ? news : line}</span>${" "}
      ${!masks && html`<span class="gm-explain">${askedText(state.value, asked)}</span>`}
    </p>
    ${
      masks &&
      html`<${BlockMasksText} masks=${masks} words=${wordsOf(state.value)} shown=${state.value} />`
    }
  </div>`;
};

/** @param {{ loaded: State, onClose: () => void }} props */
const Opened = ({ loaded, onClose }) => {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [formulas, setFormulas] = useState(false);
  const [asked, setAsked] = useState(/** @type {Asked} */ ({}));
  const { news, ...turn } = useTurn(loaded);
  const { value } = loaded;
  const [asMasks, setAsMasks] = useState(false);
  const { masks, error, retry } = useBlockMasks(value, asMasks);
  const { width, type, height } = useRoom(box, value.blocks.length);
  const plan = useMemo(
    () => (width ? arrange(value, type, formulas, width, height) : null),
    [value, type, formulas, width, height],
  );
  const ask = (/** @type {Asked} */ next) => {
    if (next.part !== asked.part || next.block !== asked.block) setAsked(next);
  };
  return html`<${Bar}
      value=${value}
      formulas=${formulas}
      onFormulas=${() => setFormulas(!formulas)}
      asMasks=${asMasks}
      onMasks=${() => setAsMasks(!asMasks)}
      onClose=${onClose}
    />
    <div class="gm-box" ref=${box}>
      ${plan && html`<${Diagram} frame=${{ type, plan, formulas, masks, ...turn }} onAsk=${ask} />`}
    </div>
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
    <${Info} state=${turn.state} news=${news} asked=${asked} masks=${masks} />`;
};

/** Opens the machine over the whole screen, where a browser can, else over the page. */
const useScreen = () => {
  const { id, root, trigger } = useHost();
  const [opened, setOpened] = useState(false);
  const open = () => {
    const cover = () => root.classList.add("gm-over");
    if (root.requestFullscreen) root.requestFullscreen().catch(cover);
    else cover();
    setOpened(true);
    trigger("openMachine");
  };
  const close = () => {
    root.classList.remove("gm-over");
    if (document.fullscreenElement === root) document.exitFullscreen();
    setOpened(false);
    // A patch that was pointed at on the page stays.
    if (pointed.value?.source === id) leave();
    trigger("closeMachine");
  };
  useDocumentEvent("fullscreenchange", () => {
    if (opened && document.fullscreenElement !== root && !root.matches(".gm-over")) close();
  });
  return { opened, open, close };
};

/**
 * @param {{ value: MachineValue | null, loaded: State | null, error: unknown, retry: () => void }}
 * props
 */
const Machine = ({ value, loaded, error, retry }) => {
  const { root } = useHost();
  const { opened, open, close } = useScreen();
  useLayoutEffect(() => {
    root.dataset.ready = opened && loaded ? "1" : "0";
  });
  if (!opened) {
    return html`<button type="button" class="gw-button" onClick=${open}>${TITLE}</button>`;
  }
  if (value && loaded) return html`<${Opened} loaded=${loaded} onClose=${close} />`;
  return html`<div class="gw-skeleton"><span>${root.dataset.empty}</span></div>
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
    <button type="button" class="gw-button" onClick=${close}>Close</button>`;
};

/** @type {import("../gradio.js").Widget<MachineValue, State>} */
export const machine = { load: unpackState, View: Machine, drawsMissing: true };
