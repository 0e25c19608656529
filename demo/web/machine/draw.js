// One frame: every part drawn from one request, or from the state between two.
import { hex, pack, VEIL } from "../colours.js";
import { clamp, percent, written } from "../dom_old.js";
import { explain, heat, times } from "./pen.js";
import { NAMES, STRIP_NAMES } from "./plan.js";
import { between } from "./read.js";
import { fitsAt, rounded, sharesAt, signed } from "./scores.js";

export const draw = (m, t) => {
  const { pen, plan, now } = m;
  const { v } = now;
  const state = between(m.old, now, t);
  m.state = state;
  pen.touched = new Set();
  m.zones.clear();
  pen.size(plan.W, plan.height);
  pen.front.setAttribute("aria-label", `The machine: ${v.model}, from picture to mask`);
  backdrop(m);
  m.part = {};
  for (const name of NAMES) {
    const g = pen.node(`part ${name}`, "g", pen.front, { "data-part": name, role: "group" });
    m.part[name] = g;
    pen.rect(`area ${name}`, g, plan[name], "gm-area");
    heading(m, name, g);
  }
  picture(m, m.part.picture);
  blocks(m, state, m.part.blocks);
  heads(m, state, m.part.heads);
  matrix(m, state, m.part.matrix);
  values(m, state, m.part.values);
  similarity(m, state, m.part.values);
  maplets(m, state, m.part.words);
  mask(m, state, m.part.mask, t);
  pen.front.append(m.spots);
  mark(m);
  pen.tidy();
};

// A place that can be pointed at: of patches (grid), of the rows of a matrix, of channels (norms).
const zone = (m, key, g, b, kind, more = {}) => {
  m.zones.set(key, { b, kind });
  m.pen.rect(`zone ${key}`, g, b, "gm-zone", { "data-zone": key, ...more });
};
const pressable = (label, pressed, more) => ({
  role: "button",
  tabindex: 0,
  "aria-pressed": String(pressed),
  "aria-label": label,
  ...more,
});

const backdrop = ({ pen, plan }) => {
  const { u, back } = pen;
  const last = plan.tiles.at(-1);
  const foot = last.y + last.h;
  pen.rect("panel", back, plan.panel, "gm-panel", { rx: 0.8 * u });
  const top = `M${last.x} ${foot}H${last.x + last.w}`;
  pen.path("zoom", back, `${top}L${plan.W} ${plan.panel.y + u}H0Z`, "gm-zoom");
};

// The name of a part, its equation with the mark of its source, its value, whether it stayed.
const heading = ({ pen, plan, now, same }, name, g) => {
  const { u } = pen;
  const b = plan[name];
  const p = now.v.parts[name];
  const { equation, value, wrapped } = plan.lines[name];
  const stayed = same[name] ? " Unchanged." : "";
  g.setAttribute("aria-label", `${p.name}: ${p.value}. ${p.sentence}${stayed}`);
  g.dataset.same = same[name] ?? "";
  pen.words(`head ${name}`, g, b.x, b.y + 1.35 * u, p.name, "name", "start", "gm-halo");
  if (name === "scores") {
    pen.words(`eq ${name}`, g, b.x + b.w, b.y + 1.35 * u, equation, "eq", "end");
    return;
  }
  const line = (k, x, y, text, kind) => pen.words(`line ${name} ${k}`, g, x, y, text, kind);
  if (wrapped) {
    const first = b.foot ?? b.y + 2.8 * u;
    for (const [k, [text, kind]] of wrapped.entries()) {
      line(k, b.x, first + k * plan.line, text, kind);
    }
  } else if (name === "blocks") {
    line(0, b.x, b.y + 2.7 * u, equation, "eq");
    line(1, b.x + pen.lengthOf(p.name, "name") + 0.8 * u, b.y + 1.35 * u, value, "small");
  } else line(0, b.x, b.y + 2.7 * u, equation || value, equation ? "eq" : "small");
  if (!same[name]) return;
  const note = (k, x, y, text, kind, anchor) =>
    pen.words(`same ${name}${k}`, g, x, y, text, kind, anchor, "gm-same");
  if (!plan.wide) note("", b.x + b.w, b.y + 1.35 * u, same[name], "small", "end");
  else if (name === "blocks") {
    for (const [k, text] of pen.wrap(same[name], plan.gutter, "tiny").entries()) {
      note(` ${k}`, b.x - 0.4 * u, plan.tiles[0].y + (0.6 + 1.2 * k) * u, text, "tiny", "end");
    }
  } else {
    const y = name === "picture" ? b.h + 2.7 * u : b.y + 2.6 * u;
    note("", b.x, y, same[name], "small", "start");
  }
};

