// Where Gradio's components meet ours: a widget draws the value of one, and anew at every update.
import { signal } from "@preact/signals";
import { createContext, render } from "preact";
import { useContext, useLayoutEffect } from "preact/hooks";
import { Failed } from "./failed.js";
import { html } from "./html.js";

/**
 * What a widget knows of its Gradio component.
 * @typedef {object} Host
 * @property {string} id
 * @property {HTMLElement} root
 * @property {(event: string, data?: { index?: unknown, value?: unknown }) => void} trigger
 */
/**
 * `load` unpacks or fetches what a value names, before the value is shown.
 * @template V, L
 * @typedef {object} Widget
 * @property {(value: V) => Promise<L>} [load]
 * @property {(props: { value: V, loaded: L }) => import("preact").ComponentChildren} View
 */
/** @typedef {{ value: any, loaded: any } | { error: unknown } | null} Shown */

const HostContext = createContext(/** @type {Host} */ ({}));
export const useHost = () => useContext(HostContext);

/** @type {Map<string, HTMLElement>} */
const mounted = new Map();

// What is below the mask would be moved by it: on a first answer it waits.
/** @param {HTMLElement} root */
const afterMask = async (root) => {
  const mask = root.closest("#side")?.querySelector("#side-canvas .gw:not([data-ready='1'])");
  if (!mask || mask === root) return;
  await new Promise((done) => mask.addEventListener("placed", done, { once: true }));
};

/** @param {{ host: Host, widget: Widget<any, any>, shown: import("@preact/signals").Signal<Shown>, retry: () => void }} props */
const Mounted = ({ host, widget, shown, retry }) => {
  const now = shown.value;
  const ready = Boolean(now && "value" in now);
  useLayoutEffect(() => {
    host.root.dataset.ready = ready ? "1" : "0";
    if (now) host.root.dispatchEvent(new CustomEvent("placed"));
  }, [now]);
  const { View } = widget;
  return html`<${HostContext.Provider} value=${host}>
    ${
      now && "value" in now
        ? html`<${View} value=${now.value} loaded=${now.loaded} />`
        : now
          ? html`<${Failed} error=${now.error} retry=${retry} />`
          : html`<div class="gw-skeleton"><span>${host.root.dataset.empty}</span></div>`
    }
  <//>`;
};

/** Python sends a value as JSON text. @param {any} value */
const parsed = (value) => (typeof value === "string" && value ? JSON.parse(value) : value);

/**
 * Draws a widget into a Gradio component; Gradio calls this as the component appears.
 * @param {Widget<any, any>} widget
 * @param {HTMLElement} element
 * @param {{ value: any }} props
 * @param {Host["trigger"]} trigger
 * @param {(name: string, follow: () => void) => void} watch
 */
export const mount = (widget, element, props, trigger, watch) => {
  const root = /** @type {HTMLElement} */ (element.querySelector(".gw"));
  const id = root.closest("[id]")?.id ?? "";
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
      await afterMask(root);
    }
    if (mine === turn) shown.value = next;
  };
  const earlier = mounted.get(id);
  if (earlier && earlier !== root) render(null, earlier);
  mounted.set(id, root);
  const host = { id, root, trigger };
  render(html`<${Mounted} host=${host} widget=${widget} shown=${shown} retry=${update} />`, root);
  watch("value", update);
  update();
};
