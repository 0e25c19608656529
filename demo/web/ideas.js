// The AMF and CS switches, at the mask and in the diagram.
import { change, state } from "./app.js";
import { make } from "./shared.js";

const isIdle = (button) => button.getAttribute("aria-disabled") === "true";

export const isOn = (idea) => state[idea.toLowerCase()];

/**
 * Draw a switch for each idea; a press calls `follow` as well.
 * @param {HTMLElement} box
 * @param {{ name: string, isIdle: boolean }[]} switches
 * @param {(name: string, isIdle: boolean) => void} follow
 */
export function fillSwitches(box, switches, follow = () => {}) {
  const key = JSON.stringify(switches);
  if (box.dataset.key === key) return; // keeps the focus where it is
  Object.assign(box, { hidden: !switches.length }).dataset.key = key;
  for (const { name, isIdle } of switches) {
    const button = Object.assign(make("button", "pill idea", name), { type: "button" });
    button.setAttribute("role", "switch");
    button.setAttribute("aria-disabled", isIdle);
    button.onclick = () => {
      follow(name, isIdle);
      if (!isIdle) change({ [name.toLowerCase()]: !isOn(name) });
    };
    box.querySelector(`[data-idea="${name}"]`).replaceChildren(button);
  }
}

/** Show the state of each switch; an idle one is off. */
export function refreshSwitches(box) {
  for (const button of box.querySelectorAll(".idea"))
    button.setAttribute("aria-checked", !isIdle(button) && isOn(button.textContent));
}
