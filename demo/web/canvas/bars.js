// A score under every setting of the switches, as bars; the one that is shown is marked.
import { html } from "../html.js";

/** @typedef {import("../../widgets/values").SwitchBar} SwitchBar */

/** @param {{ bars: SwitchBar[] }} props */
export const Bars = ({ bars }) => html`<dl class="gw-bars" aria-label="mIoU with the fault">
  ${bars.map(
    ({ name, share, text, now }) => html`<div key=${name} class=${now ? "gw-now" : ""}>
      <dt>${name}</dt>
      <dd>
        <span class="gw-meter"><span style=${{ width: `${100 * share}%` }} /></span>
        <span class="gw-percent">${text}</span>
      </dd>
    </div>`,
  )}
</dl>`;
