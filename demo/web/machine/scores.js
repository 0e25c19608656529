// The words of one patch: their shares, which add up to 100 %, and the cosines of the best two.
import { written } from "../dom_old.js";
import { rows } from "./plan.js";

// The two words that fit a patch best, with their cosines; -1 is a hidden word.
export const fitsAt = ({ fits, cosines, n }, patch) => {
  const places = Array.from({ length: fits.length / n }, (_, k) => k * n + patch);
  return places.map((i) => [fits[i] - 1, cosines[i]]);
};

export const sharesAt = (now, state, patch) => {
  const near = fitsAt(now, patch).map(([index]) => index);
  const rank = ([{ index }]) => (near.includes(index) ? near.indexOf(index) : 2);
  const all = now.v.words
    .map((one, i) => [one, state.scores[i * now.n + patch]])
    .sort((a, b) => b[1] - a[1] || rank(a) - rank(b));
  const most = rows(now.v);
  const list = all.slice(0, all.length > most ? most - 1 : most);
  const left = 1 - list.reduce((sum, [, score]) => sum + score, 0);
  if (all.length === list.length && left <= 0.01) return list;
  return [...list, [{ name: "others", colour: "#8a8a8a" }, Math.max(left, 0)]];
};

// Whole percentages that add up to 100: the largest remainders are rounded up.
export const rounded = (shares) => {
  const whole = shares.map((share) => Math.floor(100 * share));
  const left = (i) => 100 * shares[i] - whole[i];
  const order = shares.map((_, i) => i).sort((i, j) => left(j) - left(i));
  const missing = Math.max(0, 100 - whole.reduce((a, b) => a + b, 0));
  for (const i of order.slice(0, missing)) whole[i]++;
  return whole;
};

export const signed = (cosine) => written(cosine, 3).replace("0.", ".");
