// The tab Share: the link, files, and the same result in Python.
import { save } from "./downloads.js";
import { made } from "./server.js";
import { inside, toast } from "./shared.js";
import { isUpload, queryOf, state } from "./state.js";

const PROGRAM = (url) => `from gradio_client import Client, handle_file

client = Client("${url}")
png, result = client.predict(handle_file("photo.jpg"), "dog, grass", api_name="/segment")
words = client.predict(handle_file("photo.jpg"), api_name="/suggest")
about = client.predict(api_name="/about")`;

export function drawShare(section, forgetPhotos) {
  const { $, $$ } = inside(section);
  const include = $("#include input");
  const copy = $(".copy");
  const link = $("#link");

  const page = () => location.href.split("?")[0];
  /** A link shows the tab that a person shares: the mask, unless another tab of the photo. */
  function linkOf() {
    const shared = {
      ...state,
      tab: ["learn", "share"].includes(state.tab) ? "segment" : state.tab,
      words: state.words || (isUpload(state.photo) ? ownWords : ""),
    };
    return `${page()}?${queryOf(shared, { isShared: true, withPhoto: include.checked })}`;
  }

  const drawLink = () => {
    link.value = linkOf();
    const isWithout = isUpload(state.photo) && !include.checked;
    copy.textContent = isWithout ? "Copy the link, without the photo" : "Copy the link";
  };

  let photo = "";
  let ownWords = ""; // of a photo, which whoever opens the link may not see
  /** @param {import("./types.js").Canvas} [canvas] */
  function draw(python, chosen = "", canvas) {
    ownWords = chosen;
    const isOwn = isUpload(state.photo);
    $("#include").hidden = !isOwn;
    if (photo !== state.photo) include.checked = false;
    photo = state.photo;
    drawLink();
    const note = isOwn
      ? "The link opens these words and settings; it shows your photo only if you include it, and while this server has it. Share this link, not the address of the page, which includes your photo."
      : "The link opens this photo with these settings.";
    const isLeftOut = state.words && !link.value.includes("words=");
    const words = isLeftOut ? " The words are too long for a link and are left out." : "";
    const shown = state.shown ? " What you have shown stays in this browser." : "";
    $(".note").textContent = note + words + shown;
    if (python) $("#python code").textContent = python;
    $("#python").classList.toggle("stale", !python);
    const numbers = canvas?.classes.map(({ name }, number) => `${number} ${name}`).join(", ");
    $(".numbers").textContent = numbers ? `In the mask: ${numbers}; 255 no word.` : "";
    $("#program code").textContent = PROGRAM(page());
  }

  include.onchange = drawLink;
  /** Over plain HTTP a page has no clipboard, but it can copy a selection. */
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(link.value);
      copy.textContent = "Copied";
    } catch {
      link.select();
      copy.textContent = document.execCommand("copy") ? "Copied" : "Copy it manually";
    }
  };
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
