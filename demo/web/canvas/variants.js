// The best words of a pixel under every method, side by side.
import { percent } from "../dom.js";
import { html } from "../html.js";

/** @typedef {import("../../widgets/values").Ranked} Ranked */

/** @param {Ranked} props */
const Word = ({ name, score, colour, label }) => {
  const bar = { width: `${100 * score}%`, ...(colour === null ? {} : { background: colour }) };
  return html`<li class=${label ? "gw-label" : ""}>
    <bdi>${name}</bdi>
    <span class="gw-percent">${percent(score)}</span>
    <span class="gw-share"><span class=${colour === null ? "gw-rest" : ""} style=${bar} /></span>
  </li>`;
};

/** @param {{ why: import("../../widgets/values").WhyValue }} props */
export const Variants = ({ why }) => html`<p class="gw-title">${why.title}</p>
  <div class="gw-columns">
    ${why.variants.map(
      ({ title, entries }) => html`<section key=${title}>
        <h2 class="gw-title">${title}</h2>
        <ol>
          ${entries.map((entry) => html`<${Word} key=${entry.name} ...${entry} />`)}
        </ol>
      </section>`,
    )}
  </div>
  <p class="gw-note">${why.note}</p>`;
