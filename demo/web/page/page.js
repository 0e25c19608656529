// What Gradio's events call as `gclip.page`, and what the page does by itself from the start.

import { parsed } from "../gradio.js";
import { freeByEscape } from "../pointing.js";
import { showTooltips } from "../terms/tooltip.js";
import { keep, ownAddress } from "./address.js";
import { watchGradio } from "./around.js";
import {
  clearWords,
  endSimulation,
  example,
  fillWords,
  flip,
  input,
  simulate,
  takeOffer,
} from "./input.js";
import { walkTabs } from "./tab-strip.js";
import { answered, ask, failed, mark } from "./waiting.js";
import { WORDS } from "./words.js";

export const page = {
  address: ownAddress,
  ...{ ask, failed, keep, example, takeOffer, clearWords, flip, simulate, endSimulation },
  /**
   * An answer came: one of a tab that was left changes no status lines. Returns the words of the
   * field, the status lines, and a count that grows where a pinned pixel needs its reasons anew.
   * @param {string} text the outcome
   * @param {string} tab the open one
   * @param {string} pixel empty for none
   * @param {string} suggested
   * @param {unknown} lines those that are shown
   * @param {string} answers
   */
  answered: (text, tab, pixel, suggested, lines, answers) => {
    const outcome = parsed(text);
    const isShown = answered(outcome, tab);
    const isExplained = isShown && pixel && outcome.state === "fresh";
    return [
      fillWords(suggested, outcome.state),
      isShown ? outcome.lines : lines,
      isExplained ? `${Number(answers) + 1}` : answers,
    ];
  },
  get photo() {
    return input.photo;
  },
  /**
   * A visitor turned to a tab; the text `turned` gets one dot more, and its change asks for it.
   * @param {string} tab
   * @param {string} old
   * @param {string} turned
   */
  turn: (tab, old, turned) => (old === tab ? [old, turned] : [tab, `${turned}.`]),
};

const followTyping = () =>
  document.addEventListener("input", ({ target }) => {
    if (!(target instanceof Element) || !target.closest("#words")) return;
    input.typed = true;
    mark("edited", WORDS.edited);
  });

export const begin = () => {
  followTyping();
  freeByEscape();
  walkTabs();
  showTooltips();
  watchGradio();
};