const picture = (m, g) => {
  const { pen, plan, now } = m;
  const { x, y, w, h } = plan.photo;
  const image = now.photo;
  const [wide, high] = [image.naturalWidth || 1, image.naturalHeight || 1];
  pen.raster("photo", plan.photo, wide, high, [image], image);
  zone(m, "picture", g, plan.photo, "grid", {
    tabindex: 0,
    role: "application",
    "aria-label": "Patches of the picture. Arrow keys move, Enter pins, Escape frees.",
  });
  const line = (count, one) => Array.from({ length: count - 1 }, (_, i) => one((i + 1) / count));
  const down = line(now.w, (k) => `M${(x + k * w).toFixed(1)} ${y}v${h}`);
  const across = line(now.h, (k) => `M${x} ${(y + k * h).toFixed(1)}h${w}`);
  pen.path("patches", g, [...down, ...across].join(""), "gm-grid");
  // What the chosen block looks at most, in the picture itself.
  const { number, tokens } = now.v.blocks[now.v.norms_of - 1];
  pen.path("seen", g, frames(now, tokens, plan.photo), "gm-token gm-seen");
  const text = `${tokens.length ? "squares:" : "none in"} block ${number}`;
  pen.words("framed", g, x, y + h + 1.25 * pen.u, text, "small");
  if (plan.wide) pen.band("in", plan.photo, plan.tiles[0]);
};

const frames = (now, tokens, { x, y, w, h }) => {
  const [across, down] = [w / now.w, h / now.h].map((side) => side.toFixed(1));
  const one = (k) => {
    const left = x + ((k % now.w) * w) / now.w;
    const top = y + (Math.floor(k / now.w) * h) / now.h;
    return `M${left.toFixed(1)} ${top.toFixed(1)}h${across}v${down}h${-across}z`;
  };
  return tokens.map(one).join("");
};

// --- a tile per block: attention received, global tokens, largest channel, class token -------
const blocks = (m, state, g) => {
  const { pen, plan, now } = m;
  const { u } = pen;
  const most = Math.max(10, ...state.ratio);
  const height = (ratio) => (1.4 * u * Math.log(Math.max(ratio, 1.02))) / Math.log(most);
  for (const [i, block] of now.v.blocks.entries()) tile(m, state, g, block, i, height);
  if (!plan.wide) return;
  const x = plan.blocks.x - 0.4 * u;
  for (const first of plan.tiles.filter((_, i) => i % plan.per === 0)) {
    const key = `strip ${first.row}`;
    pen.words(key, g, x, first.y - 0.6 * u, "dark: shown", "tiny", "end");
    for (const [text, dy] of STRIP_NAMES) {
      pen.words(`${key} ${text}`, g, x, first.y + first.h + dy * u, text, "tiny", "end");
    }
  }
};

export const sentenceOf = (block, v) => {
  const parts = [
    `Block ${block.number}: most looked-at patch ${times(block.score)} uniform, ` +
      `${block.tokens.length} global tokens`,
    `largest channel ${block.channel}, ${times(block.ratio)} the median` +
      (block.planted ? ", a simulated fault" : "") +
      (block.repaired ? `, brought back by CS to ${times(block.after)}` : "") +
      (block.idle ? ", unused: the last block's FFN is left out" : ""),
  ];
  if (block.agreement !== null) {
    parts.push(`they look where the class token looks by ${block.agreement.toFixed(2)} of 1`);
  }
  if (v.fused.includes(block.number)) parts.push("AMF takes it");
  return parts.join("; ");
};

// Red is what stands out and takes part: the last block's FFN mostly does not.
const abnormal = (v, block, ratio = block.ratio) => !block.idle && ratio >= v.thresholds[1];

