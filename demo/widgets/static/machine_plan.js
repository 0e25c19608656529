// Where everything stands: the last block's parts side by side below the blocks, or all below each other.
const NAMES = ["picture", "blocks", "heads", "matrix", "values", "words", "scores", "mask"];
const OPENED = { heads: 0.12, matrix: 0.25, values: 0.21, words: 0.23, mask: 0.19 };
// A part's equation and, where four lines hold both, its value.
const linesOf = ({ equation, value }, w) => {
  const [first, second] = [[equation, "eq"], [value, "small"]].map(([text, kind]) => wrap(text, w, kind).map((line) => [line, kind]));
  return first.length + second.length > 4 ? first : [...first, ...second];
};
const ROW = 12, STRIPS = "below each: most looked-at patch, × uniform · largest channel, × the median · how alike the class token looks, 0 to 1";
const FULL = [["most looked-at", 1.1], ["patch, × uniform", 1.95], ["largest channel,", 3.7], ["× the median", 4.55], ["look like class", 5.8], ["token: 1 fully", 6.65]];
const SHORT = [["most looked at ×", 1.5], ["largest channel ×", 4.4], ["class token: 0–1", 6.1]];
let plan = null;
const arrange = (W, height) => {
  const v = now.v, wide = W >= 54 * u, ratio = v.size[0] / v.size[1];
  const P = { W, wide, ratio, line: Math.max(1.35 * u, 1.22 * least), lines: {}, tiles: [], strips: least > 0.85 * u ? SHORT : FULL };
  for (const name of NAMES) P[name] = {};
  for (const name of NAMES) {
    const { equation, mark, value, more } = v.parts[name];
    P.lines[name] = { equation: equation + (mark ? ` [${mark}]` : ""), value: name === "blocks" && !wide ? [value, more, STRIPS].filter(Boolean).join("; ") : value };
  }
  (wide ? sideBySide : stacked)(P, height);
  return P;
};
// The largest place of the picture's shape in a box: in its middle, or at its left.
const fit = (P, x, y, w, h, left = false) => {
  const k = Math.min(w, h / P.ratio);
  return { x: left ? x : x + (w - k) / 2, y, w: k, h: k * P.ratio };
};
const grid = (P, count, columns, x, y, w, gap, below, most = Infinity) => {
  const each = (w - (columns - 1) * gap) / columns;
  return Array.from({ length: count }, (_, i) => {
    const high = Math.min(each * P.ratio, most), place = fit(P, x + (i % columns) * (each + gap), 0, each, high);
    return { ...place, y: y + Math.floor(i / columns) * (high + below), room: each + 0.8 * gap };
  });
};
const tilesIn = (P, x, y, w, per) => {
  P.tiles = grid(P, now.v.blocks.length, per, x + 0.35 * u, y + 1.5 * u, w - 0.7 * u, 0.9 * u, 8.6 * u);
  P.tiles.forEach((tile, i) => (tile.row = Math.floor(i / per)));
  P.per = per;
  const last = P.tiles.at(-1);
  return last.y + last.h + 6.9 * u;
};
const mapsIn = (P, x, y, w, h, most) => {
  const count = Math.max(now.maps.length, 3), gap = 0.7 * u, side3 = (apart) => Math.min(most, (w - apart - (count - 1) * gap) / count);
  // The first line of AMF comes down beside the part's name, never through it.
  const lack = lengthOf(now.v.parts.matrix.name, "name") + u - 1.5 * side3(1.2 * u) - gap - 1.2 * u, apart = 1.2 * u + (P.wide ? clamp(2 * lack, 0, 4 * u) : 0), s = side3(apart);
  const side = Math.min(w, h - s - 4 * u), from = x + (P.wide ? 0 : (w - apart - count * (s + gap)) / 2);
  P.maps = Array.from({ length: count }, (_, i) => ({ x: from + i * (s + gap) + (i && apart), y: y + 1.3 * u, w: s, h: s }));
  P.used = { x: P.wide ? x : x + (w - side) / 2, y: y + s + 4 * u, w: side, h: side };
};
const wordsIn = (P, x, y, w, most) => {
  const count = Math.min(now.v.words.length, 6), columns = count < 5 ? Math.min(count, 2) : 3;
  const rows = Math.ceil(count / columns);
  P.maplets = grid(P, count, columns, x, y, w, 0.9 * u, 1.9 * u, most / rows - 1.9 * u);
};
const sideBySide = (P, height) => {
  const top = 3.5 * u, pad = 1.2 * u, gap = 2.2 * u, { W } = P;
  P.photo = fit(P, 0, top, clamp(0.17 * W, 11 * u, 20 * u), 11.4 * u, true);
  P.gutter = Math.max(...P.strips.map(([text]) => lengthOf(text, "tiny")));
  const x0 = P.photo.w + 1.4 * u + P.gutter, foot = tilesIn(P, x0, top, W - x0 - 0.5 * u, Math.min(now.v.blocks.length, ROW));
  P.picture = { x: 0, y: 0, w: P.photo.w, h: P.photo.y + P.photo.h };
  P.blocks = { x: x0, y: 0, w: W - x0, h: foot };
  const y = Math.max(foot, P.picture.h) + 2.6 * u, below = 4 * P.line + u, c = y + 3.2 * u;
  const H = height ? clamp(height - c - below, 14 * u, 30 * u) : clamp(0.22 * W, 18.5 * u, 21 * u);
  const free = W - 2 * pad - 4 * gap;
  let x = pad;
  for (const name in OPENED) {
    P[name] = { x, y, w: OPENED[name] * free, h: 3.2 * u + H + below, foot: c + H + 1.5 * u };
    P.lines[name].wrapped = linesOf(P.lines[name], P[name].w + 0.4 * u);
    x += P[name].w + gap;
  }
  P.panel = { x: 0, y, w: W, h: P.mask.h };
  P.height = y + P.panel.h;
  const { heads, matrix, values, words: word, mask } = P;
  P.heads3 = [0, 1, 2].map((i) => fit(P, heads.x + 1.4 * u, c + (i * H) / 3, heads.w - 1.4 * u, H / 3 - 0.8 * u, true));
  mapsIn(P, matrix.x, c, matrix.w, H, 4.6 * u);
  P.norms = { x: values.x, y: c, w: values.w, h: H - 7.2 * u };
  P.alike = { x: values.x, y: c + H - 4.4 * u, w: values.w };
  const bars = rows() * 1.4 * u;
  wordsIn(P, word.x, c, word.w, H - bars - 2.2 * u);
  P.scores = { x: word.x, y: c + H - bars - 2 * u, w: word.w, h: bars + 2 * u };
  P.bars = { x: word.x, y: c + H - bars, w: word.w };
  P.out = fit(P, mask.x, c, mask.w, H - 7.4 * u, true);
  P.legend = { x: mask.x, y: P.out.y + P.out.h + 1.7 * u, w: mask.w };
};
const stacked = (P) => {
  const pad = 0.8 * u, w = P.W - 2 * pad, third = (w - 1.2 * u) / 3;
  let y = 0;
  const inside = {
    picture: () => (P.photo = fit(P, pad, y, w, 17 * u)).h,
    blocks: () => tilesIn(P, pad, y + 0.2 * u, w, Math.min(now.v.blocks.length, 6)) - y,
    heads: () => {
      P.heads3 = [0, 1, 2].map((i) => fit(P, pad + i * (third + 0.6 * u), y + 1.2 * u, third, 9 * u));
      return P.heads3[0].h + 1.2 * u;
    },
    matrix: () => {
      mapsIn(P, pad, y, w, Math.min(w, 19 * u) + 11 * u, 7 * u);
      return P.used.y + P.used.h - y;
    },
    values: () => {
      P.norms = { x: pad, y, w, h: 9 * u };
      P.alike = { x: pad, y: y + 11.4 * u, w };
      return 15.8 * u;
    },
    words: () => {
      wordsIn(P, pad, y, w, 26 * u);
      return P.maplets.at(-1).y + P.maplets.at(-1).h + 1.4 * u - y;
    },
    scores: () => ((P.bars = { x: pad, y, w }), 7 * u),
    mask: () => {
      P.out = fit(P, pad, y, w, 17 * u);
      P.legend = { x: pad, y: y + P.out.h + 1.7 * u, w };
      return P.out.h + 7.4 * u;
    },
  };
  for (const name of NAMES) {
    const begin = y, lines = P.lines[name], scores = name === "scores";
    lines.wrapped = scores ? [] : linesOf(lines, w);
    y += (2 + 1.35 * lines.wrapped.length) * u;
    y += inside[name]() + 1.6 * u;
    P[name] = { x: pad, y: begin, w, h: y - begin };
  }
  P.panel = { x: 0, y: P.heads.y - 0.6 * u, w: P.W, h: y - P.heads.y + 0.6 * u };
  P.height = y;
};
