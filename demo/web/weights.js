// The offer to download a model's weights to the server.
import { inside } from "./elements.js";
import { weights } from "./server.js";
import { change } from "./state.js";
/** @import { Weights } from "./types.js" */

/** @param {HTMLElement} group */
export function createOffer(group) {
  const { $ } = inside(group);
  const text = $("p");
  const start = $(".start");
  const stop = $(".stop");
  const show = (/** @type {string} */ sentence, isRunning = false) => {
    text.textContent = sentence;
    start.hidden = isRunning;
    stop.hidden = !isRunning;
  };
  /** The download that is shown; one that was cancelled may still send something. */
  let current = null;

  /** @param {string} backbone */
  async function download(backbone) {
    show(text.textContent, true);
    const running = await weights(backbone).catch(() => /** @type {null} */ (null));
    if (!running) {
      show("The server does not respond. Try again.");
      return;
    }
    current = running;
    stop.onclick = () => {
      current = null;
      running.cancel();
      show("Cancelled. Nothing has changed.");
    };
    let outcome = "The connection was lost. Try again.";
    for await (const { text: progress, error, isHere } of running.messages) {
      if (current !== running) return;
      if (progress) show(progress, true);
      else outcome = isHere ? "" : error;
    }
    if (current !== running) return;
    show(outcome);
    if (outcome) return;
    group.hidden = true;
    change({ backbone });
  }

  /** @param {Weights} offered */
  return ({ name, text: offer, canDownload }) => {
    group.hidden = false;
    show(offer);
    start.hidden = !canDownload;
    start.onclick = () => download(name);
  };
}
