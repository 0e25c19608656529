// What every widget gets: its root, its value, and messages to the other widgets of the page.
import { button, make, skeleton } from "./dom.js";

// The patch that is pointed at on the whole page: {row, column, source, pinned, picture}, or null.
let pointedAt = null;

export const kit = (element, props, trigger, watch) => {
  const root = element.querySelector(".gw");
  const source = root.closest("[id]")?.id || "";

  // Messages between widgets: a patch, a word or a channel.
  const share = (kind, detail) => {
    const said = detail && { ...detail, source };
    window.dispatchEvent(new CustomEvent(`gclip:${kind}`, { detail: said }));
  };
  const hear = (kind, follow) => {
    const heard = (event) => {
      if (!element.isConnected) window.removeEventListener(`gclip:${kind}`, heard);
      else if (event.detail?.source !== source) follow(event.detail);
    };
    window.addEventListener(`gclip:${kind}`, heard);
  };
  const point = (patch, pinned) => {
    const [row, column] = patch ?? [];
    pointedAt = patch && { row, column, pinned, picture: arrived()?.picture };
    share("patch", pointedAt);
  };
  const pointed = (picture) => (pointedAt?.picture === picture ? pointedAt : null);
  const onPoint = (follow) => hear("patch", follow);

  const simulation = (words) => {
    const line = make("p", "gw-simulated", `${words} `);
    const off = () => trigger("clear", { value: "simulation" });
    line.append(button("Switch it off", off, "gw-link"));
    return line;
  };

  // The value; Python sends it as JSON text, which is parsed once.
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

  // Calls build(value) now and after every update; only the latest call puts its nodes in place.
  let turn = 0;
  const mount = (build) => {
    const show = async () => {
      const mine = ++turn;
      const value = arrived();
      const focused = root.contains(document.activeElement);
      const nodes = value?.kind ? await build(value) : [skeleton(root.dataset.empty)];
      // What is below the mask would be moved by it.
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
