// The layout: the last block's parts side by side below the blocks, or all parts below each other.
import { clamp } from "../dom_old.js";

export const NAMES = "picture blocks heads matrix values words scores mask".split(" ");
const OPENED = { heads: 0.12, matrix: 0.25, values: 0.21, words: 0.23, mask: 0.19 };
export const ROW = 12;
const STRIPS =
  "below each: most looked-at patch, × uniform · largest channel, × the median · " +
  "how alike the class token looks, 0 to 1";
export const STRIP_NAMES = [
  ["most looked at ×", 1.5],
  ["largest channel ×", 4.4],
  ["class token: 0–1", 6.1],
];

// Rows of bars of one patch's scores.
export const rows = ({ words }) => Math.min(words.length + (words.at(-1).index < 0 ? 0 : 1), 5);

export const arrange = ({ now, pen, formulas }, W, height) => {
  const { v } = now;
  const { u, least } = pen;
  const P = { now, pen, W, wide: W >= 54 * u, ratio: v.size[0] / v.size[1] };
  Object.assign(P, { line: Math.max(1.35 * u, 1.22 * least), lines: {}, tiles: [] });
  for (const name of NAMES) P[name] = {};
  for (const name of NAMES) {
    const { equation, mark, value } = v.parts[name];
    const stacked = name === "blocks" && !P.wide;
    P.lines[name] = {
      equation: formulas ? equation + (mark ? ` [${mark}]` : "") : "",
      value: stacked ? `${value}; ${STRIPS}` : value,
    };
  }
  (P.wide ? sideBySide : stack)(P, height);
  return P;
};

// A part's equation and, where four lines hold both, its value.
const linesOf = ({ pen }, { equation, value }, w) => {
  const wrap = (text, kind) => (text ? pen.wrap(text, w, kind).map((line) => [line, kind]) : []);
  const [first, second] = [wrap(equation, "eq"), wrap(value, "small")];
  return first.length + second.length > 4 ? first : [...first, ...second];
};

// The largest place of the picture's shape in a box: in its middle, or at its left.
const fit = (P, x, y, w, h, left = false) => {
  const k = Math.min(w, h / P.ratio);
  return { x: left ? x : x + (w - k) / 2, y, w: k, h: k * P.ratio };
};

const grid = (P, count, columns, { x, y, w, gap, below, most = Number.POSITIVE_INFINITY }) => {
  const each = (w - (columns - 1) * gap) / columns;
  const high = Math.min(each * P.ratio, most);
  return Array.from({ length: count }, (_, i) => {
    const place = fit(P, x + (i % columns) * (each + gap), 0, each, high);
    const top = y + Math.floor(i / columns) * (high + below);
    return { ...place, y: top, room: each + 0.8 * gap };
  });
};

const tilesIn = (P, x, y, w, per) => {
  const { u } = P.pen;
  const place = { x: x + 0.35 * u, y: y + 1.5 * u, w: w - 0.7 * u, gap: 0.9 * u, below: 8.6 * u };
  P.tiles = grid(P, P.now.v.blocks.length, per, place);
  for (const [i, tile] of P.tiles.entries()) tile.row = Math.floor(i / per);
  P.per = per;
  const last = P.tiles.at(-1);
  return last.y + last.h + 6.9 * u;
};

const mapsIn = (P, x, y, w, h, most) => {
  const { now, pen } = P;
  const { u } = pen;
  const count = Math.max(now.maps.length, 3);
  const gap = 0.7 * u;
  const sideOf = (apart) => Math.min(most, (w - apart - (count - 1) * gap) / count);
  // The first line of AMF comes down beside the part's name, never through it.
  const name = pen.lengthOf(now.v.parts.matrix.name, "name");
  const lack = name + u - 1.5 * sideOf(1.2 * u) - gap - 1.2 * u;
  const apart = 1.2 * u + (P.wide ? clamp(2 * lack, 0, 4 * u) : 0);
  const s = sideOf(apart);
  const side = Math.min(w, h - s - 4 * u);
  const from = x + (P.wide ? 0 : (w - apart - count * (s + gap)) / 2);
  P.maps = Array.from({ length: count }, (_, i) => ({
    ...{ x: from + i * (s + gap) + (i && apart), y: y + 1.3 * u, w: s, h: s },
  }));
  P.used = { x: P.wide ? x : x + (w - side) / 2, y: y + s + 4 * u, w: side, h: side };
};

