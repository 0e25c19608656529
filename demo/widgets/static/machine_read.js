// What a request brought: its arrays, and what of them moves from one request to the next.
const arraysOf = (view, arrays) => {
  let start = 0;
  const read = ([name, shape, levels, gamma, top]) => {
    const wide = levels > 255, list = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const table = Float32Array.from({ length: levels + 1 }, (_, k) => top * (k / levels) ** (1 / gamma));
    for (let i = 0; i < list.length; i++, start += wide ? 2 : 1) {
      list[i] = table[wide ? view.getUint16(start, true) : view.getUint8(start)];
    }
    return [name, list];
  };
  return Object.fromEntries(arrays.map(read));
};
const unpack = async (v) => {
  const flow = new Blob([bytesOf(v.data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const found = { v, ...arraysOf(new DataView(await new Response(flow).arrayBuffer()), v.arrays) };
  const [h, w] = v.grid, sh = Math.ceil(h / v.square), sw = Math.ceil(w / v.square);
  Object.assign(found, { h, w, n: h * w, sh, sw, m: sh * sw });
  found.maps = [found.local, ...v.fused.map((b) => found[`block ${b - 1}`])];
  found.used = found.local.map((_, i) => found.maps.reduce((sum, map) => sum + map[i], 0) / found.maps.length);
  found.bright = v.bright;
  for (const name of ["score", "ratio", "after", "agreement"]) {
    found[name] = Float32Array.from(v.blocks, (block) => block[name] ?? NaN);
  }
  found.similar = Float32Array.from(v.similar, (x) => x ?? NaN);
  found.share = Float32Array.from(v.words, (one) => one.share);
  found.fusing = Float32Array.of(v.fused.length ? 1 : 0);
  found.mended = found.norms.slice();
  for (const [channel, norm] of v.repaired) found.mended[channel] = norm;
  found.photo = await photo(v.picture);
  found.labels = await labelsOf(v.mask, v.shape[1], v.wide);
  return found;
};
const equal = (a, b) => a?.length === b?.length && a.every((x, i) => Object.is(x, b[i]));
const MOVES = ["received", "head q", "head k", "head v", "local", "used", "scores", "norms", "mended",
  "score", "ratio", "after", "agreement", "similar", "share", "fusing"];
// What is between two requests, t of the way; what is equal in both is the same array all the way.
const between = (from, to, t) => {
  if (t >= 1 || !from) return to;
  const mixed = { ...to, bright: from.bright + (to.bright - from.bright) * t };
  for (const name of MOVES) {
    const a = from[name], b = to[name];
    if (a.length === b.length && !equal(a, b)) {
      mixed[name] = b.map((x, i) => (Number.isNaN(a[i]) ? x : a[i] + (x - a[i]) * t));
    }
  }
  return mixed;
};
const DEPENDS = {
  picture: [], blocks: ["received", "score", "ratio", "after"], heads: ["head q", "head k", "head v"],
  matrix: ["used"], values: ["norms", "mended", "similar"], words: ["scores"], scores: ["scores"], mask: ["labels"],
};
// Which parts a switch left as they were, in words; none where something else than a switch changed.
const unchanged = (from, to) => {
  const said = {}, same = (name) => equal(from[name], to[name]);
  for (const name in DEPENDS) if (DEPENDS[name].every(same)) said[name] = "unchanged";
  const tile = (one, i) => [one.ratio[i], one.after[i], ...one.received.subarray(i * one.n, (i + 1) * one.n)];
  const moved = to.v.blocks.findIndex((_, i) => !equal(tile(from, i), tile(to, i)));
  if (moved > 0) said.blocks = moved > 1 ? `blocks 1 to ${moved} unchanged` : "block 1 unchanged";
  return said;
};
// What one switch did, in a sentence.
const effect = (from, to, key) => {
  const pixels = from.labels.reduce((sum, label, i) => sum + (label !== to.labels[i]), 0) / to.labels.length;
  const [before, after] = [from.v.miou, to.v.miou], stayed = unchanged(from, to);
  const state = { amf: `AMF is ${to.v.amf ? "on" : "off"}`, cs: `CS is ${to.v.cs ? "on" : "off"}`, fault: to.v.fault ? "With the fault" : "Without the fault" };
  const score = before === null || after === null ? "" : `; mIoU goes from ${percent(before)} to ${percent(after)}`;
  const parts = { picture: "the picture", blocks: "all blocks", heads: "queries, keys and Values", mask: "the mask" };
  const same = Object.keys(parts).filter((name) => stayed[name]).map((name) => (/\d/.test(stayed[name]) ? stayed[name].slice(0, -10) : parts[name]));
  return `${state[key] ?? "Another last block"}: ${percent(pixels)} of the mask changes${score}. Unchanged: ${same.join(", ")}.`;
};