const tile = (m, state, g, block, i, height) => {
  const { pen, plan, now } = m;
  const { u, back } = pen;
  const { v } = now;
  const b = plan.tiles[i];
  const key = block.number;
  const [mid, foot] = [b.x + b.w / 2, b.y + b.h];
  const [tokens] = v.thresholds;
  const chosen = v.norms_of === key;
  const score = state.score[i];
  const around = { x: b.x - 0.35 * u, y: b.y - 0.35 * u, w: b.w + 0.7 * u, h: b.h + 0.7 * u };
  const opacity = (score < tokens ? 0 : clamp(score / (3 * tokens), 0, 1)).toFixed(3);
  pen.rect(`glow ${key}`, back, around, "gm-glow", { rx: 0.5 * u, opacity });
  const colours = heat(state.received, 3 * tokens, i * now.n);
  pen.raster(`tile ${key}`, b, now.w, now.h, [state.received], colours);
  pen.path(`tokens ${key}`, g, frames(now, block.tokens, b), "gm-token");
  pen.rect(`rim ${key}`, g, b, `gm-rim${v.fused.includes(key) ? " gm-fused" : ""}`);
  // There for every block, so that it lies under the number.
  const under = { x: mid - 0.9 * u, y: b.y - 1.6 * u, w: chosen ? 1.8 * u : 0, h: 1.3 * u };
  pen.rect(`chosen ${key}`, g, under, "gm-in", { rx: 0.4 * u });
  const words = (name, y, text, kind, more) =>
    pen.words(`${name} ${key}`, g, mid, y, text, kind, "middle", more);
  words("number", b.y - 0.6 * u, key, chosen ? "strong" : "num", chosen ? "gm-on" : "");
  const kind = score >= tokens ? "strong" : "num";
  words("score", foot + 1.5 * u, times(score), kind).dataset.value = block.score;
  const norm = block.repaired ? state.after[i] : state.ratio[i];
  const [base, tall] = [foot + 4.6 * u, height(norm)];
  const bad = !block.repaired && abnormal(v, block, norm);
  const spike = { x: mid - 0.25 * u, w: 0.5 * u, h: Math.max(tall, 0.12 * u) };
  const colour = `gm-spike${bad ? " gm-bad" : ""}${block.idle ? " gm-was" : ""}`;
  pen.path(`base ${key}`, g, `M${b.x} ${base}h${b.w}`, "gm-axis");
  const place = { ...spike, y: base - spike.h };
  pen.rect(`spike ${key}`, g, place, block.repaired ? "gm-mended" : colour);
  const above = base - tall - 0.3 * u;
  const ratio = words("ratio", above, times(norm), bad ? "strong" : "num", idleClass(block));
  ratio.dataset.value = block.repaired ? block.after : block.ratio;
  if (block.idle) words("unused", base - tall - 1.4 * u, "unused", "tiny");
  if (block.planted) {
    // Beside its spike; above what is left of one that CS repaired.
    const beside = [mid + 0.75 * u, base - 0.2 * u];
    const [x, y] = block.repaired ? [mid - 0.1 * u, base - 1.45 * u - tall] : beside;
    const [a, c, e] = [0.5 * u, 0.75 * u, 0.4 * u];
    const d = `M${x} ${y}l${a} ${-c}h${-e}l${e} ${-c}h${-e}l${-e} ${1.15 * c}h${e}z`;
    pen.path(`fault ${key}`, g, d, "gm-bolt");
  }
  const alike = state.agreement[i];
  const agreement = Number.isNaN(alike) ? "–" : alike.toFixed(2);
  words("agreement", foot + 6.1 * u, agreement, "num").dataset.value = block.agreement ?? "";
  const more = { "data-block": key, tabindex: chosen ? 0 : -1 };
  zone(m, `tile ${key}`, g, b, "grid", pressable(sentenceOf(block, v), chosen, more));
};
const idleClass = (block) => (block.idle ? "gm-small" : "");

