// The tab Share: the link, files, and the same result in Python.
import { save } from "./downloads.js";
import { inside, toast } from "./elements.js";
import { made } from "./server.js";
import { isUpload, queryOf, showsPhoto, state } from "./state.js";

/** @import { Canvas } from "./types.js" */

/** @param {string} url */
const PROGRAM = (url) => `from gradio_client import Client, handle_file

client = Client("${url}")
png, result = client.predict(handle_file("photo.jpg"), "dog, grass", api_name="/segment")
words = client.predict(handle_file("photo.jpg"), api_name="/suggest")
about = client.predict(api_name="/about")`;

/** @param {HTMLElement} section @param {() => Promise<void>} forgetPhotos */
export function createShare(section, forgetPhotos) {
  const { $, $$ } = inside(section);
  const link = $("#link");

  const page = () => location.href.split("?")[0];
  /** A link shows the tab that a person shares: the mask, unless another tab of the photo.
   * @param {boolean} withPhoto */
  function linkOf(withPhoto) {
    const shared = {
      ...state,
      tab: showsPhoto(state.tab) ? state.tab : "segment",
      words: state.words || (isUpload(state.photo) ? ownWords : ""),
    };
    return `${page()}?${queryOf(shared, { isShared: true, withPhoto })}`;
  }

  let ownWords = ""; // of a photo, which whoever opens the link may not see
  /** @param {string} [python] @param {string} [chosen]
   * @param {Canvas} [canvas] */
  function draw(python, chosen = "", canvas) {
    ownWords = chosen;
    const isOwn = isUpload(state.photo);
    link.value = linkOf(false);
    $(".whole").textContent = isOwn ? "Copy with my photo" : "Copy the link";
    Object.assign($(".bare"), { textContent: "Copy without it", hidden: !isOwn });
    const note = isOwn
      ? "With your photo, the link works while this server has it, for at most a day. Without it, the link opens these words and settings. The address of the page includes your photo."
      : "The link opens this photo with these settings.";
    const isLeftOut = state.words && !link.value.includes("words=");
    const words = isLeftOut ? " The words are too long for a link and are left out." : "";
    const shown = state.shown ? " What you have shown stays in this browser." : "";
    $(".note").textContent = note + words + shown;
    if (python) $("#python code").textContent = python;
    $("#python").classList.toggle("stale", !python && state.photo !== "");
    const numbers = canvas?.classes.map(({ name }, number) => `${number} ${name}`).join(", ");
    $(".numbers").textContent = numbers ? `In the mask: ${numbers}; 255 no word.` : "";
    $("#program code").textContent = PROGRAM(page());
  }

  for (const button of $$(".copy")) button.onclick = () => copy(button);

  /** Over plain HTTP a page has no clipboard, but it can copy a selection.
   * @param {HTMLElement} button */
  async function copy(button) {
    link.value = linkOf(button.matches(".whole"));
    try {
      await navigator.clipboard.writeText(link.value);
      button.textContent = "Copied";
    } catch {
      link.select();
      button.textContent = document.execCommand("copy") ? "Copied" : "Copy it manually";
    }
  }
  for (const button of $$("[data-file]"))
    button.onclick = () => save(button, () => made(button.dataset.file));
  $(".forget").onclick = async () => {
    try {
      await forgetPhotos();
      toast("Your photos are forgotten, here and on the server.");
    } catch {
      toast("The server does not respond. It deletes your photos after a day at the latest.");
    }
  };
  return { draw };
}
