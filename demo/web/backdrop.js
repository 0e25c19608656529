// The photo under a mask: alone until its mask is there, and small until the sharp one is.
import { make } from "./elements.js";
import { smallOf, urlOf } from "./photos.js";
import { photoUrl } from "./server.js";

/**
 * Draw the `img` of a canvas, whose attribute `data-shows` tells the style sheet what is seen:
 *   photo   a photo alone, or nothing yet
 *   mask    a photo with its mask
 *   next    another photo alone, in place of that mask
 *   blank   no photo
 * @param {HTMLElement} element
 */
export function createBackdrop(element) {
  const image = element.querySelector("img");
  /** The URL of a photo that is shown alone. */
  let alone = "";
  /** The name of the photo with a mask, and the mask's shape. @type {?[string, number[]]} */
  let masked = null;

  /** @param {"photo" | "mask" | "next" | "blank"} shows */
  function mark(shows) {
    element.dataset.shows = shows;
  }

  /** @param {number[]} size */
  const setRatio = ([height, width]) => element.style.setProperty("--ratio", `${width / height}`);

  /** @param {string} url */
  async function preview(url) {
    if (url === (alone || (masked && urlOf(masked[0])))) return;
    alone = url;
    const photo = Object.assign(make("img"), { src: smallOf(url) });
    try {
      await photo.decode();
    } catch {
      return; // the server says why
    }
    if (alone !== url || !image.clientWidth) return; // answered or refused meanwhile
    mark(masked ? "next" : "photo");
    setRatio([photo.naturalHeight, photo.naturalWidth]);
    image.src = photo.src;
  }

  /** The mask of a photo is there. @param {string} name @param {number[]} shape */
  async function settle(name, shape) {
    alone = "";
    masked = [name, shape];
    mark("mask");
    setRatio(shape);
    const url = urlOf(name);
    if (image.src.endsWith(url)) return;
    if (!image.src.endsWith(smallOf(url))) image.src = smallOf(url);
    await new Promise(requestAnimationFrame); // the mask first
    const sharp = Object.assign(make("img"), { src: url });
    let source = url;
    await sharp.decode().catch(() => {
      source = photoUrl(name); // a file that browsers cannot read
    });
    if (masked?.[0] === name && !alone) image.src = source;
  }

  /** Instead of a photo that is alone, the one with a mask. */
  function restore() {
    if (!alone) return;
    alone = "";
    if (masked) settle(...masked);
  }

  function clear() {
    alone = "";
    masked = null;
    mark("blank");
  }
  return { preview, settle, restore, clear };
}
