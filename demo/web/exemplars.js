// Words that marks have shown on one photo, for other photos: each model's, by name, with their
// embeddings as settings.py reads them. They stay in this browser.
import { recall } from "./storage.js";
import { wordsOf } from "./words.js";

const MOST = 10; // of a model

/** @type {Record<string, Record<string, string>>} */
let kept = recall("shown", undefined, "localStorage") ?? {};

/** @param {string} backbone @param {string} name @param {string} embedding */
export function keep(backbone, name, embedding) {
  const others = Object.entries(kept[backbone] ?? {}).filter(([other]) => other !== name);
  kept[backbone] = Object.fromEntries([...others.slice(1 - MOST), [name, embedding]]);
  recall("shown", kept, "localStorage");
}

/** @param {string} backbone */
export const names = (backbone) => Object.keys(kept[backbone] ?? {});

/** Those among the words of a text, for the server.
 * @param {string} backbone @param {string} text */
export function among(backbone, text) {
  const words = wordsOf(text);
  return Object.entries(kept[backbone] ?? {})
    .filter(([name]) => words.includes(name.toLowerCase()))
    .map((pair) => pair.join())
    .join(";");
}

export function forget() {
  kept = {};
  recall("shown", kept, "localStorage");
}
