// Files to download, and the picture that the browser makes at the size of the photo.
import { make, toast } from "./elements.js";

const LONGEST = 4096; // larger pictures are blank on some phones

/** An empty picture as large as the photo. @param {HTMLImageElement} photo */
function sheet(photo) {
  const longest = Math.max(photo.naturalWidth, photo.naturalHeight);
  const scale = Math.min(1, LONGEST / longest);
  return Object.assign(make("canvas"), {
    width: Math.round(photo.naturalWidth * scale),
    height: Math.round(photo.naturalHeight * scale),
  });
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
const blobOf = (canvas) => new Promise((resolve) => canvas.toBlob(resolve));

/** The photo with its mask and its names, as shown.
 * @param {HTMLImageElement} photo @param {HTMLCanvasElement} mask
 * @param {HTMLElement[]} names @param {HTMLElement} stage */
export function picture(photo, mask, names, stage) {
  const result = sheet(photo);
  const context = result.getContext("2d");
  context.filter = getComputedStyle(photo).filter;
  context.drawImage(photo, 0, 0, result.width, result.height);
  context.filter = "none";
  context.drawImage(mask, 0, 0, result.width, result.height);
  const scale = result.width / stage.clientWidth;
  context.scale(scale, scale);
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const name of names) {
    const { offsetLeft: x, offsetTop: y, offsetWidth: width, offsetHeight: height } = name;
    const { backgroundColor, color, font } = getComputedStyle(name);
    context.fillStyle = backgroundColor;
    context.beginPath();
    context.roundRect(x, y, width, height, height / 2);
    context.fill();
    Object.assign(context, { fillStyle: color, font });
    context.fillText(name.textContent, x + width / 2, y + height / 2, width - 10);
  }
  return blobOf(result);
}

/** Save a file, and say so on its button. `makeFile` returns its name and its blob.
 * @param {HTMLElement} button @param {() => Promise<[string, Blob]>} makeFile */
export async function save(button, makeFile) {
  button.classList.add("saving");
  try {
    const [download, blob] = await makeFile();
    const href = URL.createObjectURL(blob);
    Object.assign(make("a"), { href, download }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    button.classList.add("saved");
    setTimeout(() => button.classList.remove("saved"), 3000);
  } catch (error) {
    toast(error.message || "The file could not be made. Try again.");
  } finally {
    button.classList.remove("saving");
  }
}
