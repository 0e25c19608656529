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
    let outcome = "";
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
    for await (const message of running.messages) {
      outcome = message.error ?? "";
      text.textContent = message.text ?? outcome;
    }
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
