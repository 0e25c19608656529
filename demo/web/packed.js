// Arrays of bytes that the server has packed.
/** @import { Packed } from "./types.js" */

/** Those that have been unpacked. @type {WeakMap<Packed, Promise<Uint8Array>>} */
const unpacked = new WeakMap();

/** @param {Packed} packed */
function numbers(packed) {
  if (!unpacked.has(packed)) unpacked.set(packed, unpack(packed.url));
  return unpacked.get(packed);
}

/** @param {string} url */
async function unpack(url) {
  const { body } = await fetch(url);
  const stream = body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A function that unpacks arrays and then shows them; a newer call cancels older ones. */
export function newestOnly() {
  let newest = 0;
  /** @param {(Packed | null | undefined)[]} packed @param {(arrays: any) => void} show */
  return async (packed, show) => {
    newest += 1;
    const call = newest;
    const arrays = await Promise.all(packed.map((part) => part && numbers(part)));
    if (call === newest) show(arrays);
  };
}
