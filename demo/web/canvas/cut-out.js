// One word as a transparent picture: shown, to download, to copy, and to share where that is there.
import { useEffect, useState } from "preact/hooks";
import { fetchFile } from "../blobs.js";
import { Failed } from "../failed.js";
import { canShare, fileName, share } from "../files.js";
import { useFetched } from "../hooks.js";
import { html } from "../html.js";

/** @typedef {{ file: File, address: string }} Cut */

/** @param {File} file */
const copy = (file) => navigator.clipboard.write([new ClipboardItem({ [file.type]: file })]);

const canCopy = () => Boolean(navigator.clipboard?.write) && typeof ClipboardItem === "function";

/**
 * The cut-out once it is fetched, and why it is not.
 * @param {string} blob
 * @param {string} name
 */
const useCut = (blob, name) => {
  const { data, error, retry } = useFetched(blob, fetchFile);
  const [cut, setCut] = useState(/** @type {Cut | null} */ (null));
  useEffect(() => {
    if (!data) return;
    const address = URL.createObjectURL(data);
    setCut({
      file: new File([data], fileName(`${name} cut out`, "png"), { type: data.type }),
      address,
    });
    return () => URL.revokeObjectURL(address);
  }, [data]);
  return { cut: data && cut, error, retry };
};

/** @param {{ cut: Cut, name: string }} props */
const Ways = ({ cut: { file, address }, name }) => {
  const [note, setNote] = useState("");
  const run = async (/** @type {(file: File) => Promise<string>} */ way) => {
    setNote(await way(file).catch(() => "The browser did not allow it: download it instead."));
  };
  const copying = () => run((file) => copy(file).then(() => "Copied."));
  const sharing = () => run((file) => share(file).then((shared) => (shared ? "Shared." : "")));
  return html`<img class="gw-cut-picture" src=${address} alt=${`${name}, cut out`} />
    <div class="gw-cut-ways">
      <a class="gw-link" href=${address} download=${file.name}>Download PNG</a>
      ${canCopy() && html`<button type="button" class="gw-link" onClick=${copying}>Copy</button>`}
      ${
        canShare(file) &&
        html`<button type="button" class="gw-link" onClick=${sharing}>Share</button>`
      }
      <span role="status">${note}</span>
    </div>`;
};

/**
 * @param {object} props
 * @param {string} props.name
 * @param {string} props.blob
 * @param {[number, number]} props.size of the picture
 * @param {() => void} props.onClose
 */
export const CutOut = ({ name, blob, size: [height, width], onClose }) => {
  const { cut, error, retry } = useCut(blob, name);
  return html`<section class="gw-cut" aria-label=${`Cut-out of ${name}`}>
    <div class="gw-cut-head">
      <span><bdi>${name}</bdi>, cut out: ${width} × ${height} pixels</span>
      <button type="button" class="gw-link" onClick=${onClose}>Close</button>
    </div>
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
    ${cut && html`<${Ways} cut=${cut} name=${name} />`}
    ${!cut && !error && html`<p class="gw-note" role="status">It is being made …</p>`}
  </section>`;
};
