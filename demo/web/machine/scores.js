// The words of one patch: their shares, which add up to 100 %, and the cosines of the best two.

import { written } from "../dom.js";
import { REST_COLOUR } from "../rest.js";
import { barsOf } from "./plan.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{ index?: number, name: string, colour: string, share: number }} Scored */

/**
 * The two words that fit a patch best, with their cosines; -1 is a hidden word.
 * @param {State} state
 * @param {number} patch
 * @returns {[index: number, cosine: number][]}
 */
export const fitsAt = ({ fits, cosines, n }, patch) => {
  const places = Array.from({ length: fits.length / n }, (_, k) => k * n + patch);
  return places.map((i) => [fits[i] - 1, cosines[i]]);
};

/**
 * The words with the largest shares of a patch, and what others have.
 * @param {State} state
 * @param {number} patch
 * @returns {Scored[]}
 */
export const sharesAt = (state, patch) => {
  const near = fitsAt(state, patch).map(([index]) => index);
  const rank = (/** @type {number} */ index) => (near.includes(index) ? near.indexOf(index) : 2);
  const all = state.value.words
    .map(({ index, name, colour }, i) => ({
      index,
      name,
      colour,
      share: state.scores[i * state.n + patch],
    }))
    .sort((a, b) => b.share - a.share || rank(a.index) - rank(b.index));
  const most = barsOf(state.value);
  const leftBy = (/** @type {Scored[]} */ list) =>
    1 - list.reduce((sum, { share }) => sum + share, 0);
  if (all.length <= most && leftBy(all) <= 0.01) return all;
  const list = all.slice(0, most - 1);
  return [...list, { name: "others", colour: REST_COLOUR, share: Math.max(leftBy(list), 0) }];
};

/**
 * Whole percentages that add up to 100: the largest remainders are rounded up.
 * @param {number[]} shares
 */
export const rounded = (shares) => {
  const whole = shares.map((share) => Math.floor(100 * share));
  const left = (/** @type {number} */ i) => 100 * shares[i] - whole[i];
  const order = shares.map((_, i) => i).sort((i, j) => left(j) - left(i));
  const missing = Math.max(0, 100 - whole.reduce((a, b) => a + b, 0));
  for (const i of order.slice(0, missing)) whole[i]++;
  return whole;
};

/** @param {number} cosine */
export const signed = (cosine) => written(cosine, 3).replace("0.", ".");

/** A multiple. @param {number} x */
export const times = (x) => {
  if (x < 9.95) return `${x.toFixed(1)} ×`;
  return `${x < 9999 ? Math.round(x) : x.toExponential(0)} ×`;
};
