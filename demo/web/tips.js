// The tooltips of terms: what they say, where they are placed, and what closes them.
import { inside, make } from "./elements.js";

const { $, $$ } = inside(document);

/** Give each term a tooltip with its sentence, unless it has one of its own. */
export function explainTerms() {
  const terms = $("#terms").content;
  for (const term of $$("dfn:not([tabindex])")) {
    const { title, textContent } = term;
    if (title) term.append(make("span", "unseen", title)); // for screen readers only
    const about = make("span");
    about.setAttribute("role", "tooltip");
    about.textContent = terms.querySelector(`[data-term="${title || textContent}"]`).textContent;
    term.append(about);
    term.removeAttribute("title");
    term.tabIndex = 0;
  }
}

/** Where a tooltip is as wide as the screen, it is below its term, or above it if there is no room. */
function placeTip() {
  const tip = $("dfn:is(:hover, :focus) [role=tooltip]");
  if (!tip || getComputedStyle(tip).position !== "fixed") return;
  const { top, bottom } = tip.parentElement.getBoundingClientRect();
  const isLow = bottom + tip.offsetHeight + 12 > innerHeight;
  tip.style.top = `${isLow ? top - tip.offsetHeight - 6 : bottom + 6}px`;
}
for (const event of ["focusin", "pointerover", "scroll"]) addEventListener(event, placeTip);

/** What moves under a resting pointer, because of a press, opens no tooltip. */
addEventListener("click", () => document.body.classList.add("resting"));
addEventListener("pointermove", ({ movementX, movementY }) => {
  if (movementX || movementY) document.body.classList.remove("resting");
});

/** A tooltip closes by Escape, and by a tap on it or beside it, which then does nothing else. */
/** @type {?HTMLElement} */
let closing = null;
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") $("dfn:focus")?.blur();
});
document.addEventListener(
  "pointerdown",
  ({ pointerType }) => {
    closing = pointerType === "touch" ? document.activeElement.closest("dfn") : null;
  },
  true,
);
document.addEventListener(
  "click",
  (/** @type {any} */ event) => {
    if (closing && event.target.closest("[role=application]")) event.stopPropagation();
    closing?.blur();
    closing = null;
  },
  true,
);
