// A button that fetches a file of the server and shares or downloads it; it says how far it is.
import { useEffect, useState } from "preact/hooks";
import { fetchFile, MissingError } from "./blobs.js";
import { pause } from "./dom.js";
import { canShare, download, fileName, share } from "./files.js";
import { html } from "./html.js";
import { WORDS } from "./page/words.js";

/** @typedef {import("../widgets/values").ShareWord} ShareWord */

const SHOWN = 2000; // milliseconds that a button shows what it did

/** What was done, in a word; null where the visitor closed the sheet. @param {File} file */
const take = async (file) => {
  download(file);
  return /** @type {const} */ ("saved");
};

/** @param {File} file */
const shareOrTake = async (file) => {
  if (!canShare(file)) return take(file);
  try {
    return (await share(file)) ? /** @type {const} */ ("shared") : null;
  } catch (error) {
    // Drawing may take longer than a browser remembers the press that it needs for its sheet.
    if (error instanceof DOMException && error.name === "NotAllowedError") return "ready";
    return take(file);
  }
};

/**
 * The label for now, and what a press does; the file is fetched once.
 * @param {string} blob
 * @param {string} name
 * @param {(file: File) => Promise<ShareWord | null>} act
 */
const useFile = (blob, name, act) => {
  const [file, setFile] = useState(/** @type {File | null} */ (null));
  const [word, setWord] = useState(/** @type {ShareWord | null} */ (null));
  useEffect(() => {
    setFile(null);
    setWord(null);
  }, [blob]);
  const press = async () => {
    setWord(file ? null : "drawing");
    try {
      const body = file ?? (await fetchFile(blob));
      const named = body instanceof File ? body : new File([body], name, { type: body.type });
      setFile(named);
      const done = await act(named);
      setWord(done);
      if (done === "ready") return;
    } catch (error) {
      setWord(error instanceof MissingError ? "gone" : "failed");
    }
    await pause(SHOWN);
    setWord(null);
  };
  return { word, press };
};

/**
 * @param {object} props
 * @param {string} props.blob empty before there is one
 * @param {string} props.words that name the file
 * @param {"png" | "pdf" | "zip"} props.ending
 * @param {string} props.label
 * @param {boolean} [props.shares] by the browser's sheet, where it has one
 */
export const FileButton = ({ blob, words, ending, label, shares = false }) => {
  const { word, press } = useFile(blob, fileName(words, ending), shares ? shareOrTake : take);
  const shown = word ? WORDS.share[word] : label;
  const longest = [label, WORDS.share.ready, WORDS.share.failed].reduce((a, b) =>
    a.length > b.length ? a : b,
  );
  return html`<button
    type="button"
    class="gw-button gw-room"
    data-room=${longest}
    disabled=${!blob || word === "drawing"}
    onClick=${press}
  >
    <span aria-live="polite">${shown}</span>
  </button>`;
};