// --- the last block: queries, keys and Values in colours; the matrices and what they add up to ---
const heads = (m, state, g) => {
  const { pen, plan, now } = m;
  const { u } = pen;
  for (const [i, name] of ["q", "k", "v"].entries()) {
    const b = plan.heads3[i];
    const colours = state[`head ${name}`];
    const idle = now.v.unused.includes(name);
    const ink = (j) => {
      const rgb = [0, 1, 2].map((c) => 255 * colours[3 * j + c]);
      const grey = (rgb[0] + rgb[1] + rgb[2]) / 3;
      return idle ? pack(grey, grey, grey, 90) : pack(...rgb);
    };
    pen.raster(`head ${name}`, b, now.sw, now.sh, [colours, idle], ink);
    const [mid, middle] = [b.x + b.w / 2, b.y + b.h / 2 + 0.35 * u];
    const [x, y, anchor] = plan.wide
      ? [b.x - 0.5 * u, middle, "end"]
      : [mid, b.y - 0.4 * u, "middle"];
    pen.words(`name ${name}`, g, x, y, name, "big", anchor);
    if (idle) pen.words(`idle ${name}`, g, mid, middle, "unused", "small", "middle", "gm-halo");
    else zone(m, `head ${name}`, g, b, "grid");
  }
};

const matrix = (m, state, g) => {
  const { pen, plan, now, formulas } = m;
  const { u } = pen;
  const { v } = now;
  const count = v.fused.length;
  const A = plan.used;
  const amount = state.fusing[0];
  const share = A.w / (amount > 0 ? plan.maps.length : 1);
  const symbol = (i, wide) => {
    if (formulas) return i === 0 ? v.local : wide ? `A_{qk}^{${v.fused[i - 1]}}` : v.fused[i - 1];
    return i === 0 ? "last" : v.fused[i - 1];
  };
  for (const [i, b] of plan.maps.entries()) {
    const own = i === 0;
    const mid = b.x + b.w / 2;
    const map = own ? state.local : now.maps[i];
    const [there, colours] = [i <= count, map && heat(map, state.bright)];
    if (there) pen.raster(`map ${i}`, b, now.m, now.m, [map, state.bright], colours, own || amount);
    pen.rect(`maprim ${i}`, g, b, there ? `gm-rim${own ? "" : " gm-fused"}` : "gm-slot");
    if (!there) {
      const text = ["", "AMF", "off"][i];
      pen.words(`slot ${i}`, g, mid, b.y + b.h / 2 + 0.3 * u, text, "small", "middle");
      continue;
    }
    const name = symbol(i, b.w > 2.6 * u);
    pen.words(`mapname ${i}`, g, mid, b.y - 0.5 * u, name, formulas ? "eq" : "small", "middle");
    zone(m, `map ${i}`, g, b, "rows");
    const to = { ...A, x: A.x + i * share, w: share };
    const flow = own ? "gm-flow" : "gm-flow gm-amfflow";
    pen.fall(`map ${i}`, b, to, flow, { opacity: own ? 1 : amount });
    const [x, y] = [(mid + to.x + share / 2) / 2, b.y + b.h + 1.7 * u];
    const said = count ? `1/${count + 1}` : "1";
    const weight = pen.words(`weight ${i}`, g, x, y, said, "strong", "middle", "gm-halo");
    weight.dataset.weight = 1 / (count + 1);
  }
  pen.raster("used", A, now.m, now.m, [state.used, state.bright], heat(state.used, state.bright));
  pen.rect("usedrim", g, A, "gm-rim");
  zone(m, "used", g, A, "rows");
  if (!plan.wide) return;
  const [q, , val] = plan.heads3;
  const { alike } = plan;
  pen.band("q", q, plan.maps[0]);
  pen.band("v", val, { ...A, y: A.y + 0.72 * A.h, h: 0.28 * A.h });
  const half = { ...A, y: A.y + A.h / 2, h: A.h / 2 };
  pen.band("A", half, { ...alike, y: alike.y + 0.2 * u, h: 3.6 * u });
  amfLines(m, amount);
};

// The line that joins a tile to the opened last block: down, along the gap above it, down.
const bend = ({ pen, plan }, from, x, y, lane) => {
  const { u } = pen;
  const aside = from.row < plan.tiles.at(-1).row ? from.w / 2 + 0.45 * u : 0;
  const start = from.x + from.w / 2 - aside;
  const along = plan.panel.y - (1.9 - 0.8 * lane) * u;
  const r = Math.min(u, Math.abs(x - start) / 2);
  const k = x < start ? -r : r;
  const down = `M${start} ${from.y + from.h + (aside ? 0 : 6.6 * u)}V${along - r}`;
  const turn = `Q${start} ${along} ${start + k} ${along}H${x - k}`;
  return `${down}${turn}Q${x} ${along} ${x} ${along + r}V${y}`;
};

