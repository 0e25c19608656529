// The offer to download a model's weights to the server.
import { weights } from "./server.js";
import { inside } from "./shared.js";
import { change } from "./state.js";

export function drawOffer(group) {
  const { $ } = inside(group);
  const text = $("p");
  const start = $(".start");
  const stop = $(".stop");
  const setRunning = (on) => {
    start.hidden = on;
    stop.hidden = !on;
  };

  async function download(backbone) {
    let outcome = "The connection was lost. Try again.";
    const running = await weights(backbone).catch(() => null);
    if (!running) {
      text.textContent = "The server does not respond. Try again.";
      return;
    }
    stop.onclick = () => {
      running.cancel();
      outcome = "Cancelled. Nothing has changed.";
      text.textContent = outcome;
      setRunning(false);
    };
    setRunning(true);
    for await (const { text: progress, error, isHere } of running.messages) {
      if (progress) text.textContent = progress;
      else outcome = isHere ? "" : error;
    }
    text.textContent = outcome;
    setRunning(false);
    if (outcome) return;
    group.hidden = true;
    change({ backbone });
  }

  return ({ name, text: offer, canDownload }) => {
    group.hidden = false;
    text.textContent = offer;
    setRunning(false);
    start.hidden = !canDownload;
    start.onclick = () => download(name);
  };
}