const wordsIn = (P, x, y, w, most) => {
  const { u } = P.pen;
  const count = Math.min(P.now.v.words.length, 6);
  const columns = count < 5 ? Math.min(count, 2) : 3;
  const high = most / Math.ceil(count / columns) - 1.9 * u;
  P.maplets = grid(P, count, columns, { x, y, w, gap: 0.9 * u, below: 1.9 * u, most: high });
};

const sideBySide = (P, height) => {
  const { now, pen, W } = P;
  const { u } = pen;
  const [top, pad, gap] = [3.5 * u, 1.2 * u, 2.2 * u];
  P.photo = fit(P, 0, top, clamp(0.17 * W, 11 * u, 20 * u), 11.4 * u, true);
  P.gutter = Math.max(...STRIP_NAMES.map(([text]) => pen.lengthOf(text, "tiny")));
  const x0 = P.photo.w + 1.4 * u + P.gutter;
  const foot = tilesIn(P, x0, top, W - x0 - 0.5 * u, Math.min(now.v.blocks.length, ROW));
  P.picture = { x: 0, y: 0, w: P.photo.w, h: P.photo.y + P.photo.h };
  P.blocks = { x: x0, y: 0, w: W - x0, h: foot };
  const y = Math.max(foot, P.picture.h) + 2.6 * u;
  const c = y + 3.2 * u;
  const free = W - 2 * pad - 4 * gap;
  for (const name in OPENED) P.lines[name].wrapped = linesOf(P, P.lines[name], OPENED[name] * free);
  const most = Math.max(...Object.keys(OPENED).map((name) => P.lines[name].wrapped.length));
  const below = most * P.line + u;
  const H = height ? clamp(height - c - below, 14 * u, 30 * u) : clamp(0.22 * W, 18.5 * u, 21 * u);
  let x = pad;
  for (const name in OPENED) {
    const w = OPENED[name] * free;
    P[name] = { x, y, w, h: 3.2 * u + H + below, foot: c + H + 1.5 * u };
    x += w + gap;
  }
  P.panel = { x: 0, y, w: W, h: P.mask.h };
  P.height = y + P.panel.h;
  const { heads, matrix, values, words, mask } = P;
  const third = H / 3;
  const inside = heads.w - 1.4 * u;
  P.heads3 = [0, 1, 2].map((i) =>
    fit(P, heads.x + 1.4 * u, c + i * third, inside, third - 0.8 * u, true),
  );
  mapsIn(P, matrix.x, c, matrix.w, H, 4.6 * u);
  P.norms = { x: values.x, y: c, w: values.w, h: H - 7.2 * u };
  P.alike = { x: values.x, y: c + H - 4.4 * u, w: values.w };
  const bars = rows(now.v) * 1.4 * u;
  wordsIn(P, words.x, c, words.w, H - bars - 2.2 * u);
  P.scores = { x: words.x, y: c + H - bars - 2 * u, w: words.w, h: bars + 2 * u };
  P.bars = { x: words.x, y: c + H - bars, w: words.w };
  P.out = fit(P, mask.x, c, mask.w, H - 7.4 * u, true);
  P.legend = { x: mask.x, y: P.out.y + P.out.h + 1.7 * u, w: mask.w };
};

const stack = (P) => {
  const { u } = P.pen;
  const pad = 0.8 * u;
  const w = P.W - 2 * pad;
  const third = (w - 1.2 * u) / 3;
  let y = 0;
  const inside = {
    picture: () => {
      P.photo = fit(P, pad, y, w, 17 * u);
      return P.photo.h;
    },
    blocks: () => tilesIn(P, pad, y + 0.2 * u, w, Math.min(P.now.v.blocks.length, 6)) - y,
    heads: () => {
      P.heads3 = [0, 1, 2].map((i) =>
        fit(P, pad + i * (third + 0.6 * u), y + 1.2 * u, third, 9 * u),
      );
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
    scores: () => {
      P.bars = { x: pad, y, w };
      return 7 * u;
    },
    mask: () => {
      P.out = fit(P, pad, y, w, 17 * u);
      P.legend = { x: pad, y: y + P.out.h + 1.7 * u, w };
      return P.out.h + 7.4 * u;
    },
  };
  for (const name of NAMES) {
    const begin = y;
    const lines = P.lines[name];
    lines.wrapped = name === "scores" ? [] : linesOf(P, lines, w);
    y += (2 + 1.35 * lines.wrapped.length) * u;
    y += inside[name]() + 1.6 * u;
    P[name] = { x: pad, y: begin, w, h: y - begin };
  }
  P.panel = { x: 0, y: P.heads.y - 0.6 * u, w: P.W, h: y - P.heads.y + 0.6 * u };
  P.height = y;
};
