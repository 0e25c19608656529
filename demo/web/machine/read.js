// What a request brought: its arrays, and what of them moves from one request to the next.
import { labelsOf, fetchPicture as photo, unpackText } from "../blobs.js";
import { percent } from "../dom_old.js";

export const unpack = async (v) => {
  const found = { v, ...(await unpackText(v.data)) };
  const [h, w] = v.grid;
  const [sh, sw] = [Math.ceil(h / v.square), Math.ceil(w / v.square)];
  Object.assign(found, { h, w, n: h * w, sh, sw, m: sh * sw });
  found.maps = [found.local, ...v.fused.map((b) => found[`block ${b - 1}`])];
  found.bright = v.bright;
  for (const name of ["score", "ratio", "after", "agreement"]) {
    found[name] = Float32Array.from(v.blocks, (block) => block[name] ?? Number.NaN);
  }
  found.similar = Float32Array.from(v.similar, (x) => x ?? Number.NaN);
  found.share = Float32Array.from(v.words, (one) => one.share);
  found.fusing = Float32Array.of(v.fused.length ? 1 : 0);
  found.mended = found.norms.slice();
  for (const [channel, norm] of v.repaired) found.mended[channel] = norm;
  found.photo = await photo(v.picture);
  found.labels = await labelsOf(v.mask);
  return found;
};

const equal = (a, b) => a?.length === b?.length && a.every((x, i) => Object.is(x, b[i]));
// biome-ignore format: a list
const MOVES = [
  "received", "head q", "head k", "head v", "local", "used", "scores", "norms", "mended",
  "score", "ratio", "after", "agreement", "similar", "share", "fusing",
];

// The state between two requests, t of the way; equal arrays stay the same object.
export const between = (from, to, t) => {
  if (t >= 1 || !from) return to;
  const mixed = { ...to, bright: from.bright + (to.bright - from.bright) * t };
  for (const name of MOVES) {
    const [a, b] = [from[name], to[name]];
    if (a.length !== b.length || equal(a, b)) continue;
    mixed[name] = b.map((x, i) => (Number.isNaN(a[i]) ? x : a[i] + (x - a[i]) * t));
  }
  return mixed;
};

const DEPENDS = {
  picture: [],
  blocks: ["received", "score", "ratio", "after"],
  heads: ["head q", "head k", "head v"],
  matrix: ["used"],
  values: ["norms", "mended", "similar"],
  words: ["scores"],
  scores: ["scores"],
  mask: ["labels"],
};

// Which parts a switch left as they were, in words.
export const unchanged = (from, to) => {
  const said = {};
  const same = (name) => equal(from[name], to[name]);
  for (const name in DEPENDS) if (DEPENDS[name].every(same)) said[name] = "unchanged";
  const tile = ({ ratio, after, received, n }, i) => [
    ...[ratio[i], after[i]],
    ...received.subarray(i * n, (i + 1) * n),
  ];
  const moved = to.v.blocks.findIndex((_, i) => !equal(tile(from, i), tile(to, i)));
  if (moved === 1) said.blocks = "block 1 unchanged";
  if (moved > 1) said.blocks = `blocks 1 to ${moved} unchanged`;
  return said;
};

const NAMES = {
  picture: "the picture",
  blocks: "all blocks",
  heads: "queries, keys and Values",
  mask: "the mask",
};

// What one switch did, in a sentence.
export const effect = (from, to, key) => {
  const differ = from.labels.reduce((sum, label, i) => sum + (label !== to.labels[i]), 0);
  const [before, after] = [from.v.miou, to.v.miou];
  const stayed = unchanged(from, to);
  const state = {
    amf: `AMF is ${to.v.amf ? "on" : "off"}`,
    cs: `CS is ${to.v.cs ? "on" : "off"}`,
    fault: to.v.fault ? "With the fault" : "Without the fault",
  };
  const scored = before !== null && after !== null;
  const score = scored ? `; mIoU goes from ${percent(before)} to ${percent(after)}` : "";
  const same = Object.keys(NAMES)
    .filter((name) => stayed[name])
    .map((name) => (/\d/.test(stayed[name]) ? stayed[name].slice(0, -10) : NAMES[name]));
  const changed = percent(differ / to.labels.length);
  const what = state[key] ?? "Another last block";
  return `${what}: ${changed} of the mask changes${score}. Unchanged: ${same.join(", ")}.`;
};