const amfLines = (m, amount) => {
  const { pen, plan, now, old } = m;
  const { v } = now;
  const { u } = pen;
  const taken = v.fused.length || !amount ? v.fused : old.v.fused;
  for (const [i, block] of taken.entries()) {
    const map = plan.maps[i + 1];
    if (!map) continue;
    const d = bend(m, plan.tiles[block - 1], map.x + map.w / 2, map.y - 1.5 * u, i);
    pen.path(`amf ${i}`, pen.back, d, "gm-amf", {
      pathLength: 1,
      "stroke-dasharray": 1,
      "stroke-dashoffset": (1 - amount).toFixed(3),
      "data-block": block,
    });
  }
  const block = v.blocks[v.norms_of - 1];
  const { norms } = plan;
  const state = block.repaired ? " gm-good" : abnormal(v, block) ? " gm-ill" : "";
  const d = bend(m, plan.tiles[v.norms_of - 1], norms.x + norms.w, norms.y - 0.2 * u, 0.5);
  pen.path("ffn", pen.back, d, `gm-ffn${state}`);
};

// --- the norms of the channels that feed the Values, and how alike these are -----------------
const values = (m, state, g) => {
  const { pen, plan, now } = m;
  const { u } = pen;
  const { v } = now;
  const b = plan.norms;
  const count = state.norms.length;
  const block = v.blocks[v.norms_of - 1];
  const limit = v.median * v.thresholds[1];
  const most = Math.max(...now.norms, limit) * 1.08;
  const log = most > 12 * v.median;
  const low = log ? 0.4 * v.median : 0;
  const base = b.y + b.h;
  const X = (i) => b.x + ((i + 0.5) / count) * b.w;
  const part = (x) => (log ? Math.log(Math.max(x, low) / low) / Math.log(most / low) : x / most);
  const Y = (x) => base - clamp(part(x), 0, 1) * (b.h - (log ? 1.6 : 3.6) * u);
  const stem = (i, x) => `M${X(i).toFixed(1)} ${base}V${Y(x).toFixed(1)}`;
  const thick = { "stroke-width": 0.4 * u };
  const stems = [...state.norms].map((x, i) => (i === v.channel ? "" : stem(i, x))).join("");
  const width = clamp((0.62 * b.w) / count, 0.8, 6);
  pen.path("norms", g, stems, "gm-norms", { "stroke-width": width });
  pen.path("normsaxis", g, `M${b.x} ${base}H${b.x + b.w}`, "gm-axis");
  pen.path("limit", g, `M${b.x} ${Y(limit)}H${b.x + b.w}`, "gm-limit");
  const was = `${abnormal(v, block) ? " gm-bad" : ""}${v.repaired.length ? " gm-was" : ""}`;
  pen.path("topnorm", g, stem(v.channel, state.norms[v.channel]), `gm-norms${was}`, thick);
  for (const [c] of v.repaired) {
    pen.path(`mend ${c}`, g, stem(c, state.mended[c]), "gm-mend", thick);
    pen.dot(`menddot ${c}`, g, X(c), Y(state.mended[c]), 0.35 * u, "gm-mended");
  }
  pen.words("limitname", g, b.x, Y(limit) - 0.35 * u, `${v.thresholds[1]} × median`, "tiny");
  const c = m.channel ?? v.channel;
  const x = X(c);
  const repaired = v.repaired.some(([one]) => one === c);
  const then = repaired ? ` → ${times(now.mended[c] / v.median)}` : "";
  const norm = `${times(now.norms[c] / v.median)}${then}`.replace(" × →", " →");
  const planted = block.planted && c === v.fault?.[0] ? ["planted"] : [];
  const lines = [`channel ${c}`, ...planted, norm];
  const tall = 1.2 * u * (lines.length - 1);
  // Beside a stem that stands out; else above it, below the limit or above it.
  const top = Y(now.norms[c]);
  const above = (top - Y(limit) > tall + 1.4 * u ? top - 0.5 * u : Y(limit) - 1.5 * u) - tall;
  const y = top < Y(limit) - 2 * u ? Math.max(top + 0.3 * u, b.y + 0.4 * u) : above;
  // To the left of its stem where there is room, and within its part.
  const wide = Math.max(...lines.map((line, k) => pen.lengthOf(line, k ? "num" : "strong")));
  const [first, last] = [b.x - 0.4 * u, b.x + b.w + 0.4 * u];
  const left = x - 0.6 * u - wide >= first || x > b.x + b.w / 2;
  const from = left ? Math.max(x - 0.6 * u, first + wide) : Math.min(x + 0.6 * u, last - wide);
  const nodes = lines.map((line, k) => {
    const place = [from, y + 1.2 * k * u, line, k ? "num" : "strong"];
    return pen.words(`channel ${k}`, g, ...place, left ? "end" : "start", "gm-halo");
  });
  nodes[0].dataset.value = now.norms[c];
  if (m.channel !== null) pen.path("pressed", g, `M${x} ${Math.max(y, b.y)}V${base}`, "gm-axis");
  const said = m.formulas ? "‖W_{2}[d, :]‖_{2}, block" : "channel norms, block";
  const kind = m.formulas ? "eq" : "small";
  pen.words("normsname", g, b.x, base + 1.3 * u, `${said} ${v.norms_of}`, kind);
  zone(m, "norms", g, b, "norms", {
    ...{ role: "slider", tabindex: 0, "aria-label": `Channels of block ${v.norms_of}` },
    ...{ "aria-valuemin": 0, "aria-valuemax": count - 1, "aria-valuenow": c },
    "aria-valuetext": `channel ${c}, ${norm} the median`,
  });
};

