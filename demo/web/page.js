// What Gradio's events call as `gclip.page`, and what the page does by itself from the start.
import { copyLink, keep } from "./address.js";
import { watchGradio } from "./around.js";
import { after, clearWords, example, fillWords, input, takeOffer } from "./input.js";
import { walkTabs } from "./tab-strip.js";
import { showTooltips } from "./terms/tooltip.js";
import { answered, ask, failed, mark } from "./waiting.js";
import { WORDS } from "./words.js";

export const page = {
  ...{ ask, answered, failed, keep, example, takeOffer, clearWords, fillWords },
  get photo() {
    return input.photo;
  },
  /** A visitor turned to a tab. @param {string} tab @param {string} old @param {string} turned */
  turn: (tab, old, turned) => (old === tab ? [old, turned] : [tab, `${turned}.`]),
  copy: async () => {
    await copyLink();
    return WORDS.copied[0];
  },
  copied: async () => {
    await after(2000);
    return WORDS.copied[1];
  },
};

const followTyping = () =>
  document.addEventListener("input", ({ target }) => {
    if (!(target instanceof Element) || !target.closest("#words")) return;
    input.typed = true;
    mark("edited", WORDS.edited);
  });

export const begin = () => {
  followTyping();
  walkTabs();
  showTooltips();
  watchGradio();
};
