// A picture of the camera, in a dialog.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { WORDS } from "../words.js";

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

/** @param {{ stream: MediaStream, onPhoto: (file: File) => void, onEnd: () => void }} props */
export const Camera = ({ stream, onPhoto, onEnd }) => {
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
