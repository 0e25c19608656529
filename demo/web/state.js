// The page's one state, and the only code that changes it and writes it to the address.
//
//   change(values) ─► the address ─► follow: what is here already is drawn, the rest is asked for
import { MOST_IN_ADDRESS, queryOf, stateOf } from "./address.js";
import { toast } from "./elements.js";
import * as exemplars from "./exemplars.js";
import { DEFAULTS, FACTS, isUpload, showsPhoto } from "./facts.js";
import { recall } from "./storage.js";
import { contains } from "./words.js";

/** @import { Name, State } from "./types.js" */

/** Their change makes an entry in the history. @type {Name[]} */
const STEPS = ["photo", "words", "marks", "tab", "step"];

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
  addEventListener("popstate", openAddress);
  openAddress();
}

/** Take on a state, and write it to the history by one of its methods.
 * @param {State} next @param {"" | "pushState" | "replaceState"} method */
function become(next, method = "", isChosen = false) {
  state = next;
  if (method) writeAddress(method);
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

/** In the frame of a Space, whose address a reload forgets. */
const isFramed = self !== top;

/** @param {"pushState" | "replaceState"} method */
function writeAddress(method) {
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
function openAddress() {
  const isLink = [...new URLSearchParams(location.search).keys()].some((n) => !n.startsWith("__"));
  const query = isFramed && !isLink ? recall("address") : location.search;
  const [opened, note] = stateOf(query ?? "", history.state?.kept);
  returnTo = history.state?.returnTo ?? null;
  beforeSimulation = history.state?.beforeSimulation ?? null;
  if (note) toast(note);
  become(opened, "", true);
}
