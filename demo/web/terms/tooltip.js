// The one tooltip: what a term means, and what a thing with `data-tip` is.
import { signal } from "@preact/signals";
import { render } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { WORDS } from "../page/words.js";

const EDGE = 8;
const GAP = 6;

/** What is explained. @type {import("@preact/signals").Signal<HTMLElement | SVGElement | null>} */
const explained = signal(null);

const Tooltip = () => {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const word = explained.value;
  useLayoutEffect(() => {
    const tip = ref.current;
    if (!tip) return;
    if (!word) {
      tip.hidePopover();
      return;
    }
    tip.showPopover(); // over full screen, too
    const box = word.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - own.width - EDGE);
    const below = box.bottom + own.height + GAP <= innerHeight;
    tip.style.left = `${Math.max(EDGE, left)}px`;
    tip.style.top = `${below ? box.bottom + GAP : box.top - own.height - GAP}px`;
  }, [word]);
  const { tip = "", term = "" } = word?.dataset ?? {};
  return html`<div id="term-tip" role="tooltip" popover="manual" ref=${ref}>
    ${tip || WORDS.terms[term]}
  </div>`;
};

/**
 * What an event asks about. A finger's press on an example does not ask what it is.
 * @param {Event & { pointerType?: string }} event
 */
const askedBy = ({ target, type, pointerType }) => {
  if (!(target instanceof Element)) return null;
  const pressed = type === "click" || pointerType === "touch";
  const found = target.closest(pressed ? ".term" : ".term, [data-tip]");
  return /** @type {HTMLElement | SVGElement | null} */ (found);
};

export const showTooltips = () => {
  const place = document.createElement("div");
  document.body.append(place);
  render(html`<${Tooltip} />`, place);
  // A finger leaves a hover behind: only a mouse's counts.
  const hovers = matchMedia("(hover: hover)").matches ? ["pointerover"] : [];
  for (const type of [...hovers, "focusin", "click"]) {
    document.addEventListener(type, (event) => {
      explained.value = askedBy(event);
    });
  }
  const hide = () => {
    explained.value = null;
  };
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("scroll", hide, true);
};
