// The machine's switches, and what ends it.
import { BY_BLOCK } from "../by-block.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { input } from "../page/input.js";

/** @typedef {import("../../widgets/values").MachineValue} MachineValue */

// In the order in which `flip` of page/input.js gets them.
const SWITCHES = /** @type {const} */ (["amf", "cs", "fault"]);

/** @param {MachineValue} value */
const captionsOf = ({ amf, amf_note, cs, cs_note }) => ({
  amf: amf ? `AMF: ${amf_note}` : "AMF",
  cs: cs ? `CS: ${cs_note}` : "CS",
  fault: "Simulated fault",
});

/**
 * @param {object} props
 * @param {MachineValue} props.value
 * @param {boolean} props.formulas
 * @param {() => void} props.onFormulas
 * @param {boolean} props.asMasks the blocks show masks
 * @param {() => void} props.onMasks
 * @param {() => void} props.onClose
 */
export const Bar = ({ value, formulas, onFormulas, asMasks, onMasks, onClose }) => {
  const { trigger } = useHost();
  const labels = captionsOf(value);
  const [channel, gain] = value.fault ?? [];
  const titles = {
    ...{ amf: "", cs: "" },
    fault: value.fault ? `Channel ${channel} × ${gain}` : "Simulate an abnormal channel",
  };
  const flip = (/** @type {typeof SWITCHES[number]} */ name) => {
    input.flipped = SWITCHES.indexOf(name);
    trigger("flip");
  };
  return html`<div class="gm-bar">
    ${SWITCHES.map(
      (name) => html`<button
        key=${name}
        type="button"
        class="gw-button gm-switch"
        title=${titles[name]}
        aria-pressed=${Boolean(value[name])}
        onClick=${() => flip(name)}
      >
        ${labels[name]}
      </button>`,
    )}
    <span class="gm-tools">
      <button type="button" class="gw-button" aria-pressed=${asMasks} onClick=${onMasks}>
        ${BY_BLOCK}
      </button>
      <button type="button" class="gw-button" aria-pressed=${formulas} onClick=${onFormulas}>
        Show formulas
      </button>
      <button type="button" class="gw-button" onClick=${onClose}>Close</button>
    </span>
  </div>`;
};
