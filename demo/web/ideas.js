// The AMF and CS switches at each mask. The page has one control of each, which the server reads;
// a press is passed on to it.
import { make } from "./shared.js";

const controlOf = (idea) => document.querySelector(`#${idea.toLowerCase()} input`);

const isIdle = (button) => button.getAttribute("aria-disabled") === "true";

/** Whether an idea is on: the visitor may have pressed its switch since the server's answer. */
export const isOn = (idea) => controlOf(idea).checked;

/** Draw a switch for each of `{ name, isIdle }`; after a press `follow(name, isIdle)` runs. */
export function fillSwitches(box, switches, follow = () => {}) {
  const key = JSON.stringify(switches);
  if (box.dataset.key === key) return; // keeps the focus where it is
  Object.assign(box, { hidden: !switches.length }).dataset.key = key;
  for (const { name, isIdle } of switches) {
    const button = Object.assign(make("button", "pill idea", name), { type: "button" });
    button.setAttribute("role", "switch");
    button.setAttribute("aria-disabled", isIdle);
    button.onclick = () => {
      if (!isIdle) controlOf(name).click();
      follow(name, isIdle);
    };
    box.querySelector(`[data-idea="${name}"]`).replaceChildren(button);
  }
}

/** Show the state of each switch; an idle one is off. */
export function refreshSwitches(box) {
  for (const button of box.querySelectorAll(".idea"))
    button.setAttribute("aria-checked", !isIdle(button) && isOn(button.textContent));
}
