// The photo to segment: dropped anywhere on the page, chosen, pasted, or taken with the camera.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { addressOf } from "../blobs.js";
import { useHost } from "../gradio.js";
import { useDocumentEvent } from "../hooks.js";
import { html } from "../html.js";
import { input } from "../page/input.js";
import { setUpload } from "../page/waiting.js";
import { WORDS } from "../page/words.js";

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

/** Sends a file to Gradio, as its own components do. @param {File} file */
const upload = async (file) => {
  const body = new FormData();
  body.append("files", file, file.name || "photo.png");
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch("gradio_api/upload", { method: "POST", body });
  } catch {
    throw new Error(WORDS.photo.refused); // no connection
  }
  if (!answer.ok) throw new Error(answer.status === 413 ? WORDS.photo.large : WORDS.photo.refused);
  const [path] = await answer.json();
  return { path, orig_name: file.name || "photo.png", meta: { _type: "gradio.FileData" } };
};

/** @param {HTMLVideoElement} video @returns {Promise<File>} */
const photograph = (video) =>
  new Promise((done) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      if (blob) done(new File([blob], "camera.png", { type: "image/png" }));
    });
  });

/**
 * Takes a picture with the camera.
 * @param {{ stream: MediaStream, onPhoto: (file: File) => void, onEnd: () => void }} props
 */
const Camera = ({ stream, onPhoto, onEnd }) => {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  useLayoutEffect(() => {
    if (video.current) video.current.srcObject = stream;
    dialog.current?.showModal();
    return () => {
      for (const track of stream.getTracks()) track.stop();
    };
  }, [stream]);
  const take = async () => {
    if (video.current) onPhoto(await photograph(video.current));
    onEnd();
  };
  return html`<dialog class="camera" ref=${dialog} onCancel=${onEnd}>
    <video ref=${video} autoplay muted playsinline />
    <button type="button" class="gw-button" onClick=${take}>${WORDS.photo.take}</button>
    <button type="button" class="gw-button" onClick=${onEnd}>${WORDS.photo.cancel}</button>
  </dialog>`;
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
      trigger("photo", { value: uploaded.path });
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
      <span class="status" role="status">${status}</span>
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
