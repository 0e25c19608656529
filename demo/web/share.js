// What is shown, shared: its picture, and the link to it, which does not contain a visitor's photo.
import { useState } from "preact/hooks";
import { pause } from "./dom.js";
import { FileButton } from "./file-button.js";
import { html } from "./html.js";
import { copyLink } from "./page/address.js";
import { WORDS } from "./page/words.js";

/** @param {{ label: string }} props */
const LinkButton = ({ label }) => {
  const [copied, setCopied] = useState(false);
  const press = async () => {
    await copyLink();
    setCopied(true);
    await pause(2000);
    setCopied(false);
  };
  return html`<button
    type="button"
    class="gw-button gw-copy gw-room"
    data-room=${label}
    onClick=${press}
  >
    <span aria-live="polite">${copied ? WORDS.share.copied : label}</span>
  </button>`;
};

/** @param {{ value: import("../widgets/values").ShareValue }} props */
const Share = ({ value }) => html`<${FileButton}
    blob=${value.picture} words=${value.name} ending="png" label=${WORDS.share.picture} shares
  />
  <${LinkButton} label=${value.is_upload ? WORDS.share.without : WORDS.share.link} />`;

/** @type {import("./gradio.js").Widget<import("../widgets/values").ShareValue, undefined>} */
export const shareWidget = { View: Share };
