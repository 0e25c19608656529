// What Gradio's own parts lack: names, words, and a moment at which the page is shown whole.

import { explainFirst } from "../terms/first.js";
import { setStop } from "./tab-strip.js";
import { WORDS } from "./words.js";

// Milliseconds without a change: after a burst of them, and once a tab's cards are there.
const BURST = 60;
const SETTLED = 250;

/** @param {string} query */
const all = (query) => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(query)]);

// Gradio writes the name of a text for the end of an upload: replaced before it is read out.
/** @param {MutationRecord} record */
const translate = ({ type, target, addedNodes }) => {
  for (const node of type === "characterData" ? [target] : addedNodes) {
    if (!/^\s*common\.\w+\s*$/.test(node.textContent ?? "")) continue;
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    const text = node.nodeType === Node.TEXT_NODE ? node : walker.nextNode();
    if (text) text.nodeValue = WORDS.done;
  }
};

// Gradio names neither its gallery's buttons nor the footer's pictures.
const label = () => {
  for (const [i, item] of all("#examples .gallery-item").entries()) {
    item.setAttribute("aria-label", `Example: ${WORDS.examples[i][1]}`);
    item.dataset.tip = WORDS.examples[i][1];
  }
  for (const image of all("footer img")) image.setAttribute("alt", "");
  setStop();
};

// Gradio adds the input's parts one by one: once all are there, the page is shown.
const showBuilt = () => {
  const { dataset } = document.documentElement;
  if (!dataset.built && WORDS.built.every((part) => document.querySelector(part))) {
    dataset.built = "1";
  }
};

export const watchGradio = () => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settling;
  const later = () => {
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = undefined;
      label();
      // Once all cards are there, so that the first of them explains.
      clearTimeout(settling);
      settling = setTimeout(() => explainFirst(), SETTLED);
    }, BURST);
  };
  const observer = new MutationObserver((records) => {
    records.forEach(translate);
    showBuilt();
    later();
  });
  observer.observe(document.body, {
    ...{ childList: true, subtree: true, characterData: true },
    ...{ attributes: true, attributeFilter: ["aria-selected"] },
  });
  showBuilt();
  later();
};
