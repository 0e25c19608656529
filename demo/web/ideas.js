// The switches of AMF and CS, wherever a mask is shown. The page has one control of each, which the
// server reads: a press is passed on to it.
import { make } from "./shared.js";

const controlOf = (idea) => document.querySelector(`#${idea.toLowerCase()} input`);

/** Whether an idea is on: the visitor may have pressed its switch since the server's answer. */
export const isOn = (idea) => controlOf(idea).checked;

/** Draw a switch for each of `{ name, isIdle }`; after a press `follow(name)` runs. */
export function fillSwitches(box, switches, follow = () => {}) {
  if (box.dataset.key === JSON.stringify(switches)) return; // keeps the focus where it is
  box.dataset.key = JSON.stringify(switches);
  box.replaceChildren(
    ...switches.map(({ name, isIdle }) => {
      const button = Object.assign(make("button", "idea", name), { type: "button" });
      button.setAttribute("role", "switch");
      button.setAttribute("aria-checked", false);
      button.disabled = isIdle;
      button.onclick = () => {
        controlOf(name).click();
        follow(name);
      };
      return button;
    }),
  );
}

/** Show each switch as it is; an idle one is off. */
export function refreshSwitches(box) {
  for (const button of box.querySelectorAll(".idea"))
    button.setAttribute("aria-checked", !button.disabled && isOn(button.textContent));
}
