// The sentence on a planted fault, with the press that ends it.
import { useHost } from "./gradio.js";
import { html } from "./html.js";
import { Prose } from "./terms/prose.js";

/** @param {{ sentence: string }} props */
export const Simulation = ({ sentence }) => {
  const { trigger } = useHost();
  if (!sentence) return null;
  const off = () => trigger("endSimulation");
  return html`<p class="gw-simulated">
    <span><${Prose} text=${sentence} /></span>
    <button type="button" class="gw-button" onClick=${off}>End it</button>
  </p>`;
};
