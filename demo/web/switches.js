// The switches of the paper's ideas.
import { inside } from "./elements.js";
import { change, state } from "./state.js";

/**
 * Show the switches of ideas; a press calls `pressed` before it changes the state. An idle one is off.
 * @param {HTMLElement} box
 * @param {{ name: string, isIdle: boolean }[]} switches
 * @param {(name: string, isIdle: boolean) => void} pressed
 */
export function drawSwitches(box, switches, pressed = () => {}) {
  box.hidden = !switches.length;
  for (const { name, isIdle } of switches) {
    const setting = name.toLowerCase();
    const button = inside(box).$(`[data-idea="${name}"]`);
    button.setAttribute("aria-disabled", isIdle);
    button.setAttribute("aria-checked", !isIdle && state[setting]);
    button.onclick = () => {
      pressed(name, isIdle);
      if (!isIdle) change({ [setting]: !state[setting] });
    };
  }
}
