// The slider of all masks' opacity.

import { keep } from "../address.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { opacity } from "../store.js";

export const Opacity = () => {
  const { trigger } = useHost();
  const part = Math.round(100 * opacity.value);
  const slide = (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => {
    opacity.value = Number(currentTarget.value) / 100;
    keep("opacity", String(opacity.value));
  };
  const done = () => trigger("input", { index: 0, value: opacity.value });
  return html`<label class="gw-bar">
    <span>Opacity</span>
    <input type="range" min="0" max="100" value=${part} onInput=${slide} onChange=${done} />
    <span class="gw-percent">${part} %</span>
  </label>`;
};
