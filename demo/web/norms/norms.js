// Weight norms: every channel of one block before and after CS, and curves over all blocks, where
// a press chooses the block.
import { useMemo } from "preact/hooks";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { AFTER, Plot, STANDS_OUT, short } from "../plot.js";
import { Prose } from "../terms/prose.js";
import { useChannels } from "./choosing.js";
import { Curve } from "./curve.js";
import { Stems } from "./stems.js";

/** @typedef {import("../../widgets/values").NormsValue} NormsValue */

const KEYS =
  "Arrow keys walk, Shift and arrow keys choose a range, Enter suppresses it, Escape clears.";

/** @param {{ colour: string, hollow: boolean, children?: any }} props */
const Item = ({ colour, hollow, children }) => html`<span class="gw-item">
  <span class="gw-dot" style=${{ borderColor: colour, background: hollow ? "none" : colour }} />
  <span>${children}</span>
</span>`;

/** What the dots of the plot mean. @param {{ cs: boolean }} props */
const Key = ({ cs }) => html`<p class="gw-note gw-key">
  <${Item} colour=${STANDS_OUT} hollow=${cs}>before CS<//>
  <${Item} colour=${AFTER} hollow=${!cs}>${cs ? "after CS" : "what CS would do"}<//>
</p>`;

/** A channel in words. @param {NormsValue} value @param {number} index */
const channelText = ({ norms, median, moved, cs }, index) => {
  const ratio = (norms[index] / (median || 1)).toFixed(2);
  const after = moved.find(([channel]) => channel === index)?.[1];
  const does = cs ? "after CS" : "CS would make it";
  const then = after === undefined ? "" : `; ${does} ${short(after)}`;
  return `Channel ${index}: ${short(norms[index])}, ${ratio} × the median${then}.`;
};

/**
 * Heights in pixels; small beside the mask, as a model's norms are the same for every photo.
 * @param {NormsValue} value
 */
const heightsOf = ({ drags }) => (drags ? { stems: 230, curve: 78 } : { stems: 104, curve: 54 });

/**
 * Curves over all blocks; a press on one, or the slider under them, chooses a block.
 * @param {{ value: NormsValue, height: number }} props
 */
const ByBlock = ({ value, height }) => {
  const { trigger } = useHost();
  const take = (/** @type {number} */ block) => {
    if (block !== value.block) trigger("select", { index: block, value: block });
  };
  const slide = (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) =>
    take(Number(currentTarget.value));
  const last = value.curves[0].rows[0].length;
  // The same nodes while only the pointer moves.
  return useMemo(
    () => html`${value.curves.map(
      (curve) => html`<${Curve}
          key=${curve.title}
          value=${value}
          curve=${curve}
          height=${height}
          onChoose=${take}
        />`,
    )}
      <label class="gw-choose">
        <span>By block; choose one</span>
        <input type="range" min="1" max=${last} value=${value.block} onChange=${slide} />
      </label>`,
    [value, height],
  );
};

/** @param {{ value: NormsValue }} props */
const Norms = ({ value }) => {
  const { trigger } = useHost();
  const { drags } = value;
  const { hovered, chosen, clear, handlers } = useChannels(value);
  const heights = heightsOf(value);
  const spoken = [
    hovered === null ? "" : channelText(value, hovered),
    chosen && drags ? `Chosen: channels ${chosen[0]} to ${chosen[1]}.` : "",
  ].filter(Boolean);
  const n = value.norms.length;
  const label = `${value.title}: weight norm of every output channel, ${n} channels.`;
  return html`<div class="gw-head">
      <span>
        <span class="gw-title">Weight <${Prose} text="norms" /></span>${" "}
        <span class="gw-note"><${Prose} text=${value.title} /></span>
      </span>
      ${value.badge && html`<span class="gw-pill"><${Prose} text=${value.badge} /></span>`}
    </div>
    <${Plot}
      height=${heights.stems}
      label=${`${label} ${drags ? KEYS : value.note}`}
      ...${handlers}
    >
      ${(/** @type {import("../plot.js").Space} */ space) =>
        html`<${Stems} value=${value} space=${space} hovered=${hovered} chosen=${chosen} />`}
    <//>
    ${value.moved.length > 0 && html`<${Key} cs=${value.cs} />`}
    <${ByBlock} value=${value} height=${heights.curve} />
    <p class="gw-note gw-info" aria-live=${drags ? "polite" : "off"}>
      <${Prose} text=${spoken.join(" ") || value.note} />
    </p>
    ${
      drags &&
      chosen &&
      html`<button type="button" class="gw-button" onClick=${clear}>Clear the choice</button>`
    }
    ${
      !value.is_simulated &&
      !drags &&
      html`<p class="gw-note">
        <button type="button" class="gw-link" onClick=${() => trigger("simulate")}>
          See what CS repairs
        </button>
      </p>`
    }`;
};

/** @type {import("../gradio.js").Widget<NormsValue, undefined>} */
export const norms = { View: Norms };
