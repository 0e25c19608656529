import { effect } from "@preact/signals";
import { button, make, skeleton } from "./dom_old.js";
import * as store from "./store.js";

export const kit = (element, props, trigger, watch) => {
  const root = element.querySelector(".gw");
  const source = root.closest("[id]")?.id || "";
  const share = (kind, detail) => {
    if (kind === "word")
      store.isolated.value =
        detail.index === null ? null : detail.index < 0 ? "rest" : { name: detail.name };
    if (kind === "channel") store.channel.value = detail;
  };
  const hear = (kind, follow) => {
    if (kind === "word")
      effect(() => {
        const w = store.isolated.value;
        follow(
          w === null ? { index: null } : w === "rest" ? { index: -1 } : { index: 0, name: w.name },
        );
      });
    if (kind === "channel") effect(() => store.channel.value && follow(store.channel.value));
  };
  const point = (patch, pinned) => store.point(source, arrived()?.picture, patch, { pinned });
  const pointed = (picture) =>
    store.pointed.value?.picture === picture ? store.pointed.value : null;
  const onPoint = (follow) =>
    effect(() => {
      const p = store.pointed.value;
      if (p?.source !== source) follow(p);
    });

  const simulation = (words) => {
    const line = make("p", "gw-simulated", `${words} `);
    const off = () => trigger("clear", { value: "simulation" });
    line.append(button("Switch it off", off, "gw-link"));
    return line;
  };
  let text = null;
  let read = null;
  const arrived = () => {
    if (!props.value || typeof props.value !== "string") return props.value;
    if (props.value !== text) {
      text = props.value;
      read = JSON.parse(text);
    }
    return read;
  };
  let turn = 0;
  const mount = (build) => {
    const show = async () => {
      const mine = ++turn;
      const value = arrived();
      const focused = root.contains(document.activeElement);
      const nodes = value?.kind ? await build(value) : [skeleton(root.dataset.empty)];
      const mask = root.closest("#side")?.querySelector("#side-canvas .gw:not([data-ready='1'])");
      if (mask && mask !== root && value?.kind) {
        await new Promise((done) => mask.addEventListener("placed", done, { once: true }));
      }
      if (mine !== turn) return;
      root.replaceChildren(...nodes);
      root.dispatchEvent(new CustomEvent("placed"));
      root.dataset.ready = value?.kind ? "1" : "0";
      const focusable = focused && root.querySelector("[tabindex='0']");
      if (focusable) focusable.focus({ preventScroll: true });
    };
    watch("value", show);
    show();
  };
  return {
    ...{ root, element, source, trigger, watch, share, hear },
    ...{ point, pointed, onPoint, simulation, arrived, mount },
  };
};