const SIMILAR = [
  ["in-in", "in", -0.9, "strong", "one thing", "of one region"],
  ["in-out", "out", 1.7, "num", "two things", "in different regions"],
];
const similarity = ({ pen, plan, now }, state, g) => {
  const { u } = pen;
  const a = plan.alike;
  const line = a.y + 2.2 * u;
  const low = Math.min(0, ...now.v.similar.map((s) => Math.floor(10 * s) / 10));
  const lowest = written(low, low ? 1 : 0);
  const from = a.x + pen.lengthOf(lowest, "small") + 0.75 * u;
  const to = a.x + a.w - pen.lengthOf("1", "small") - 0.75 * u;
  const x = (s) => from + clamp((s - low) / (1 - low), 0, 1) * (to - from);
  const end = (at) => `M${at} ${line - 0.3 * u}v${0.6 * u}`;
  pen.path("alike", g, `M${from} ${line}H${to}${end(from)}${end(to)}`, "gm-axis");
  pen.words("alike low", g, a.x, line + 0.35 * u, lowest, "small");
  pen.words("alike high", g, a.x + a.w, line + 0.35 * u, "1", "small", "end");
  if (state.similar.some(Number.isNaN)) return;
  pen.path("apart", g, `M${x(state.similar[1])} ${line}H${x(state.similar[0])}`, "gm-apart");
  for (const [i, [name, cls, dy, kind, which, where]] of SIMILAR.entries()) {
    const s = state.similar[i];
    const said = `${name} ${written(s, 2)}`;
    const whole = `${said}, ${which}`;
    const shown = pen.lengthOf(whole, kind) <= a.w ? whole : said;
    pen.dot(name, g, x(s), line, 0.5 * u, `gm-${cls}`);
    const half = pen.lengthOf(shown, kind) / 2;
    const at = clamp(x(s), a.x + half, a.x + a.w - half);
    const one = pen.words(`${name} name`, g, at, line + dy * u, shown, kind, "middle", "term");
    one.dataset.value = now.v.similar[i];
    const mean = "Mean cosine of the Values of two patches";
    explain(one, said, `${mean} ${where}: 1 alike, 0 unrelated.`);
  }
};

// --- patches × words, the scores of the patch that is pointed at, the mask -------------------
// The words with the largest shares and the rest, in the order in which they were typed.
const largest = ({ now }, most) => {
  const all = now.v.words.map((_, i) => i);
  const typed = all.filter((i) => now.v.words[i].index >= 0);
  const rest = all.slice(typed.length);
  typed.sort((i, j) => now.share[j] - now.share[i] || i - j);
  return [...typed.slice(0, most - rest.length).sort((i, j) => i - j), ...rest];
};

