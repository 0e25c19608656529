// The requests to the server, and the addresses of its pictures.
import { SETTINGS, state } from "./state.js";
import { Client } from "./vendor/gradio-client.js";
/** @import { State } from "./types.js" */

export const LOST =
  "The server keeps photos for a day at most, and this one is gone. Choose yours, or an example.";

/** @param {string} name */
export const photoUrl = (name) => `photos/${name}`;
/** @param {string} url */
export const smallUrl = (url) => `${url}?preview`;

/** A client whose requests do not repeat the page's address, whose words a proxy would log. */
class Private extends Client {
  /** @param {string | URL} url @param {RequestInit} options */
  async fetch(url, options) {
    const address = new URL(url, location.href);
    if (address.pathname.endsWith("/queue/join"))
      for (const name of [...address.searchParams.keys()])
        if (!name.startsWith("__")) address.searchParams.delete(name);
    const response = await super.fetch(address, options);
    if (response.status === 401) location.reload(); // which leads to the log-in
    return response;
  }
}
const connect = () => Private.connect(new URL(".", location.href).href.replace(/\/$/, ""));
/** @type {?Promise<Client>} */
let client = null;
function connected() {
  client ??= connect();
  return client;
}
/** After an error, the next request has a connection of its own. */
export function disconnect() {
  client = null;
}

/** The values of messages, one after the other. @param {AsyncIterable<any>} stream */
async function* valuesOf(stream) {
  for await (const { type, data } of stream) if (type === "data") yield data[0];
}

/** @param {State} of */
const settingsOf = (of) => Object.fromEntries(SETTINGS.map((name) => [name, of[name]]));

/** The messages with the pieces of a state.
 * @param {string} photo @param {State} of @param {string[]} names */
export async function* answer(photo, of, names) {
  yield* valuesOf((await connected()).submit("/answer", [photo, settingsOf(of), names]));
}

/** A file of `share.made`, of a state: its name and its blob.
 * @param {string} file @returns {Promise<[string, Blob]>} */
export async function made(file, label = 0, of = state) {
  const asked = [of.photo, settingsOf(of), file, label];
  const { data } = await (await connected()).predict("/download", asked);
  const [{ gone, error, name, data: text }] = data;
  if (gone !== undefined) throw new Error(LOST);
  if (error) throw new Error(error);
  const response = await fetch(`data:application/octet-stream;base64,${text}`);
  return [name, await response.blob()];
}

/** The messages of a download of weights to the server, and what cancels it.
 * @param {string} backbone */
export async function weights(backbone) {
  const stream = (await connect()).submit("/fetch", [backbone]); // cancelling ends a session's streams
  return { messages: valuesOf(stream), cancel: () => stream.cancel() };
}

/** Send a file; returns its name on the server, or why it was refused.
 * @param {Blob & { name?: string }} file @param {AbortSignal} [signal] */
export async function upload(file, signal) {
  if (/\.hei[cf]$/i.test(file.name ?? ""))
    return ["", "HEIC files cannot be read here. Export the photo as JPEG, and choose that."];
  try {
    const sent = await fetch("photos", { method: "POST", body: file, signal });
    const { photo, error } = await sent.json();
    return [photo, error ?? "The server did not take this photo. Try again."];
  } catch {
    return ["", "The photo did not reach the server. Try again."];
  }
}
