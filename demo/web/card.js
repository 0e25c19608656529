// A card: a title, bars and a sentence.
import { html } from "./html.js";
import { Prose } from "./terms/prose.js";

/** @typedef {import("../widgets/values").Bar} Bar */

/**
 * A bar; one below 0 lies to the left of the zero line.
 * @param {{ bar: Bar, low: number }} props
 */
const Row = ({ bar: { name, share, colour, text }, low }) => {
  const at = (/** @type {number} */ x) => (100 * (x - low)) / (1 - low);
  const [from, to] = [at(Math.min(0, share)), at(Math.max(0, share))];
  const fill = { left: `${from}%`, width: `${to - from}%`, background: colour };
  return html`<li>
    <span>${name}</span>
    <span class="track">
      <span style=${fill} />
      ${low < 0 && html`<i style=${{ left: `${at(0)}%` }} />`}
    </span>
    <span>${text}</span>
  </li>`;
};

/** @param {{ value: import("../widgets/values").CardValue }} props */
const Card = ({ value: { title, bars, note } }) => {
  const low = Math.min(0, ...bars.map(({ share }) => share));
  return html`<p class="gw-title">${title}</p>
    ${
      bars.length > 0 &&
      html`<ul class="bars">
        ${bars.map((bar) => html`<${Row} key=${bar.name} bar=${bar} low=${low} />`)}
      </ul>`
    }
    ${note && html`<p class="note"><${Prose} text=${note} /></p>`}`;
};

/** @type {import("./gradio.js").Widget<import("../widgets/values").CardValue, undefined>} */
export const card = { View: Card };
