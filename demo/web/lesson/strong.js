// A paragraph in which **words** are strong.
import { html } from "../html.js";
import { Prose } from "../terms/prose.js";

/** @param {{ text: string }} props */
export const Strong = ({ text }) => html`<p>
  ${text
    .split("**")
    .map((part, i) =>
      i % 2 ? html`<strong key=${i}>${part}</strong>` : html`<${Prose} key=${i} text=${part} />`,
    )}
</p>`;
