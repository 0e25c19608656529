// What the components share: elements, packed numbers, heat, patches of a grid, the pinned patch.

/** Selectors inside an element: for the first match, and for all matches. */
export const inside = (element) => ({
  $: (selector) => element.querySelector(selector),
  $$: (selector) => [...element.querySelectorAll(selector)],
});
export const make = (tag, className = "", text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });
/** Whether this visitor wants less motion. */
export const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
/** The colour of the background's bars, and how many words have bars. */
export const GREY = "#9aa0aa";
export const MOST_WORDS = 4;
export const behindText = (name) => (name ? `background (${name})` : "background");
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Bytes that the server packed; of more than 64 files, the oldest are dropped. */
const fetched = new Map();
function numbers({ file }) {
  if (!fetched.has(file.url)) {
    fetched.set(file.url, unpacked(file.url));
    fetched.get(file.url).catch(() => fetched.delete(file.url)); // or the error would stay cached
  }
  if (fetched.size > 64) fetched.delete(fetched.keys().next().value);
  return fetched.get(file.url);
}

class GoneError extends Error {}

async function unpacked(url) {
  const { ok, status, body } = await fetch(url);
  const isLate = [408, 429].includes(status);
  if (status >= 400 && status < 500 && !isLate) throw new GoneError(url); // deleted
  if (!ok) throw new Error(`${status} ${url}`);
  const stream = body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * A function that fetches packed numbers and then shows them. A newer call cancels older ones. Lost
 * connections are retried, but not files that the server has deleted.
 */
export function newestOnly(element) {
  let newest = 0;
  const gone = make("p", "gone");
  gone.setAttribute("role", "alert");
  const alarm = (text) => {
    gone.textContent = text;
    element.prepend(gone);
  };
  return async (packed, show) => {
    const call = ++newest;
    let arrays = null;
    let failures = 0;
    while (!arrays && call === newest) {
      try {
        arrays = await Promise.all(packed.map((part) => part && numbers(part)));
      } catch (error) {
        if (error instanceof GoneError) break;
        if (++failures === 5) alarm("The server does not respond. Trying again …");
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    }
    if (call !== newest) return;
    if (!arrays) return alarm("The server no longer has this answer. Reload the page.");
    gone.remove();
    show(arrays);
  };
}

/** Add a word to those that are typed, and ask for their mask. */
export function addWord(word) {
  const typed = document.querySelector("#words textarea").value.replace(/[\s,]+$/, "");
  window.gclip.submitWords([typed, word].filter(Boolean).join(", ")); // address.js
}

/** Until the first answer, page.css shows only a spinner. Tests wait for the next one. */
export function countAnswer(element) {
  element.dataset.answers = Number(element.dataset.answers ?? 0) + 1;
}

const RAMP = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];
/** A colour for each of 256 values, from black through red to yellow; low ones are transparent. */
export const HEAT = Uint32Array.from({ length: 256 }, (_, value) => {
  const t = (value / 255) * (RAMP.length - 1);
  const low = Math.min(Math.floor(t), RAMP.length - 2);
  const [r, g, b] = RAMP[low].map((from, i) => from + (t - low) * (RAMP[low + 1][i] - from));
  return abgr(r, g, b, 130 + value * 0.4);
});

/** A colour in the byte order of a canvas. */
export function abgr(r, g, b, alpha) {
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** "#rrggbb" in the byte order of a canvas. */
export function ink(colour, alpha) {
  const [r, g, b] = [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
  return abgr(r, g, b, alpha);
}

/** Show pixels in rows of `width`. */
export function put(canvas, width, pixels) {
  const picture = new ImageData(new Uint8ClampedArray(pixels.buffer), width);
  Object.assign(canvas, { width, height: picture.height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** Show pixels that `colour(i)` computes. */
export function draw(canvas, width, height, colour) {
  const pixels = new Uint32Array(width * height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colour(i);
  put(canvas, width, pixels);
}

export const heat = (canvas, values, columns) =>
  draw(canvas, columns, values.length / columns, (i) => HEAT[values[i]]);

/** The patch of a photo that the address pins, or null. */
export function pinnedPatch({ of, grid: [rows, columns] }) {
  const [photo, number] = (new URLSearchParams(location.search).get("patch") ?? "").split(".");
  const patch = Number(number) - 1;
  const isThere = Number.isInteger(patch) && patch >= 0 && patch < rows * columns;
  return photo === of && isThere ? patch : null;
}

/**
 * The pinned patch, which all drawings of a photo share. `follow` gets every pin `{ of, patch }`;
 * the returned function pins a patch, or null, in all drawings of the same photo (`of`), and in the
 * address, but not at every step while a key is held.
 */
export function pins(element, follow) {
  let timer = 0;
  const listen = ({ detail }) => {
    if (element.isConnected) follow(detail);
    else document.removeEventListener("pin", listen);
  };
  document.addEventListener("pin", listen);
  return (of, patch) => {
    document.dispatchEvent(new CustomEvent("pin", { detail: { of, patch } }));
    clearTimeout(timer);
    timer = setTimeout(
      () => window.gclip.recordPatch(patch === null ? "" : `${of}.${patch + 1}`),
      300,
    );
  };
}

/** The patch under a pointer, or the nearest; patches are numbered from 0, row by row. */
export function patchUnder({ clientX, clientY }, box, [rows, columns]) {
  const { left, top, width, height } = box.getBoundingClientRect();
  const row = clamp(Math.floor((rows * (clientY - top)) / height), 0, rows - 1);
  const column = clamp(Math.floor((columns * (clientX - left)) / width), 0, columns - 1);
  return row * columns + column;
}

export const ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};
export function patchBeside(patch, key, [rows, columns]) {
  const [down, right] = ARROWS[key];
  const row = clamp(Math.floor(patch / columns) + down, 0, rows - 1);
  return row * columns + clamp((patch % columns) + right, 0, columns - 1);
}
export const middle = ([rows, columns]) => Math.floor(rows / 2) * columns + Math.floor(columns / 2);
export const placeOf = (patch, [, columns]) =>
  `row ${Math.floor(patch / columns) + 1}, column ${(patch % columns) + 1}`;
