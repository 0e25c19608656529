// Where Gradio's components meet ours: a widget draws the value of one, and anew at every update.
import { signal } from "@preact/signals";
import { createContext, render } from "preact";
import { useContext, useLayoutEffect } from "preact/hooks";
import { Failed } from "./failed.js";
import { html } from "./html.js";
import { WORDS } from "./page/words.js";

/** @typedef {import("../widgets/values").EventName} EventName */
/** What an event brings. @typedef {{ index?: unknown, value?: unknown }} Data */
/**
 * What a widget knows of its Gradio component.
 * @typedef {object} Host
 * @property {string} id
 * @property {HTMLElement} root
 * @property {(event: EventName, data?: Data) => void} trigger
 */
/**
 * `load` unpacks or fetches what a value names, before the value is shown. `drawsMissing`: View
 * shows, too, that there is no value, and what failed; it is ready when it says so.
 * @template V, L
 * @typedef {object} Widget
 * @property {(value: V) => Promise<L>} [load]
 * @property {(props: any) => import("preact").ComponentChildren} View of { value: V, loaded: L }
 * @property {boolean} [drawsMissing]
 */
/** @typedef {{ value: any, loaded: any } | { error: unknown } | null} Shown */

const HostContext = createContext(/** @type {Host} */ ({}));
export const useHost = () => useContext(HostContext);

/** The roots of all widgets by the id of their component. @type {Map<string, HTMLElement>} */
const mounted = new Map();
let unnamed = 0;

// What lies below another widget would be moved by it: on a first answer it waits for that one.
/** @param {HTMLElement} root */
const afterOther = async (root) => {
  const { after } = root.dataset;
  const other = after && document.querySelector(`#${after} .gw:not([data-placed])`);
  if (!other) return;
  await new Promise((done) => other.addEventListener("placed", done, { once: true }));
};

/**
 * @param {{ host: Host, widget: Widget<any, any>, shown: import("@preact/signals").Signal<Shown>,
 * retry: () => void }} props
 */
const Mounted = ({ host, widget, shown, retry }) => {
  const { View, drawsMissing = false } = widget;
  const now = shown.value;
  const there = now && "value" in now ? now : null;
  const error = now && "error" in now ? now.error : null;
  useLayoutEffect(() => {
    if (!drawsMissing) host.root.dataset.ready = there ? "1" : "0";
    if (!now) return;
    host.root.dataset.placed = "1"; // drawn, or it says that it failed
    host.root.dispatchEvent(new CustomEvent("placed"));
  }, [now]);
  const { value = null, loaded = null } = there ?? {};
  const content = () => {
    if (drawsMissing) return html`<${View} ...${{ value, loaded, error, retry }} />`;
    if (there) return html`<${View} value=${value} loaded=${loaded} />`;
    if (error) return html`<${Failed} error=${error} retry=${retry} />`;
    return html`<div class="gw-skeleton"><span>${host.root.dataset.empty}</span></div>`;
  };
  return html`<${HostContext.Provider} value=${host}>${content()}<//>`;
};

/** A value of Python's is JSON text; some components begin with an object. @param {any} value */
export const parsed = (value) => (typeof value === "string" && value ? JSON.parse(value) : value);

/**
 * Draws a widget into a Gradio component; Gradio calls this as the component appears.
 * @param {Widget<any, any>} widget
 * @param {HTMLElement} element
 * @param {{ value: any }} props
 * @param {(event: string, data?: Data) => void} trigger
 * @param {(name: string, follow: () => void) => void} watch
 */
export const mount = (widget, element, props, trigger, watch) => {
  const root = /** @type {HTMLElement} */ (element.querySelector(".gw"));
  const id = root.closest(".block")?.id || `widget-${++unnamed}`;
  const shown = signal(/** @type {Shown} */ (null));
  let turn = 0;
  const update = async () => {
    const mine = ++turn;
    const value = parsed(props.value);
    /** @type {Shown} */
    let next = null;
    if (value?.kind) {
      try {
        next = { value, loaded: await widget.load?.(value) };
      } catch (error) {
        next = { error };
      }
      await afterOther(root);
    }
    if (mine === turn) shown.value = next;
  };
  const earlier = mounted.get(id);
  if (earlier && earlier !== root) render(null, earlier);
  mounted.set(id, root);
  /** @type {Host} */
  const host = { id, root, trigger: (event, data) => trigger(WORDS.events[event], data) };
  render(html`<${Mounted} host=${host} widget=${widget} shown=${shown} retry=${update} />`, root);
  watch("value", update);
  update();
};
