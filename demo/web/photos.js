// The visitor's photos, which stay in this browser: the last twenty, by their names on the server.
import { photoUrl, smallUrl } from "./server.js";

const MOST = 20;
/** The files in the order in which they came. @type {Map<string, {file: Blob, url: string}>} */
const kept = new Map();
/** Whether this browser keeps them when the page is closed. */
export let isLasting = true;

/** @type {?IDBDatabase} */
let database = null;

/** A request of IndexedDB as a promise. @param {IDBRequest} request @returns {Promise<any>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
/** @param {IDBTransactionMode} mode */
const table = (mode) => database.transaction("photos", mode).objectStore("photos");

/** Settles when the photos of earlier visits are known. */
export const ready = (async () => {
  try {
    const request = indexedDB.open("gclip", 1);
    request.onupgradeneeded = () =>
      request.result.createObjectStore("photos", { keyPath: "name" }).createIndex("time", "time");
    database = await done(request);
    for (const { name, file } of await done(table("readonly").index("time").getAll()))
      remember(name, file);
  } catch {
    isLasting = false; // a private window, or a frame of another site
  }
})();

/** @param {string} name */
function discard(name) {
  URL.revokeObjectURL(kept.get(name)?.url);
  kept.delete(name);
}

/** @param {string} name @param {Blob} file */
function remember(name, file) {
  discard(name);
  kept.set(name, { file, url: URL.createObjectURL(file) });
}

/** @param {string} name @param {Blob} file */
export async function keep(name, file) {
  remember(name, file);
  const excess = [...kept.keys()].slice(0, -MOST);
  for (const old of excess) discard(old);
  if (!isLasting) return;
  try {
    await done(table("readwrite").put({ name, file, time: Date.now() }));
    for (const old of excess) await done(table("readwrite").delete(old));
  } catch {
    isLasting = false; // the disk is full
  }
}

/** The file of that name, if this browser has it. @param {string} name */
export async function find(name) {
  await ready;
  return kept.get(name)?.file;
}

/** The URL of a photo: the visitor's own file, or the server's copy. @param {string} name */
export const urlOf = (name) => kept.get(name)?.url ?? photoUrl(name);
/** That of a smaller copy, if the server has it. @param {string} url */
export const smallOf = (url) => (url.startsWith("photos/") ? smallUrl(url) : url);

/** Forget all photos, here and on the server, for computers that are shared. */
export async function forget() {
  const others = database ? await done(table("readonly").getAllKeys()) : []; // of other tabs
  const names = new Set([...kept.keys(), ...others]);
  for (const name of names) discard(name);
  const deletions = [...names].map(async (name) => {
    const { ok } = await fetch(`photos/${name}`, { method: "DELETE" });
    if (!ok) throw new Error("The server has refused to delete a photo.");
  });
  await Promise.all([database && done(table("readwrite").clear()), ...deletions]);
}
