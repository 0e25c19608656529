// What is said of a mask: its chip, the banner, its sentence and notes; news for screen readers.

import { inside, setText } from "./elements.js";
import { isFound } from "./legend.js";
import { percent } from "./words.js";

/** @typedef {import("./types.js").Canvas} Canvas */

/**
 * Returns a function that writes it: of the mask `shown` and, beside the line of Swipe, in the chips
 * of the masks `before` and `after` it. `chosen` is how masks are compared, and for which idea.
 * @param {HTMLElement} element
 * @param {(selector: string, offered: import("./types.js").Offer) => void} offer
 */
export function createTold(element, offer) {
  const { $ } = inside(element);
  /** The news that screen readers have heard. */
  let heard = "";

  /** @param {Canvas} answer @param {{ mode: string, idea: number }} chosen
   * @param {number} shown @param {number[]} pair */
  return (answer, { mode, idea }, shown, [before, after]) => {
    const { banner, classes, ideas, masks, metric, notes, sentences } = answer;
    const isSwipe = mode === "swipe";
    const isNamed = mode !== "" || !ideas.length;

    /** @param {number} mask */
    function chipOf(mask) {
      const { title, score } = masks[mask];
      const preposition = mask & (1 << idea) ? "With" : "Without";
      const name = ideas.length ? `${preposition} ${ideas[idea]}` : title;
      const unit = isSwipe ? "" : ` (${metric})`; // two must fit on a phone
      const text = score === null ? "" : `${percent(score).replace(" ", "\u00a0")}${unit}`;
      return isNamed ? [name, text].filter(Boolean).join(" · ") : text;
    }

    const score = chipOf(isSwipe ? before : shown);
    $(".chip.left").hidden = !score;
    $(".chip b").hidden = isNamed;
    $(".chip .score").textContent = score;
    $(".chip dfn").hidden = isSwipe || !score.includes("IoU"); // the line is in its way
    setText($(".chip.right"), isSwipe ? chipOf(after) : "");
    const isNone = !classes.some((_, label) => isFound(masks[shown], label));
    const none = isNone ? "None of these words was found in this photo." : "";
    const sentence = isNone ? "" : sentences[idea][shown];
    offer(".banner", { ...banner, text: [none, banner.text].filter(Boolean).join(" ") }); // in view
    setText($(".sentence"), sentence);
    setText($(".notes"), notes[shown] ?? "");
    const news = none || sentence;
    if (heard !== news) $(".live").textContent = news;
    heard = news;
  };
}
