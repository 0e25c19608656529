// The input column: what its Gradio events ask of the browser.
import { openFirstTab } from "./tab-strip.js";
import { isOfUpload, isPhotoOfLink, isWaiting } from "./waiting.js";
import { WORDS } from "./words.js";

/** @typedef {import("../../widgets/values").Choice} Choice */

export const input = {
  /** The choice that was pressed last. @type {Choice | null} */
  offer: null,
  /** The upload that was made last. @type {object | null} */
  photo: null,
  /** Whether words were typed since it began. */
  typed: false,
  /** The words that a new photo cleared, until there is an answer to it. */
  cleared: "",
  /**
   * Whether the picture that was given last is an upload; null before there is one.
   * @type {boolean | null}
   */
  isUpload: null,
  /** The switch of the machine that was pressed last: 0 AMF, 1 CS, 2 the planted fault. */
  flipped: 0,
  /**
   * AMF and CS before the simulation that a press began; null without one.
   * @type {boolean[] | null}
   */
  beforeSimulation: null,
  /** Opens the dialog for a file, once there is one. */
  choosePhoto: () => {},
};

/** @param {string} words @param {string} word */
const add = (words, word) => {
  const typed = words.trim().replace(/,$/, "");
  return typed ? `${typed}, ${word}` : word;
};

/**
 * The words of the field, and whether known words replace unknown ones, once the offer that was
 * pressed is taken.
 * @param {string} words
 * @param {string} nearest
 */
export const takeOffer = (words, nearest) => {
  if (input.offer?.add) return [add(words, input.offer.add), nearest];
  return [words, input.offer?.nearest ? "1" : "0"];
};

/**
 * A new photo clears the words, but neither those typed while it was uploaded nor those of a link
 * to a photo.
 * @param {string} words
 */
export const clearWords = (words) => {
  input.isUpload = true;
  if (input.typed || isPhotoOfLink()) return words;
  input.cleared = words || input.cleared;
  return "";
};

/**
 * The words of the field after an answer: suggested ones fill an empty field, unless they are of an
 * earlier picture. Those that a refused photo cleared come back.
 * @param {string} suggested
 * @param {string} state of the tabs after the answer
 */
export const fillWords = (suggested, state) => {
  const field = /** @type {HTMLTextAreaElement} */ (document.querySelector("#words textarea"));
  const earlier = (input.isUpload ?? isOfUpload()) !== isOfUpload();
  const cleared = state === "old" ? input.cleared : "";
  if (!isWaiting()) input.cleared = "";
  if (field.value.trim() || isWaiting()) return field.value;
  if (cleared) return cleared;
  return earlier ? field.value : suggested;
};

/** @param {number} index */
export const example = (index) => {
  input.isUpload = false;
  return WORDS.examples[index][0];
};

/**
 * The switches once the simulation is asked for: all on. The lesson does not show it: the first tab
 * opens instead.
 * @param {boolean} plant
 * @param {boolean[]} switches AMF, CS
 */
export const simulate = (plant, ...switches) => {
  if (!plant) input.beforeSimulation = switches;
  if (document.querySelector("#lesson")?.checkVisibility()) openFirstTab();
  return [true, true, true];
};

/**
 * The switches once the simulation ends: as before it, where a press began it.
 * @param {boolean} _plant
 * @param {boolean[]} switches AMF, CS
 */
export const endSimulation = (_plant, ...switches) => {
  const before = input.beforeSimulation ?? switches;
  input.beforeSimulation = null;
  return [false, ...before];
};

/**
 * The method and the switches once the one that was pressed in the machine is flipped, so that the
 * page asks only once; AMF and CS are GCLIP's.
 * @param {string} method
 * @param {boolean[]} on AMF, CS, fault
 */
export const flip = (method, ...on) => [
  input.flipped === 2 ? method : "gclip",
  ...on.map((was, i) => was !== (i === input.flipped)),
];
