// A term is explained where it first stands in the open tab; elsewhere it is a word like others.
import { WORDS } from "../page/words.js";
import { splitTerms } from "./split.js";

// Texts of Gradio's own components; those of ours mark their terms themselves (`prose.js`).
const TEXTS = "#title small, .tabitem .gclip-note, .tabitem .prose p";

const TERMS = Object.keys(WORDS.terms ?? {});

/** Marks the terms in a text node. @param {Text} node */
const markIn = (node) => {
  const parts = splitTerms(node.data, TERMS);
  if (parts.every((part) => typeof part === "string")) return;
  const nodes = parts.map((part) => {
    if (typeof part === "string") return part;
    const span = document.createElement("span");
    span.dataset.term = part.term;
    span.textContent = part.text;
    return span;
  });
  node.replaceWith(...nodes);
};

const markTexts = () => {
  for (const text of document.querySelectorAll(TEXTS)) {
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    /** @type {Text[]} */
    const nodes = [];
    while (walker.nextNode()) nodes.push(/** @type {Text} */ (walker.currentNode));
    for (const node of nodes) {
      if (!node.parentElement?.closest("[data-term], a, button, .gw")) markIn(node);
    }
  }
};

/** @param {HTMLElement} word @param {boolean} explains */
const setExplains = (word, explains) => {
  if (word.classList.contains("term") === explains) return;
  word.classList.toggle("term", explains);
  if (explains) {
    word.tabIndex = 0;
    word.setAttribute("role", "note");
    const sentence = WORDS.terms[word.dataset.term ?? ""];
    word.setAttribute("aria-label", `${word.textContent}: ${sentence}`);
  } else for (const name of ["tabindex", "role", "aria-label"]) word.removeAttribute(name);
};

/** Lets the first of each term that is seen explain itself. */
export const explainFirst = () => {
  markTexts();
  const seen = new Set();
  const words = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-term]")]);
  // On a narrow screen the status stands last.
  const skipped = `button, a, [role=application]${innerWidth <= 640 ? ", #status *" : ""}`;
  for (const word of words) {
    const term = word.dataset.term ?? "";
    const first = Boolean(word.offsetParent) && !word.closest(skipped) && !seen.has(term);
    if (first) seen.add(term);
    setExplains(word, first);
  }
};
