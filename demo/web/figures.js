// The figure of an answer and the share picture, shown and to take along; a zip of the answer.
import { addressOf, fetchPicture } from "./blobs.js";
import { Failed } from "./failed.js";
import { FileButton } from "./file-button.js";
import { useFetched } from "./hooks.js";
import { html } from "./html.js";
import { WORDS } from "./page/words.js";

/** @typedef {import("../widgets/values").FiguresValue} FiguresValue */

/** A picture once it is drawn. @param {{ blob: string, label: string }} props */
const Drawn = ({ blob, label }) => {
  const { data, error, retry } = useFetched(blob, fetchPicture);
  if (error) return html`<${Failed} error=${error} retry=${retry} />`;
  if (!data) {
    return html`<div class="gw-skeleton" role="status"><span>${WORDS.share.drawing}</span></div>`;
  }
  return html`<img src=${addressOf(blob)} alt=${label} />`;
};

/** @param {{ value: FiguresValue }} props */
const Figures = ({ value }) => {
  const { share } = WORDS;
  const button = (/** @type {"png" | "pdf" | "zip"} */ ending) =>
    html`<${FileButton}
      blob=${value[ending]} words=${value.name} ending=${ending} label=${share[ending]}
    />`;
  return html`<figure class="gw-figure-full">
      <figcaption class="gw-head">
        <span class="gw-title">${share.figure}</span>
        <span class="gw-files">${button("png")}${button("pdf")}</span>
      </figcaption>
      <${Drawn} blob=${value.preview} label=${`${share.figure}: ${value.name}`} />
      <p class="gw-files">${button("zip")}</p>
    </figure>
    <figure class="gw-figure-small">
      <figcaption class="gw-head">
        <span class="gw-title">${share.small}</span>
        <${FileButton}
          blob=${value.picture} words=${value.name} ending="png" label=${share.picture} shares
        />
      </figcaption>
      <${Drawn} blob=${value.picture} label=${`${share.small}: ${value.name}`} />
    </figure>`;
};

/** @type {import("./gradio.js").Widget<FiguresValue, undefined>} */
export const figures = { View: Figures };
