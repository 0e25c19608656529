// The photo to segment: dropped anywhere on the page, chosen, pasted, or taken with the camera.
import { place } from "./blobs.js";
import { button, make } from "./dom.js";
import { page, WORDS } from "./page.js";

const TOUCH = "(hover: none) and (pointer: coarse)";
const images = (list) => [...(list ?? [])].filter((file) => file.type.startsWith("image/"));
const busy = (is) => document.querySelector("#tabs")?.toggleAttribute("data-busy", is);

const upload = async (file) => {
  const body = new FormData();
  body.append("files", file, file.name || "photo.png");
  const answer = await fetch("gradio_api/upload", { method: "POST", body });
  if (!answer.ok) throw new Error(answer.status === 413 ? WORDS.photo.large : WORDS.photo.refused);
  const [path] = await answer.json();
  return { path, orig_name: file.name || "photo.png", meta: { _type: "gradio.FileData" } };
};

// A picture of the camera as a file, or null.
const photograph = (place, stream) =>
  new Promise((done) => {
    const box = make("dialog", "camera");
    const video = make("video");
    const end = (file) => {
      for (const track of stream.getTracks()) track.stop();
      box.remove();
      done(file);
    };
    const take = () => {
      const canvas = make("canvas");
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob((blob) => end(new File([blob], "camera.png", { type: "image/png" })));
    };
    Object.assign(video, { autoplay: true, muted: true, playsInline: true, srcObject: stream });
    box.append(
      video,
      button(WORDS.photo.take, take),
      button(WORDS.photo.cancel, () => end(null)),
    );
    box.addEventListener("cancel", () => end(null));
    place.append(box);
    box.showModal();
  });

export const photo = ({ root, element, trigger, watch, arrived }) => {
  const input = make("input");
  const ariaLabel = WORDS.photo.file;
  Object.assign(input, { type: "file", accept: "image/*", hidden: true, ariaLabel });
  element.append(input);
  const say = (words) => {
    said.textContent = words;
  };

  const take = async (file) => {
    if (!file) return;
    say(WORDS.photo.uploading);
    busy(true);
    page.typed = false;
    try {
      page.photo = await upload(file);
      trigger("submit", { value: page.photo.path });
      say("");
    } catch (error) {
      busy(false);
      say(error instanceof TypeError ? WORDS.photo.refused : error.message);
    }
  };
  const choose = (capture) => {
    if (capture) input.setAttribute("capture", "environment");
    else input.removeAttribute("capture");
    input.value = "";
    input.click();
  };
  const camera = async () => {
    if (matchMedia(TOUCH).matches) return choose(true);
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: true });
      await take(await photograph(element, stream));
    } catch (error) {
      say(WORDS.camera[error.name] ?? WORDS.camera.NotAllowedError);
    }
  };
  page.choosePhoto = () => choose(false);

  input.addEventListener("change", () => take(input.files[0]));
  const on = (type, follow) =>
    document.addEventListener(type, (event) => {
      if (event.defaultPrevented) return;
      follow(event, event.dataTransfer ?? event.clipboardData);
    });
  const over = (is) => root.toggleAttribute("data-over", is);
  on("dragover", (event, data) => {
    if (!data?.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  on("dragleave", (event) => event.relatedTarget || over(false));
  on("drop", (event, data) => {
    over(false);
    if (!data?.files.length) return;
    event.preventDefault();
    if (images(data.files).length) take(images(data.files)[0]);
    else say(WORDS.photo.kind);
  });
  on("paste", (event, data) => {
    const [file] = images(data?.files);
    if (!file) return;
    event.preventDefault();
    take(file);
  });

  // Built once: a press during which an answer comes would be lost with its button.
  const target = button("", () => choose(false), "target");
  const label = make("span", "label");
  const touch = matchMedia(TOUCH).matches;
  label.append(
    make("strong", "", touch ? WORDS.photo.choose : WORDS.photo.drop),
    make("span", "", touch ? "" : WORDS.photo.how),
  );
  target.append(label);
  const said = make("span", "said");
  said.setAttribute("role", "status");
  const foot = make("div", "foot");
  foot.append(button(WORDS.photo.camera, camera, "gw-link"), said);
  root.replaceChildren(target, foot);
  const shown = make("img");
  const show = () => {
    const { picture, title } = arrived();
    if (!picture) return shown.remove();
    Object.assign(shown, { src: place(picture), alt: title });
    if (!shown.isConnected) target.append(shown);
  };
  watch("value", show);
  show();
};
