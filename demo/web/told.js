// What is said of a mask: its badge, the banner, its sentence and notes; news for screen readers.
import { inside, setText } from "./elements.js";
import { isFound } from "./legend.js";
import { percent } from "./words.js";
/** @import { Canvas, Offer } from "./types.js" */

/**
 * Returns a function that writes it: of the mask `current` and, beside the line of Swipe, in the badges
 * of the masks `before` and `after`. `chosen` is how masks are compared, and for which idea.
 * @param {HTMLElement} element
 * @param {(selector: string, offered: Offer) => void} offer
 */
export function createTold(element, offer) {
  const { $ } = inside(element);
  /** The news that screen readers have heard. */
  let heard = "";

  /** @param {Canvas} answer @param {{ mode: string, idea: number }} chosen
   * @param {number} current @param {number[]} pair */
  return (answer, { mode, idea }, current, [before, after]) => {
    const { banner, classes, ideas, masks, metric, notes, sentences } = answer;
    const isSwipe = mode === "swipe";
    const isNamed = mode !== "" || !ideas.length;

    /** @param {number} mask */
    function badgeOf(mask) {
      const { title, score } = masks[mask];
      const preposition = mask & (1 << idea) ? "With" : "Without";
      const name = ideas.length ? `${preposition} ${ideas[idea]}` : title;
      // The badge has no name of a score but the one before it; two of them must fit on a phone.
      const about = isNamed ? metric : metric.replace(/^m?IoU( of )?/, "");
      const unit = isSwipe || !about ? "" : ` (${about})`;
      const text = score === null ? "" : `${percent(score).replace(" ", "\u00a0")}${unit}`;
      return isNamed ? [name, text].filter(Boolean).join(" · ") : text;
    }

    const score = badgeOf(isSwipe ? before : current);
    $(".badge.left").hidden = !score;
    $(".badge b").hidden = isNamed;
    $(".badge .score").textContent = score;
    $(".badge dfn").hidden = isSwipe || masks[current].score === null; // the line is in its way
    setText($(".badge.right"), isSwipe ? badgeOf(after) : "");
    const isNone = !classes.some((_, label) => isFound(masks[current], label));
    const none = isNone ? "None of these words was found in this photo." : "";
    const sentence = isNone ? "" : sentences[idea][current];
    offer(".banner", { ...banner, text: [none, banner.text].filter(Boolean).join(" ") }); // in view
    setText($(".sentence"), sentence);
    setText($(".notes"), notes[current] ?? "");
    const news = none || sentence;
    if (heard !== news) $(".live").textContent = news;
    heard = news;
  };
}
