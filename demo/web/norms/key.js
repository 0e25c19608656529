// What the dots of the plot mean.
import { html } from "../html.js";
import { AFTER, MARK } from "./colours.js";

/** @param {{ colour: string, hollow: boolean, children?: any }} props */
const Item = ({ colour, hollow, children }) => html`<span class="gw-item">
  <span class="gw-dot" style=${{ borderColor: colour, background: hollow ? "none" : colour }} />
  <span>${children}</span>
</span>`;

/** @param {{ cs: boolean }} props */
export const Key = ({ cs }) => html`<p class="gw-note gw-key">
  <${Item} colour=${MARK} hollow=${cs}>before CS<//>
  <${Item} colour=${AFTER} hollow=${!cs}>${cs ? "after CS" : "what CS would do"}<//>
</p>`;
