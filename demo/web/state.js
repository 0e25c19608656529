// The page's one state, the only code that changes it, and the address that has it.
//
//   change(values) ─► the address ─► follow: what is here already is drawn, the rest is asked for
import { toast } from "./elements.js";
import * as exemplars from "./exemplars.js";
import { recall } from "./storage.js";
import { contains } from "./words.js";
/** @import { Facts, Name, State } from "./types.js" */

/** @type {Facts} */
export const FACTS = JSON.parse(document.querySelector("#facts").textContent);
export const SETTINGS = /** @type {Name[]} */ (Object.keys(FACTS.schema));
/** A tab is a panel of the page, what draws it (DRAWN in app.js), and its pieces on the server. */
export const TABS = [...document.querySelectorAll("[role=tabpanel]")].map(({ id }) => id);
/** @type {State} */
const DEFAULTS = {
  ...FACTS.settings,
  photo: FACTS.opening,
  absent: "The photo of this link stayed with its owner. Choose one of yours.",
  tab: "segment",
  patch: null,
  step: 0,
};
/** Their change makes an entry in the history. @type {Name[]} */
const STEPS = ["photo", "words", "marks", "tab", "step"];
const MOST_IN_ADDRESS = 2000; // characters of words; longer ones stay in the history's entry

export let state = { ...DEFAULTS };
/** The state before an example, a lesson or a link in a note took the visitor's place.
 * @type {?State} */
export let returnTo = null;
/** Typed words that others have replaced. */
export let replaced = "";
/** The state in which a simulation was opened. @type {?State} */
let beforeSimulation = null;
/** What is called after each change, with whether it chose a photo.
 * @type {(isChosen: boolean) => void} */
let follow = () => {};

/** Open the address, and call `listener` now and after each change. @param {typeof follow} listener */
export function start(listener) {
  follow = listener;
  addEventListener("popstate", open);
  open();
}

/** Take on a state, and write it to the history by one of its methods.
 * @param {State} next @param {"" | "pushState" | "replaceState"} method */
function become(next, method = "", isChosen = false) {
  state = next;
  if (method) write(method);
  follow(isChosen);
}

/** A choice of the visitor. @param {Partial<State>} values */
export function change(values) {
  const before = state;
  const given = { ...broughtBack(values), ...values };
  const next = { ...before, ...given };
  if (next.photo !== before.photo) Object.assign(next, { words: "", marks: "", ...given });
  if (next.words !== before.words || patchesKey(next) !== patchesKey(before))
    next.patch = given.patch ?? null;
  next.shown = exemplars.among(next.backbone, next.words);
  remember(before, next);
  const isStep = STEPS.some((name) => next[name] !== before[name]);
  become(next, isStep ? "pushState" : "replaceState", "photo" in given);
}

/** A simulation ends with the switches before it, and with the photo that it was opened on, or
 * with a newer one of the visitor. @param {Partial<State>} values @returns {Partial<State>} */
function broughtBack({ backbone = state.backbone }) {
  const isEnd = state.backbone === FACTS.damaged && backbone !== FACTS.damaged;
  if (!isEnd) return {};
  const { photo, words, marks, amf, cs } = beforeSimulation ?? DEFAULTS;
  if (!beforeSimulation || photo === state.photo || isUpload(state.photo)) return { amf, cs };
  return { photo, words, marks, amf, cs };
}

/** Back to the model before the simulation or, if a link opened it, to the server's. */
export const endSimulation = () =>
  change({ backbone: beforeSimulation?.backbone ?? FACTS.undamaged });

/** Keep what a visitor can come back to. @param {State} before @param {State} next */
function remember(before, next) {
  if (next.backbone === FACTS.damaged && before.backbone !== FACTS.damaged)
    beforeSimulation = before;
  if (before.words && before.words !== next.words && !contains(next.words, before.words))
    replaced = before.words;
  if (replaced === next.words) replaced = "";
  if ((isUpload(before.photo) && !isUpload(next.photo)) || (next.step && !before.step))
    returnTo = before;
  if (isUpload(next.photo)) returnTo = null;
}

/** What is not a choice: the server has another name for the photo, or has lost it.
 * @param {Partial<State>} values */
export const correct = (values) => become({ ...state, ...values }, "replaceState");

