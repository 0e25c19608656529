// A term is explained where it first stands in the open tab: on hover, focus and tap.
import { make } from "./dom.js";

const TEXTS =
  "#says :is(.note, .status), .tabitem :is(.gclip-note, .gw-note, .gw-simulated, .gw-title, " +
  ".gw-pill, .lesson p, .note, figcaption, th), .tabitem .prose p";
// A visitor's own words are in some of these, or in quotation marks: no term is explained there.
const SKIPPED = "button, a, bdi, .gw-missing, [role=application], [role=img], [aria-hidden=true]";

const wrap = (node, term, shown, at, sentence) => {
  const rest = node.splitText(at);
  rest.splitText(shown.length);
  const word = make("span", "term", rest.data);
  word.tabIndex = 0;
  word.dataset.term = term;
  word.setAttribute("role", "note");
  word.setAttribute("aria-label", `${rest.data}: ${sentence}`);
  rest.replaceWith(word);
};

const patternOf = (term) => {
  const flags = term === term.toLowerCase() ? "i" : "";
  return new RegExp(`(?<!“[^”]*)\\b${term}(?:e?s)?(?![\\w-])`, flags);
};

const firstOf = (terms, text) =>
  terms
    .map((term) => [term, patternOf(term).exec(text)])
    .filter(([, found]) => found)
    .sort(([, a], [, b]) => a.index - b.index)[0];

const seen = (node) => Boolean(node.offsetParent);

const explainIn = (place, texts, terms) => {
  const root = document.querySelector(place);
  if (!root) return;
  const open = [...root.querySelectorAll(".term")].filter(seen).map((one) => one.dataset.term);
  const missing = Object.keys(terms).filter((term) => !open.includes(term));
  for (const text of root.querySelectorAll(texts)) {
    if (!missing.length) return;
    // On a narrow screen the status stands last.
    const last = innerWidth <= 640 && text.closest("#says");
    if (!seen(text) || last || text.closest(SKIPPED)) continue;
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement.closest(".term, button")) continue;
      const found = firstOf(missing, node.data);
      if (!found) continue;
      const [term, first] = found;
      missing.splice(missing.indexOf(term), 1);
      wrap(node, term, first[0], first.index, terms[term]);
    }
  }
};

export const explainTerms = (terms) => {
  explainIn("#title", "small", terms);
  explainIn("#result", TEXTS, terms);
};

export const showTerms = (terms) => {
  const tip = make("div");
  tip.id = "term-tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  const show = (word) => {
    tip.hidden = !word;
    if (!word) return;
    document.body.append(tip);
    tip.textContent = word.dataset.tip ?? terms[word.dataset.term];
    const box = word.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - own.width - 8))}px`;
    const below = box.bottom + own.height + 10 <= innerHeight;
    tip.style.top = `${below ? box.bottom + 6 : box.top - own.height - 6}px`;
  };
  // A finger's press on an example does not ask what it is.
  const asksFor = ({ target, type, pointerType }) => {
    const pressed = type === "click" || pointerType === "touch";
    return target.closest?.(pressed ? ".term" : ".term, [data-tip]");
  };
  // A finger leaves a hover behind: only a mouse's counts.
  const hovers = matchMedia("(hover: hover)").matches ? ["pointerover"] : [];
  for (const type of [...hovers, "focusin", "click"]) {
    document.addEventListener(type, (event) => show(asksFor(event) ?? null));
  }
  document.addEventListener("focusout", () => show(null));
  document.addEventListener("keydown", (event) => event.key === "Escape" && show(null));
  addEventListener("scroll", () => show(null), true);
};
