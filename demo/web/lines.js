// How a request went: problems, notes and the status line; the page hears of it too.
import { make } from "./dom.js";
import { WORDS } from "./page.js";

export const lines = ({ root, mount }) => {
  root.setAttribute("role", "status");
  root.setAttribute("aria-live", "polite");
  mount(async (value) => {
    if (value.state) document.dispatchEvent(new CustomEvent("gclip:said", { detail: value }));
    // Where a tab shows nothing yet, nothing is from before.
    const shown = [...document.querySelectorAll("#tabs .gw")].filter((one) => one.offsetParent);
    const empty = shown.length && shown.every((one) => one.dataset.ready !== "1");
    return value.lines
      .filter(([, text]) => !empty || text !== WORDS.old)
      .map(([kind, text]) => make("p", kind, text));
  });
};