/** Leave a lesson or an example for the visitor's own photo. */
export function comeBack(tab = "segment") {
  const to = returnTo;
  returnTo = null;
  change({ ...DEFAULTS, ...to, tab, step: 0 });
}

/** The state with another photo: settings stay, but for what was set for the old one.
 * @param {string} photo @returns {State} */
export function stateFor(photo) {
  const { words, marks, patch, step, enlarged, tab, ...others } = state;
  return { ...DEFAULTS, ...others, tab: showsPhoto(tab) ? tab : "segment", photo };
}

/** Words that could not be used are one press away. @param {string} words */
export function putAside(words) {
  replaced = words;
}

/** Forget the visitor's photos, and what was typed for them. */
export function forget() {
  returnTo = beforeSimulation = null;
  replaced = "";
  const own = isUpload(state.photo) ? stateFor(FACTS.opening) : {};
  correct({ ...own, tab: "share", shown: "" });
}

/** Whether a tab shows a photo. @param {string} tab */
export const showsPhoto = (tab) => tab !== "learn" && tab !== "share";
/** @param {string} photo */
export const isUpload = (photo) => photo !== "" && !FACTS.photos.includes(photo);

/** The pinned patch, which all drawings share, or null; a link may name one that is not there.
 * @param {number[]} grid */
export const pinnedIn = ([rows, columns]) => (state.patch < rows * columns ? state.patch : null);

/** The setting of "AMF" or "CS". @param {string} name */
export const settingOfSwitch = (name) => /** @type {"amf" | "cs"} */ (name.toLowerCase());

/** The states of switches as bits: bit i is switch i. @param {string[]} switches */
export const bitsOf = (switches) =>
  switches.reduce((bits, name, i) => bits | (Number(state[settingOfSwitch(name)]) << i), 0);

/** What patches depend on: only values of the same ones are compared. */
export const patchesKey = (of = state) => [of.photo, of.backbone, of.short_side].join();

// --- the address ---------------------------------------------------------------------------------

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
  if (choices) return choices.includes(text) ? text : undefined;
  if (type === "boolean") {
    const isOn = ["1", "true"].includes(text.toLowerCase());
    return isOn || ["0", "false"].includes(text.toLowerCase()) ? isOn : undefined;
  }
  if (type === "string") return text.length <= maxLength ? text : undefined;
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const isWhole = type !== "integer" || Number.isInteger(number);
  return number >= minimum && number <= maximum && isWhole ? number : undefined;
}

/** The state that an address stands for, and a note on what it cannot restore.
 * @param {string} query @param {Partial<State>} kept @returns {[State, string]} */
function read(query, kept = {}) {
  const found = { ...DEFAULTS };
  const unused = [];
  for (const [name, text] of new URLSearchParams(query)) {
    if (name === "shown") unused.push(name);
    else if (Object.hasOwn(FACTS.schema, name)) {
      const value = settingOf(name, text);
      if (value === undefined) unused.push(name);
      else Object.assign(found, { [name]: value });
    } else if (name === "example" && text === "own" && FACTS.takesInput) found.photo = "";
    else if (name === "example" && FACTS.photos.includes(text)) found.photo = text;
    else if (name === "photo" && FACTS.takesInput && /^\w{16,64}$/.test(text)) found.photo = text;
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

/** In the frame of a Space, whose address a reload forgets. */
const isFramed = self !== top;

/** @param {"pushState" | "replaceState"} method */
function write(method) {
  const query = queryOf(state);
  for (const [name, value] of new URLSearchParams(location.search))
    if (name.startsWith("__")) query.set(name, value);
  const kept = state.words.length > MOST_IN_ADDRESS ? { words: state.words } : {};
  try {
    history[method]({ kept, returnTo, beforeSimulation }, "", `?${query}`);
  } catch {
    // Safari refuses more than a hundred in half a minute, such as from a held key.
  }
  if (isFramed) recall("address", query.toString());
}

/** Back, reload and a link: the address is read. */
function open() {
  const isLink = [...new URLSearchParams(location.search).keys()].some((n) => !n.startsWith("__"));
  const query = isFramed && !isLink ? recall("address") : location.search;
  const [opened, note] = read(query ?? "", history.state?.kept);
  returnTo = history.state?.returnTo ?? null;
  beforeSimulation = history.state?.beforeSimulation ?? null;
  if (note) toast(note);
  become(opened, "", true);
}