const maplets = (m, state, g) => {
  const { pen, plan, now } = m;
  const { u } = pen;
  for (const [k, i] of largest(m, plan.maplets.length).entries()) {
    const b = plan.maplets[k];
    const one = now.v.words[i];
    const chosen = m.word === one.index;
    const colours = heat(state.scores, 1, i * now.n);
    pen.raster(`word ${k}`, b, now.w, now.h, [state.scores, i], colours);
    pen.rect(`wordrim ${k}`, g, b, chosen ? "gm-rim gm-chosen" : "gm-rim");
    const [x, y] = [b.x + b.w / 2, b.y + b.h + 1.25 * u];
    pen.words(`wordname ${k}`, g, x, y, ...pen.brief(one.name, b.room), "middle");
    const label = `${one.name}: ${percent(one.share)} of the picture`;
    zone(m, `word ${k}`, g, b, "grid", pressable(label, chosen, { "data-word": one.index }));
  }
  if (!plan.wide) return;
  const [first, last] = [plan.maplets[0], plan.maplets.at(-1)];
  const tall = { y: first.y, h: last.y + last.h - first.y };
  const { values: from, words: at, out } = plan;
  const edge = 0.5 * u;
  const left = { x: at.x - edge, ...tall };
  pen.band("words", { x: from.x + edge, w: from.w, ...tall }, left);
  pen.band("mask", { x: at.x + edge, w: at.w, ...tall }, { x: out.x - edge, ...tall });
};

const scores = (m, patch) => {
  const { pen, plan, now, state } = m;
  const { u } = pen;
  const g = m.part.scores;
  const { x, y: top, w } = plan.bars;
  const list = patch === null ? [] : sharesAt(now, state, patch);
  const round = rounded(list.map(([, score]) => score));
  const percents = pen.lengthOf("100 %", "num") + 0.5 * u;
  const hint = list.length ? "" : "Point at or tap a patch.";
  pen.words("ask", g, x, top + 0.75 * u, hint, "small");
  for (let k = 0; k < 5; k++) {
    const [one, score] = list[k] ?? [null, 0];
    const y = top + 1.4 * k * u;
    const near = one && fitsAt(now, patch).find(([index]) => index === one.index);
    const cosine = near ? signed(near[1]) : "";
    const taken = cosine ? pen.lengthOf(cosine, "num") + 0.5 * u : 0;
    const name = pen.brief(one?.name ?? "", w - percents - taken);
    pen.words(`best ${k}`, g, x, y + 0.75 * u, ...name);
    const at = pen.words(`cosine ${k}`, g, x + w - percents, y + 0.75 * u, cosine, "num", "end");
    at.dataset.value = near?.[1] ?? "";
    const bar = { x, y: y + 0.98 * u, w: one ? Math.max(w * score, 1) : 0, h: 0.3 * u };
    pen.rect(`bar ${k}`, g, bar, "", { fill: one?.colour ?? "none", rx: 2 });
    const said = one ? `${round[k]} %` : "";
    const number = pen.words(`percent ${k}`, g, x + w, y + 0.75 * u, said, "num", "end");
    Object.assign(number.dataset, { value: score, name: one?.name ?? "" });
  }
};

