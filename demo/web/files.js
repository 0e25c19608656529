// In place of server.js, in a copy of the page without a server: what handout.py has written.
import { toast } from "./elements.js";
import { correct, FACTS, state } from "./state.js";
/** @import { State } from "./types.js" */

export const LOST = "This copy shows prepared photos only.";
export const disconnect = () => {};
/** @returns {Promise<[string, string]>} */
export const upload = async () => ["", LOST];
export const weights = upload;
export const photoUrl = (/** @type {string} */ name) => `photos/${name}.jpg`;
/** @param {string} url */
export const smallUrl = (url) => url.replace(/\.jpg$/, "-preview.jpg");

/** The settings that tell files apart, in the order of their names. */
const VARIED = /** @type {const} */ (["photo", "backbone", "words", "background", "block", "head"]);
/** Which of its photo's lists the words are; -1 for others. @param {State} of */
const listOf = ({ photo, words }) => (words ? FACTS.lists[photo].indexOf(words) : 0);

/** @param {string} name @param {State} of */
async function load(name, of) {
  const { uses } = FACTS.pieces[name];
  const values = VARIED.filter((one) => uses.includes(one)).map((one) => {
    const value = one === "words" ? listOf(of) : of[one];
    return typeof value === "boolean" ? Number(value) : value;
  });
  const { body } = await fetch(`pieces/${[name.replace(" ", "_"), ...values].join("_")}.bin`);
  const value = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).json();
  return uses.includes("enlarged") ? value[of.enlarged] : value;
}

/** @param {string} _ @param {State} of @param {string[]} names
 * @returns {AsyncGenerator<Record<string, any>>} */
export async function* answer(_, of, names) {
  if (listOf(of) >= 0) for (const name of names) yield { [name]: await load(name, of) };
  else {
    toast(`This copy has no answer for these words: ${of.words}. It shows the photo’s own.`);
    correct({ words: "" });
  }
}

/** @param {string} file @returns {Promise<[string, Blob]>} */
export async function made(file, label = 0, of = state) {
  if (!(of.amf && of.cs && of.background) || of.backbone !== FACTS.settings.backbone)
    throw new Error("This copy has files only of the first mask of a photo, with all switches on.");
  const name = file === "cutout" ? `cut-out-${label}.png` : FACTS.files[file];
  const response = await fetch(`files/${of.photo}_${listOf(of)}/${name}`);
  if (!response.ok) throw new Error("This copy has no such file: the photo is too narrow for it.");
  return [name, await response.blob()];
}
