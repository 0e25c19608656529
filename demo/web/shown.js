// Words that were shown by marks, for other photos: each model's, by name, as settings.py reads
// them. They stay in this browser.
const PLACE = "gclip-shown";
const MOST = 10; // of a model

/** @type {Record<string, Record<string, string>>} */
let kept = {};
try {
  kept = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
} catch {
  // a private window, or a frame of another site: until the page is closed
}

function save() {
  try {
    localStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {}
}

/** @param {string} backbone @param {string} name @param {string} embedding */
export function keep(backbone, name, embedding) {
  const others = Object.entries(kept[backbone] ?? {}).filter(([other]) => other !== name);
  kept[backbone] = Object.fromEntries([...others.slice(1 - MOST), [name, embedding]]);
  save();
}

export const names = (backbone) => Object.keys(kept[backbone] ?? {});

/** Those among the words of a text, for the server.
 * @param {string} backbone @param {string} words */
export function among(backbone, words) {
  const typed = words.split(/[,;\n]/).map((word) => word.trim().toLowerCase());
  return Object.entries(kept[backbone] ?? {})
    .filter(([name]) => typed.includes(name.toLowerCase()))
    .map((pair) => pair.join())
    .join(";");
}

export function forget() {
  kept = {};
  save();
}