const mask = (m, state, g, t) => {
  const { pen, plan, now, old, word } = m;
  const { v } = now;
  const { u } = pen;
  const [rows, columns] = v.shape;
  const faint = (index) => (word === null || word === index ? 190 : 40);
  const rest = pack(...(word === -1 ? [140, 140, 140, 190] : [20, 20, 24, 150]));
  const colour = (one) => [one.index, pack(...hex(one.colour), faint(one.index))];
  const inks = new Map(v.words.map(colour));
  // What has no word is hatched, as in the page's other legends.
  const hatched = (i) => (((i % columns) - Math.floor(i / columns)) & 7) < 2;
  const none = (i) => (hatched(i) ? pack(150, 150, 150, 190) : rest);
  const other = pack(140, 140, 140, 160);
  const ink = (labels) => (i) => (labels[i] < 0 ? none(i) : (inks.get(labels[i]) ?? other));
  const image = now.photo;
  const [wide, high] = [image.naturalWidth || 1, image.naturalHeight || 1];
  pen.raster("under", plan.out, wide, high, [image], image);
  const paint = (key, { labels }, opacity) =>
    pen.raster(key, plan.out, columns, rows, [labels, word], ink(labels), opacity);
  paint("mask", now, t);
  if (t < 1) paint("mask before", old, 1 - t);
  zone(m, "mask", g, plan.out, "grid");
  const { x, y, w } = plan.legend;
  for (const [k, [name, share, fill]] of legendOf(m, state).entries()) {
    const line = y + 1.35 * k * u;
    const b = { x, y: line - 0.75 * u, w: 0.85 * u, h: 0.85 * u };
    const third = b.w / 3;
    pen.rect(`swatch ${k}`, g, b, "", { fill });
    if (fill === "none") {
      const back = `M${x} ${b.y}l${b.w} ${b.w}m${-third} 0l${-2 * third} ${-2 * third}`;
      const d = `${back}M${x + third} ${b.y}l${2 * third} ${2 * third}`;
      pen.path("hatch", g, d, "gm-hatch");
    }
    const said = `${Math.round(100 * share)} %`;
    const room = w - 1.6 * u - pen.lengthOf(said, "num");
    pen.words(`area ${k}`, g, x + 1.3 * u, line, ...pen.brief(name, room));
    pen.words(`share ${k}`, g, x + w, line, said, "num", "end");
  }
};

const legendOf = (m, state) => {
  const { now } = m;
  const { words, rest } = now.v;
  const found = words.filter((_, i) => now.share[i] > 0).length;
  const listed = largest(m, found > 5 ? 4 : 5).filter((i) => now.share[i] > 0);
  const fill = ({ index, colour }) => (index < 0 ? "none" : colour);
  const legend = listed.map((i) => [words[i].name, state.share[i], fill(words[i])]);
  if (rest > 0 && words.at(-1).index >= 0) legend.push(["no label", rest, "none"]);
  if (found > listed.length) {
    const left = 1 - listed.reduce((sum, i) => sum + state.share[i], 0);
    legend.push([`${found - listed.length} more`, left, "transparent"]);
  }
  return legend;
};

// --- the patch that is pointed at, in every part ---------------------------------------------
export const mark = (m) => {
  const { pen, plan, now, state, lit, spots } = m;
  const at = m.at ?? [now.h >> 1, now.w >> 1];
  const [row, column] = [clamp(at[0], 0, now.h - 1), clamp(at[1], 0, now.w - 1)];
  m.at = [row, column];
  const side = now.v.square;
  const square = Math.floor(row / side) * now.sw + Math.floor(column / side);
  const patch = row * now.w + column;
  spots.style.display = lit ? "" : "none";
  scores(m, lit ? patch : null);
  const veil = heat(state.used, state.bright, square * now.m, VEIL);
  const from = [state.used, lit && square];
  pen.raster("look", plan.photo, now.sw, now.sh, from, lit ? veil : () => 0);
  if (!lit) return;
  const { x, y, w: wide, h: high } = plan.photo;
  const [w, h] = [wide / now.w, high / now.h];
  for (let k = 0; k < now.looks.length / now.n; k++) {
    const there = now.looks[k * now.n + patch];
    const b = { x: x + (there % now.w) * w, y: y + Math.floor(there / now.w) * h, w, h };
    pen.rect(`from ${k}`, spots, b, "gm-from", { "data-from": there });
  }
  for (const [key, { b, kind }] of m.zones) {
    const spot = (place, className) =>
      pen.rect(`spot ${key}`, spots, place, className, { "data-patch": m.at });
    if (kind === "grid") {
      const [w, h] = [b.w / now.w, b.h / now.h];
      const place = { x: b.x + column * w - 0.5, y: b.y + row * h - 0.5, w: w + 1, h: h + 1 };
      spot(place, "gm-spot");
    } else if (kind === "rows") {
      const h = b.h / now.m;
      spot({ x: b.x, y: b.y + square * h - 0.5, w: b.w, h: Math.max(h, 1) + 1 }, "gm-row");
    }
  }
};
