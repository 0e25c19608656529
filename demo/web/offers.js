// What one press would do: add a word, replace unknown ones or not, simulate.
import { useLayoutEffect } from "preact/hooks";
import { useHost } from "./gradio.js";
import { html } from "./html.js";
import { input } from "./page/input.js";

/** @typedef {import("../widgets/values").Choice} Choice */

/** @param {{ choice: Choice }} props */
const Offer = ({ choice }) => {
  const { trigger } = useHost();
  const press = () => {
    input.offer = choice;
    trigger("select", { index: 0, value: choice.label });
  };
  return html`<button type="button" class=${choice.add ? "chip" : "gw-link"} onClick=${press}>
    ${choice.label}
  </button>`;
};

/** @param {{ value: import("../widgets/values").OffersValue }} props */
const Offers = ({ value }) => {
  const { root } = useHost();
  useLayoutEffect(() => {
    root.dataset.off = value.off.join(" ");
  }, [value]);
  return value.rows.map(
    ({ text, choices }, k) => html`<p class="row" key=${k}>
      ${text && html`<span>${text}</span>`}
      ${choices.map((choice) => html`<${Offer} key=${choice.label} choice=${choice} />`)}
    </p>`,
  );
};

/** @type {import("./gradio.js").Widget<import("../widgets/values").OffersValue, undefined>} */
export const offers = { View: Offers };
