// A state as a query of the page's address, and back: reload, Back and a link restore it.
import * as exemplars from "./exemplars.js";
import { DEFAULTS, FACTS, isUpload, SETTINGS, TABS } from "./facts.js";

/** @import { State } from "./types.js" */

export const MOST_IN_ADDRESS = 2000; // characters of words; longer ones stay in the history's entry

/** A setting as the address has it, in its own type; undefined if it cannot be used.
 * @param {string} name @param {string} text */
function settingOf(name, text) {
  const {
    type,
    enum: choices,
    minimum = -1e9,
    maximum = 1e9,
    maxLength = 1e9,
  } = FACTS.schema[name];
  if (type === "boolean") {
    const isOn = ["1", "true"].includes(text.toLowerCase());
    return isOn || ["0", "false"].includes(text.toLowerCase()) ? isOn : undefined;
  }
  if (choices) return choices.includes(text) ? text : undefined;
  if (type === "string") return text.length <= maxLength ? text : undefined;
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const isWhole = type !== "integer" || Number.isInteger(number);
  return number >= minimum && number <= maximum && isWhole ? number : undefined;
}

/** The state that an address stands for, and a note on what it cannot restore.
 * @param {string} query @param {Partial<State>} kept @returns {[State, string]} */
export function stateOf(query, kept = {}) {
  const found = { ...DEFAULTS };
  const unused = [];
  for (const [name, text] of new URLSearchParams(query)) {
    if (name === "shown") unused.push(name);
    else if (Object.hasOwn(FACTS.schema, name)) {
      const value = settingOf(name, text);
      if (value === undefined) unused.push(name);
      else Object.assign(found, { [name]: value });
    } else if (name === "example" && text === "own") found.photo = "";
    else if (name === "example" && FACTS.photos.includes(text)) found.photo = text;
    else if (name === "photo" && /^\w{16,64}$/.test(text)) found.photo = text;
    else if (name === "tab" && TABS.includes(text)) found.tab = text;
    else if (name === "patch") found.patch = Number.parseInt(text.split(".").at(-1), 10) - 1;
    else if (name === "step") found.step = FACTS.lessons[Number(text) - 1] ? Number(text) : 0;
    else if (!["kept", "window", "stride", "view"].includes(name) && !name.startsWith("__"))
      unused.push(name); // of older links, or Gradio's
  }
  if (!(found.patch >= 0)) found.patch = null;
  if (!found.photo) found.tab = "segment";
  const rest = unused.length > 5 ? ` and ${unused.length - 5} more` : "";
  const words = kept.words ?? found.words;
  found.shown = exemplars.among(found.backbone, words);
  const names = unused.slice(0, 5).map((name) => name.slice(0, 20));
  const note = unused.length ? `Ignored in this link: ${names.join(", ")}${rest}.` : "";
  return [{ ...found, ...kept }, note];
}

/** The query of a state; that of a link to share has the backbone and not the visitor's photo.
 * @param {State} from */
export function queryOf(from, { isShared = false, withPhoto = true } = {}) {
  const query = new URLSearchParams();
  if (!isUpload(from.photo)) query.set("example", from.photo || "own");
  else if (withPhoto) query.set("photo", from.photo);
  else query.set("example", "own");
  for (const name of SETTINGS) {
    const value = from[name];
    if (value === DEFAULTS[name] && !(isShared && name === "backbone")) continue;
    if (name === "shown" || (name === "words" && from.words.length > MOST_IN_ADDRESS)) continue;
    query.set(name, `${typeof value === "boolean" ? Number(value) : value}`);
  }
  if (from.tab !== "segment") query.set("tab", from.tab);
  if (from.patch !== null) query.set("patch", `${from.patch + 1}`);
  if (from.step && !isShared) query.set("step", `${from.step}`);
  return query;
}
