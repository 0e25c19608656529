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
   * An answer is shown; returns the words of the field.
   * @param {unknown} lines the value of the status lines
   * @param {string} suggested
   */
  answered: (lines, suggested) => {
    const answer = parsed(lines);
    answered(answer);
    return fillWords(suggested, answer.state);
  },
  get photo() {
    return input.photo;
  },
  /** A visitor turned to a tab. @param {string} tab @param {string} old @param {string} turned */
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
