// Which answers are due. Gradio sends one request of an event at a time and keeps one more for
// later; a request that fails is given up, with the one that is kept. A photo on its way is waited
// for, too.

import { planted } from "../store.js";
import { followAnswer, keep } from "./address.js";
import { WORDS } from "./words.js";

const queue = { heavy: false, due: 0, asked: "", query: "" };
/** The times of the answers that came; 0 is that of a lane before its first. */
const counted = new Set([0]);
/** "sent": the next question is of it. @type {"none" | "sending" | "sent"} */
let upload = "none";

/**
 * Marks the tabs: what they show belongs to the input, or not.
 * @param {string} key
 * @param {string | null} value
 */
export const mark = (key, value) => {
  const tabs = /** @type {HTMLElement | null} */ (document.querySelector("#tabs"));
  if (!tabs) return;
  if (value === null) delete tabs.dataset[key];
  else tabs.dataset[key] = value;
  tabs.dataset.none = WORDS.none;
};

export const isWaiting = () => queue.due > 0;

const showBusy = () => mark("busy", isWaiting() || upload !== "none" ? "1" : null);

/** @param {typeof upload} now */
export const setUpload = (now) => {
  upload = now;
  showBusy();
};

/** Whether the page is of a link to a photo, and no picture was answered yet. */
export const isPhotoOfLink = () =>
  !queue.query && new URLSearchParams(location.search).get("source") === "upload";

/** Whether the last answer is to a photo of the visitor's own. */
export const isOfUpload = () => new URLSearchParams(queue.query).get("source") === "upload";

/**
 * Asks for the open tab, in one of two queues: of the texts `asked`, one a lane, that of its lane
 * changes. While an answer is due, whatever is asked goes to its queue: an answer of the other
 * could be older and come later.
 * @param {boolean} heavy
 * @param {string} tab
 * @param {string[]} asked
 */
export const ask = (heavy, tab, ...asked) => {
  queue.heavy = queue.due ? queue.heavy : heavy;
  const lanes = WORDS.lanes.map((lane) => (lane.tab === tab ? lane.heavy : null));
  // A heavy tab has the heavy lane alone.
  const at = lanes.indexOf(queue.heavy || !lanes.includes(false));
  const changed = asked.map((count, i) => (i === at ? `${Number(count) + 1}` : count));
  // Two events at once bring the same texts: the second changes none, and no request comes of it.
  if (queue.asked !== `${changed}`) queue.due = Math.min(queue.due + 1, 2);
  queue.asked = `${changed}`;
  if (upload === "sent") upload = "none";
  showBusy();
  return changed;
};

/**
 * An answer is here; returns whether it is a new one of the open tab. After a request that failed,
 * Gradio brings the last one once more.
 * @param {import("../../widgets/values").Outcome} outcome
 * @param {string} open the open tab
 */
export const answered = ({ tab, state, query, at }, open) => {
  if (counted.has(at)) return false;
  counted.add(at);
  queue.due = Math.max(queue.due - 1, 0);
  showBusy();
  if (tab !== open) return false;
  mark("state", state);
  mark("edited", null);
  // A removed picture does not come back with a reload.
  if (state === "none") keep("source", "upload");
  if (!query) return true;
  queue.query = query;
  planted.value = new URLSearchParams(query).has("plant");
  followAnswer(query);
  return true;
};

/**
 * A request was refused or its connection broke, which Gradio says: what is shown is of an earlier
 * one. What was asked meanwhile is asked once more.
 * @param {string} tab
 * @param {string[]} asked
 */
export const failed = (tab, ...asked) => {
  const again = queue.due > 1;
  queue.due = 0;
  queue.asked = "";
  showBusy();
  mark("state", "old");
  return again ? ask(queue.heavy, tab, ...asked) : asked;
};
