// The tabs are one stop of the keyboard; arrows move between them, the first link leads to them.

import { isPlainKey } from "../dom.js";

const strip = () =>
  /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#tabs > .tab-wrapper [role=tab]")]);

export const openFirstTab = () => strip()[0]?.click();

/** Makes the open tab the one stop. */
export const setStop = () => {
  for (const tab of strip()) {
    const stop = tab.ariaSelected === "true" ? 0 : -1;
    if (tab.tabIndex !== stop) tab.tabIndex = stop;
  }
};

export const walkTabs = () => {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || event.target.id !== "skip") return;
    event.preventDefault(); // Gradio's <base> makes the link one to the page without its settings
    strip()
      .find((tab) => tab.ariaSelected === "true")
      ?.focus();
  });
  document.addEventListener("keydown", (event) => {
    const tabs = strip();
    const at = tabs.indexOf(/** @type {HTMLElement} */ (event.target));
    const last = tabs.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined || !isPlainKey(event)) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    next.click();
    next.focus();
  });
};
