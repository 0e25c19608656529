// What the server has answered, and the request for what is missing.
//
// An answer comes in pieces. Each is a function of the photo and of some settings, which the server
// names, so a piece has a key: what was answered once is never asked for again, and an answer that
// comes late is kept under its own key and disturbs nothing.
import { toast } from "./elements.js";
import { answer, disconnect } from "./server.js";
import { bitsOf, FACTS, state } from "./state.js";

/** @import { Pieces, State } from "./types.js" */

const MOST_PIECES = 400;

/** Pieces by key, the oldest first. @type {Map<string, any>} */
const pieces = new Map();
/** The request on its way. @type {?{ keys: string[] }} */
let job = null;
/** The state that the server has refused. @type {?State} */
let refused = null;
let failures = 0;

/** @param {string} name @param {State} of */
const keyOf = (name, of) =>
  JSON.stringify([name, ...FACTS.pieces[name].uses.map((setting) => of[setting])]);

/** The switches that a piece follows: it has a value for each of their states, or null for one that
 * is still to come. @param {string} name */
const switchesOf = (name) => FACTS.pieces[name].switches;

/** A piece of the current state; undefined if it is not here yet.
 * @template {keyof Pieces} N
 * @param {N} name @returns {Pieces[N] | undefined} */
export function find(name) {
  const value = pieces.get(keyOf(name, state));
  const switches = switchesOf(name);
  // An idle switch has no state of its own: `%` cuts it off, since it has the highest bit.
  return switches.length ? (value?.[bitsOf(switches) % value.length] ?? undefined) : value;
}

/** Whether a piece is here for every state of the switches.
 * @param {string} name @param {State} of */
function isWhole(name, of) {
  const key = keyOf(name, of);
  return pieces.has(key) && !(switchesOf(name).length && pieces.get(key).includes(null));
}

/** What the tab shows and is not here; without a photo, only what needs none. @param {State} of */
const missing = (of) =>
  Object.keys(FACTS.pieces).filter((name) => {
    const { tabs, uses } = FACTS.pieces[name];
    const isShown = !tabs.length || tabs.includes(of.tab);
    return isShown && (of.photo || !uses.includes("photo")) && !isWhole(name, of);
  });

export const isRefused = () => refused === state;
export const isMissing = () => missing(state).length > 0;
export const forget = () => pieces.clear();

/**
 * Ask for the pieces that are missing, unless they are on their way. What is called then: `on.draw`
 * with pieces, `on.end` after the last one or a lost connection; `on.gone`, `on.offer` or `on.error`
 * where there are no pieces.
 * @param {Record<string, (value?: any) => void>} on
 */
export async function ask(on) {
  const of = state;
  const names = missing(of);
  const keys = names.map((name) => keyOf(name, of));
  if (keys.every((key) => job?.keys.includes(key)) || isRefused()) return;
  const mine = { keys }; // the server ends the request before it
  job = mine;
  try {
    const photo = of.photo || FACTS.opening; // for the lessons, which have their own
    for await (const { gone, offer, error, ...values } of answer(photo, of, names)) {
      if (gone === undefined && !offer && !error) {
        keep(values, of);
        on.draw();
        continue;
      }
      if (job !== mine) return; // a newer request has taken its place
      job = null;
      const now = missing(state).map((name) => keyOf(name, state));
      if (!now.some((key) => keys.includes(key))) return; // the visitor has gone elsewhere
      if (error) refused = state;
      if (gone !== undefined) on.gone(gone);
      else if (offer) on.offer(offer);
      else on.error(error);
      return;
    }
    if (job !== mine) return;
    if (missing(of).length) throw new Error("incomplete"); // the connection is lost
    job = null;
    failures = 0;
    on.end();
  } catch (error) {
    console.error(error);
    if (job !== mine) return;
    job = null;
    disconnect();
    failures += 1;
    if (failures > 2) toast("The server does not respond. Trying again …");
    setTimeout(on.end, Math.min(500 * failures, 5000));
  }
}

/** @param {Record<string, any>} values @param {State} of */
function keep(values, of) {
  for (const name of Object.keys(values)) {
    const key = keyOf(name, of);
    const old = pieces.get(key);
    const value = values[name];
    pieces.delete(key);
    pieces.set(
      key,
      switchesOf(name).length
        ? value.map((/** @type {any} */ one, /** @type {number} */ n) => one ?? old?.[n] ?? null)
        : value,
    );
  }
  while (pieces.size > MOST_PIECES) pieces.delete(pieces.keys().next().value);
}
