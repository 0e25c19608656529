// Pictures and arrays that the server keeps under a name. Arrays are kept for the whole page, the
// last ones that were fetched; pictures only in the browser's HTTP cache.

/** @typedef {Record<string, Uint8Array | Uint16Array | Float32Array>} Arrays */
/**
 * Attention (n, n) in multiples of an equal share, and the exact largest of each row.
 * @typedef {object} Matrix
 * @property {number} n
 * @property {Float32Array} times row by row
 * @property {number} top the largest of all
 * @property {(row: number) => [column: number, times: number][]} strongest
 * @property {(row: number) => Float32Array} row
 */

const KEPT = 24;
/** In times an equal share: what is less is written as 0.0. */
export const LEAST = 0.05;
/** @type {Map<string, Promise<Arrays>>} */
const kept = new Map();
const base = () => location.href.split(/[?#]/)[0].replace(/\/?$/, "/");

/** @param {string} name */
export const addressOf = (name) => new URL(`blob/${name}`, base()).href;

/** The server keeps the blob no longer. */
export class MissingError extends Error {}

const TYPES = { u1: Uint8Array, u2: Uint16Array, f4: Float32Array };

/**
 * Arrays by name, as demo/widgets/blobs.py packs them; levels become values again.
 * @param {BufferSource} bytes
 * @returns {Promise<Arrays>}
 */
export const unpack = async (bytes) => {
  const flow = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(flow).arrayBuffer();
  let at = 4 + new DataView(buffer).getUint32(0, true);
  /** @type {[string, keyof typeof TYPES, number[], number, number][]} */
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, at - 4)));
  /** @type {Arrays} */
  const arrays = {};
  for (const [name, type, shape, top, steps] of head) {
    const size = shape.reduce((a, b) => a * b, 1) * TYPES[type].BYTES_PER_ELEMENT;
    const array = new TYPES[type](buffer.slice(at, at + size));
    at += size;
    const table = Float32Array.from({ length: steps + 1 }, (_, k) => top * (k / steps) ** 2);
    arrays[name] = steps ? Float32Array.from(array, (k) => table[k]) : array;
  }
  return arrays;
};

/** The same from a text within a value. @param {string} text */
export const unpackText = (text) => unpack(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));

/** @param {string} name */
const answerOf = async (name) => {
  const answer = await fetch(addressOf(name));
  if (answer.status === 404 || answer.status === 410) throw new MissingError(name);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer;
};

/** @param {string} name */
const download = async (name) => unpack(await (await answerOf(name)).arrayBuffer());

/** A file as the server made it. @param {string} name */
export const fetchFile = async (name) => (await answerOf(name)).blob();

/**
 * Arrays by name; the caller names their type.
 * @template {Arrays} T
 * @param {string} name
 * @returns {Promise<T>}
 */
export const fetchArrays = (name) => {
  const known = kept.get(name);
  if (known) return /** @type {Promise<T>} */ (known);
  while (kept.size >= KEPT) kept.delete(kept.keys().next().value ?? "");
  const coming = download(name);
  kept.set(name, coming);
  coming.catch(() => kept.delete(name));
  return /** @type {Promise<T>} */ (coming);
};

/**
 * @param {string} name
 * @returns {Promise<Matrix>}
 */
export const fetchMatrix = async (name) => {
  /** @type {import("../widgets/values").MatrixArrays} */
  const { times, places, most } = await fetchArrays(name);
  const n = Math.sqrt(times.length);
  const looks = places.length / n;
  const top = times.reduce((a, b) => Math.max(a, b), 0) || 1;
  return {
    n,
    times,
    top,
    strongest: (i) => {
      /** @type {[column: number, times: number][]} */
      const all = Array.from({ length: looks }, (_, k) => [
        places[i * looks + k],
        most[i * looks + k],
      ]);
      return all.filter(([, times], k) => k === 0 || times >= LEAST);
    },
    row: (i) => times.subarray(i * n, (i + 1) * n),
  };
};

/**
 * A picture that can be drawn.
 * @param {string} name
 */
export const fetchPicture = async (name) => {
  const image = Object.assign(new Image(), { alt: "", src: addressOf(name) });
  await image.decode();
  return image;
};

/**
 * The labels of a mask, -1 for none.
 * @param {string} text
 */
export const labelsOf = async (text) => {
  const { labels } = await unpackText(text);
  return Int32Array.from(labels, (label) => label - 1);
};
