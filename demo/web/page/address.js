// The address follows the page: it is the link to what is shown.
import { WORDS } from "./words.js";

// Keys of settings that are in the address at once.
const AT_ONCE = ["opacity", "patch", "pixel"];

/** @param {URLSearchParams} query */
const rewrite = (query) => history.replaceState(history.state, "", `${location.pathname}?${query}`);

/**
 * Writes a setting that asks for no answer.
 * @param {string} key
 * @param {string} text empty for none
 */
export const keep = (key, text) => {
  const query = new URLSearchParams(location.search);
  if (text) query.set(key, text);
  else query.delete(key);
  rewrite(query);
};

/**
 * Takes the settings of an answer; others, and what may have changed since it was asked for, stay.
 * @param {string} answer
 */
export const followAnswer = (answer) => {
  const isAnswered = (/** @type {string} */ key) =>
    WORDS.keys.includes(key) && !AT_ONCE.includes(key);
  const stays = [...new URLSearchParams(location.search)].filter(([key]) => !isAnswered(key));
  const comes = [...new URLSearchParams(answer)].filter(([key]) => isAnswered(key));
  rewrite(new URLSearchParams([...stays, ...comes]));
};

/** The page itself, without a view. */
export const ownAddress = () => location.host + location.pathname.replace(/\/$/, "");

export const copyLink = async () => {
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    prompt("", location.href);
  }
};
