// The switches of the paper's ideas.
import { copyOf, inside } from "./elements.js";
import { change, settingOfSwitch, state } from "./state.js";

/**
 * Returns a function that shows the switches of ideas; an idle one is off. A press calls `pressed`
 * before it changes the state.
 * @param {HTMLElement} box
 * @param {(name: string, isIdle: boolean) => void} pressed
 */
export function createSwitches(box, pressed = () => {}) {
  box.prepend(copyOf("#switches"));
  return (/** @type {{ name: string, isIdle: boolean }[]} */ switches) => {
    box.hidden = !switches.length;
    for (const { name, isIdle } of switches) {
      const setting = settingOfSwitch(name);
      const button = inside(box).$(`[data-idea="${name}"]`);
      button.setAttribute("aria-disabled", isIdle);
      button.setAttribute("aria-checked", !isIdle && state[setting]);
      button.onclick = () => {
        pressed(name, isIdle);
        if (!isIdle) change({ [setting]: !state[setting] });
      };
    }
  };
}
