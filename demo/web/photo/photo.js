// The photo to segment: dropped anywhere on the page, chosen, pasted, or taken with the camera.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { addressOf } from "../blobs.js";
import { useHost } from "../gradio.js";
import { useDocumentEvent } from "../hooks.js";
import { html } from "../html.js";
import { input } from "../input.js";
import { setUpload } from "../waiting.js";
import { WORDS } from "../words.js";
import { Camera } from "./camera.js";
import { upload } from "./upload.js";

const TOUCH = "(hover: none) and (pointer: coarse)";

/** @param {DataTransfer | null} data */
const imagesIn = (data) => [...(data?.files ?? [])].filter(({ type }) => type.startsWith("image/"));

/**
 * Photos that are dropped or pasted anywhere.
 * @param {(file: File | null) => void} take null for another kind of file
 */
const useAnywhere = (take) => {
  const { root } = useHost();
  const setOver = (/** @type {boolean} */ is) => root.toggleAttribute("data-over", is);
  useDocumentEvent("dragover", (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    setOver(true);
  });
  useDocumentEvent("dragleave", (event) => event.relatedTarget || setOver(false));
  useDocumentEvent("drop", (event) => {
    setOver(false);
    if (event.defaultPrevented || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    take(imagesIn(event.dataTransfer)[0] ?? null);
  });
  useDocumentEvent("paste", (event) => {
    const [file] = imagesIn(event.clipboardData);
    if (event.defaultPrevented || !file) return;
    event.preventDefault();
    take(file);
  });
};

/** What takes a file, and what is said of it. */
const useUpload = () => {
  const { trigger } = useHost();
  const [status, setStatus] = useState("");
  const take = async (/** @type {File | null} */ file) => {
    if (!file) {
      setStatus(WORDS.photo.kind);
      return;
    }
    setStatus(WORDS.photo.uploading);
    setUpload("sending");
    input.typed = false;
    try {
      const uploaded = await upload(file);
      input.photo = uploaded;
      setUpload("sent");
      trigger("submit", { value: uploaded.path });
      setStatus("");
    } catch (error) {
      setUpload("none");
      setStatus(error instanceof Error ? error.message : WORDS.photo.refused);
    }
  };
  return { status, setStatus, take };
};

/** @param {{ value: import("../../widgets/values").PhotoValue }} props */
const Photo = ({ value: { picture, title } }) => {
  const { status, setStatus, take } = useUpload();
  const [stream, setStream] = useState(/** @type {MediaStream | null} */ (null));
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  const touch = matchMedia(TOUCH).matches;
  useAnywhere(take);
  const choose = (capture = false) => {
    if (!file.current) return;
    if (capture) file.current.setAttribute("capture", "environment");
    else file.current.removeAttribute("capture");
    file.current.value = "";
    file.current.click();
  };
  useLayoutEffect(() => {
    input.choosePhoto = () => choose();
  }, []);
  const openCamera = async () => {
    if (touch) return choose(true);
    try {
      setStream(await navigator.mediaDevices.getUserMedia({ video: true }));
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      setStatus(WORDS.camera[name] ?? WORDS.camera.NotAllowedError);
    }
  };
  const changed = (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => {
    const [chosen] = currentTarget.files ?? [];
    if (chosen) take(chosen);
  };
  return html`<button type="button" class="target" onClick=${() => choose()}>
      ${
        picture
          ? html`<img src=${addressOf(picture)} alt=${title} />`
          : html`<span class="room" aria-hidden="true" />`
      }
      <span class="label">
        <strong class="first">${touch ? WORDS.photo.choose : WORDS.photo.drop}</strong>
        <strong class="next">${WORDS.photo.change}</strong>
        <span>${touch ? WORDS.photo.tap : WORDS.photo.how}</span>
      </span>
    </button>
    <div class="foot">
      <button type="button" class="gw-link" onClick=${openCamera}>${WORDS.photo.camera}</button>
      <span class="said" role="status">${status}</span>
    </div>
    <input
      ref=${file}
      type="file"
      accept="image/*"
      hidden
      aria-label=${WORDS.photo.file}
      onChange=${changed}
    />
    ${
      stream && html`<${Camera} stream=${stream} onPhoto=${take} onEnd=${() => setStream(null)} />`
    }`;
};

/** @type {import("../gradio.js").Widget<import("../../widgets/values").PhotoValue, undefined>} */
export const photo = { View: Photo };
