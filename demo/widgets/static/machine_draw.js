// One frame: every part drawn from what a request brought, or from what is between two.
let now = null, old = null, mixed = null, same = {}, word = null, channel = null, part = {};
const ask = (kind, which) => trigger("select", { index: [kind, which], value: which });
// A place that can be pointed at: of patches in rows and columns, of the rows of a matrix, of channels.
const zones = new Map();
const zone = (key, g, b, kind, more = {}) => {
  zones.set(key, { b, kind });
  rect(`zone ${key}`, g, b, "gm-zone", { "data-zone": key, ...more });
};
const button = (label, pressed, more) => ({ role: "button", tabindex: 0, "aria-pressed": String(pressed), "aria-label": label, ...more });
const draw = (t) => {
  const v = now.v, size = { width: plan.W, height: plan.height, viewBox: `0 0 ${plan.W} ${plan.height}` };
  mixed = between(old, now, t);
  touched = new Set();
  zones.clear();
  for (const one of [back, front]) for (const name in size) one.setAttribute(name, size[name]);
  Object.assign(layer.style, { width: `${plan.W}px`, height: `${plan.height}px` });
  front.setAttribute("aria-label", `The machine: ${v.model}, from picture to mask`);
  backdrop(v);
  for (const name of NAMES) {
    part[name] = node(`part ${name}`, "g", front, { "data-part": name, role: "group" });
    rect(`area ${name}`, part[name], plan[name], "gm-area");
    heading(name, part[name]);
  }
  picture(mixed, part.picture);
  blocks(mixed, part.blocks);
  heads(mixed, part.heads);
  matrix(mixed, part.matrix);
  values(mixed, part.values);
  maplets(mixed, part.words);
  mask(mixed, part.mask, t);
  front.append(spots);
  mark();
  tidy();
};
const backdrop = (v) => {
  const last = plan.tiles.at(-1), foot = last.y + last.h, top = plan.panel.y;
  rect("panel", back, plan.panel, "gm-panel", { rx: 0.8 * u });
  path("zoom", back, `M${last.x} ${foot}H${last.x + last.w}L${plan.W} ${top + u}H0Z`, "gm-zoom");
  for (const name of v.lesson?.parts ?? []) {
    if (plan.wide && name === "scores") continue; // within the words
    const { x, y, w, h } = plan[name], left = name === "blocks" && plan.wide ? plan.photo.w + 0.5 * u : Math.max(1, x - 0.8 * u);
    rect(`light ${name}`, back, { x: left, y, w: Math.min(x + w + 0.8 * u, plan.W - 1) - left, h }, "gm-light", { rx: 0.7 * u });
  }
};
// The name of a part, its equation with the mark of its source, its value, and whether it stayed.
const heading = (name, g) => {
  const b = plan[name], p = now.v.parts[name], { equation, value, wrapped } = plan.lines[name];
  g.setAttribute("aria-label", `${p.name}: ${p.value}. ${p.sentence}${same[name] ? " Unchanged." : ""}`);
  g.dataset.same = same[name] ?? "";
  words(`head ${name}`, g, b.x, b.y + 1.35 * u, p.name, "name", "start", "gm-halo");
  if (name === "scores") return words(`eq ${name}`, g, b.x + b.w, b.y + 1.35 * u, equation, "eq", "end");
  if (wrapped) {
    const first = b.foot ?? b.y + 2.8 * u;
    wrapped.forEach(([line, kind], k) => words(`line ${name} ${k}`, g, b.x, first + k * plan.line, line, kind));
  } else {
    words(`line ${name} 0`, g, b.x, b.y + 2.7 * u, equation, "eq");
    if (name === "blocks") {
      words(`line ${name} 1`, g, b.x + lengthOf(p.name, "name") + 0.8 * u, b.y + 1.35 * u, value, "small");
      const from = lengthOf(equation, "eq") + 1.2 * u;
      if (lengthOf(p.more, "small") <= b.w - from) words(`line ${name} 2`, g, b.x + from, b.y + 2.7 * u, p.more, "small");
    }
  }
  if (!same[name]) return;
  if (!plan.wide) words(`same ${name}`, g, b.x + b.w, b.y + 1.35 * u, same[name], "small", "end", "gm-same");
  else if (name === "blocks") wrap(same[name], plan.gutter, "tiny").forEach((line, k) => words(`same ${name} ${k}`, g, b.x - 0.4 * u, plan.tiles[0].y + (0.6 + 1.2 * k) * u, line, "tiny", "end", "gm-same"));
  else words(`same ${name}`, g, b.x, name === "picture" ? b.h + 2.7 * u : b.y + 2.6 * u, same[name], "small", "start", "gm-same");
};
const picture = (d, g) => {
  const { x, y, w, h } = plan.photo, { photo: image } = now;
  raster("photo", plan.photo, image.naturalWidth || 1, image.naturalHeight || 1, [image], image);
  zone("picture", g, plan.photo, "grid", { tabindex: 0, role: "application", "aria-label": "Patches of the picture. Arrow keys move, Enter pins, Escape frees." });
  const line = (count, draw) => Array.from({ length: count - 1 }, (_, i) => draw((i + 1) / count)).join("");
  const down = line(now.w, (k) => `M${(x + k * w).toFixed(1)} ${y}v${h}`);
  path("patches", g, down + line(now.h, (k) => `M${x} ${(y + k * h).toFixed(1)}h${w}`), "gm-grid");
  // What the chosen block looks at most, in the picture itself.
  const { number, tokens } = now.v.blocks[now.v.norms_of - 1];
  path("seen", g, frames(tokens, plan.photo), "gm-token gm-seen");
  words("framed", g, x, y + h + 1.25 * u, `${tokens.length ? "squares:" : "none in"} block ${number}`, "small");
  if (plan.wide) band("in", plan.photo, plan.tiles[0]);
};
const frames = (tokens, { x, y, w, h }) => {
  const [across, down] = [w / now.w, h / now.h].map((side) => side.toFixed(1));
  return tokens.map((k) => `M${(x + (k % now.w) * w / now.w).toFixed(1)} ${(y + Math.floor(k / now.w) * h / now.h).toFixed(1)}h${across}v${down}h${-across}z`).join("");
};

// --- a tile a block: attention received, its global tokens, its largest channel, the class token ---
const blocks = (d, g) => {
  const v = now.v, most = Math.max(10, ...d.ratio);
  const height = (ratio) => (1.4 * u * Math.log(Math.max(ratio, 1.02))) / Math.log(most);
  v.blocks.forEach((block, i) => tile(d, g, block, i, height));
  if (!plan.wide) return;
  for (const first of plan.tiles.filter((_, i) => i % plan.per === 0)) {
    words(`strip ${first.row}`, g, plan.blocks.x - 0.4 * u, first.y - 0.6 * u, "dark: shown", "tiny", "end");
    for (const [text, dy] of plan.strips) words(`strip ${first.row} ${text}`, g, plan.blocks.x - 0.4 * u, first.y + first.h + dy * u, text, "tiny", "end");
  }
};
const sentenceOf = (block) => {
  const fault = block.planted ? ", a simulated fault" : "", mended = block.repaired ? `, brought back by CS to ${times(block.after)}` : "";
  return `Block ${block.number}: most looked-at patch ${times(block.score)} uniform, ${block.tokens.length} global tokens; `
    + `largest channel ${block.channel}, ${times(block.ratio)} the median${fault}${mended}${block.idle ? ", unused: the last block's FFN is left out" : ""}`
    + `${block.agreement === null ? "" : `; they look where the class token looks by ${block.agreement.toFixed(2)} of 1`}${now.v.fused.includes(block.number) ? "; AMF takes it" : ""}`;
};
// Red is what stands out and takes part: the last block's FFN mostly does not.
const abnormal = (block, ratio = block.ratio) => !block.idle && ratio >= now.v.thresholds[1];
const tile = (d, g, block, i, height) => {
  const b = plan.tiles[i], key = block.number, mid = b.x + b.w / 2, foot = b.y + b.h, [tokens] = now.v.thresholds;
  const fused = now.v.fused.includes(key), chosen = now.v.norms_of === key, glow = d.score[i] < tokens ? 0 : clamp(d.score[i] / (3 * tokens), 0, 1);
  const around = { x: b.x - 0.35 * u, y: b.y - 0.35 * u, w: b.w + 0.7 * u, h: b.h + 0.7 * u };
  rect(`glow ${key}`, back, around, "gm-glow", { rx: 0.5 * u, opacity: glow.toFixed(3) });
  raster(`tile ${key}`, b, now.w, now.h, [d.received], heat(d.received, 3 * tokens, i * now.n));
  path(`tokens ${key}`, g, frames(block.tokens, b), "gm-token");
  rect(`rim ${key}`, g, b, `gm-rim${fused ? " gm-fused" : ""}`);
  // There for every block, so that it lies under the number.
  rect(`chosen ${key}`, g, { x: mid - 0.9 * u, y: b.y - 1.6 * u, w: chosen ? 1.8 * u : 0, h: 1.3 * u }, "gm-in", { rx: 0.4 * u });
  words(`number ${key}`, g, mid, b.y - 0.6 * u, key, chosen ? "strong" : "num", "middle", chosen ? "gm-on" : "");
  words(`score ${key}`, g, mid, foot + 1.5 * u, times(d.score[i]), d.score[i] >= tokens ? "strong" : "num", "middle").dataset.value = block.score;
  const norm = block.repaired ? d.after[i] : d.ratio[i], base = foot + 4.6 * u, tall = height(norm), bad = !block.repaired && abnormal(block, norm), wide = 0.5 * u;
  const spike = (name, tall, cls) => rect(`${name} ${key}`, g, { x: mid - wide / 2, y: base - tall, w: wide, h: tall }, cls);
  path(`base ${key}`, g, `M${b.x} ${base}h${b.w}`, "gm-axis");
  spike("spike", Math.max(tall, 0.12 * u), block.repaired ? "gm-mended" : `gm-spike${bad ? " gm-bad" : ""}${block.idle ? " gm-was" : ""}`);
  words(`ratio ${key}`, g, mid, base - tall - 0.3 * u, times(norm), bad ? "strong" : "num", "middle", block.idle ? "gm-small" : "").dataset.value = block.repaired ? block.after : block.ratio;
  if (block.idle) words(`unused ${key}`, g, mid, base - tall - 1.4 * u, "unused", "tiny", "middle");
  // Beside its spike; above what is left of one that was brought back.
  const [x, y] = block.repaired ? [mid - 0.1 * u, base - 1.45 * u - tall] : [mid + 0.75 * u, base - 0.2 * u], [a, c, e] = [0.5 * u, 0.75 * u, 0.4 * u];
  if (block.planted) path(`fault ${key}`, g, `M${x} ${y}l${a} ${-c}h${-e}l${e} ${-c}h${-e}l${-e} ${1.15 * c}h${e}z`, "gm-bolt");
  const agreement = words(`agreement ${key}`, g, mid, foot + 6.1 * u, Number.isNaN(d.agreement[i]) ? "–" : d.agreement[i].toFixed(2), "num", "middle");
  agreement.dataset.value = block.agreement ?? "";
  zone(`tile ${key}`, g, b, "grid", button(sentenceOf(block), chosen, { "data-block": key, tabindex: chosen ? 0 : -1 }));
};

// --- the last block: queries, keys and Values in colours; the matrices and what they add up to -----
const heads = (d, g) => {
  ["q", "k", "v"].forEach((name, i) => {
    const b = plan.heads3[i], colours = d[`head ${name}`], idle = name !== "v" && !now.v.attention.includes(name);
    raster(`head ${name}`, b, now.sw, now.sh, [colours, idle], (j) => {
      const rgb = [0, 1, 2].map((c) => 255 * colours[3 * j + c]), grey = (rgb[0] + rgb[1] + rgb[2]) / 3;
      return idle ? pack(grey, grey, grey, 90) : pack(...rgb);
    });
    if (plan.wide) words(`name ${name}`, g, b.x - 0.5 * u, b.y + b.h / 2 + 0.35 * u, name, "big", "end");
    else words(`name ${name}`, g, b.x + b.w / 2, b.y - 0.4 * u, name, "big", "middle");
    if (idle) words(`idle ${name}`, g, b.x + b.w / 2, b.y + b.h / 2 + 0.35 * u, "unused", "small", "middle", "gm-halo");
    else zone(`head ${name}`, g, b, "grid");
  });
};
const matrix = (d, g) => {
  const v = now.v, count = v.fused.length, A = plan.used, amount = d.fusing[0], share = A.w / (amount > 0 ? plan.maps.length : 1);
  plan.maps.forEach((b, i) => {
    const there = i <= count, own = i === 0, mid = b.x + b.w / 2;
    const map = own ? d.local : now.maps[i];
    if (there) raster(`map ${i}`, b, now.m, now.m, [map, d.bright], heat(map, d.bright), own ? 1 : amount);
    rect(`maprim ${i}`, g, b, there ? `gm-rim${own ? "" : " gm-fused"}` : "gm-slot");
    if (!there) return words(`slot ${i}`, g, mid, b.y + b.h / 2 + 0.3 * u, ["", "AMF", "off"][i], "small", "middle");
    words(`mapname ${i}`, g, mid, b.y - 0.5 * u, own ? v.local : b.w > 2.6 * u ? `A_{qk}^{${v.fused[i - 1]}}` : v.fused[i - 1], "eq", "middle");
    zone(`map ${i}`, g, b, "rows");
    const to = { ...A, x: A.x + i * share, w: share };
    fall(`map ${i}`, b, to, own ? "gm-flow" : "gm-flow gm-amfflow", { opacity: own ? 1 : amount });
    const weight = words(`weight ${i}`, g, (mid + to.x + share / 2) / 2, b.y + b.h + 1.7 * u, count ? `1/${count + 1}` : "1", "strong", "middle", "gm-halo");
    weight.dataset.weight = 1 / (count + 1);
  });
  raster("used", A, now.m, now.m, [d.used, d.bright], heat(d.used, d.bright));
  rect("usedrim", g, A, "gm-rim");
  zone("used", g, A, "rows");
  if (!plan.wide) return;
  const [q, , val] = plan.heads3, { alike } = plan;
  band("q", q, plan.maps[0]);
  band("v", val, { ...A, y: A.y + 0.72 * A.h, h: 0.28 * A.h });
  band("A", { ...A, y: A.y + A.h / 2, h: A.h / 2 }, { ...alike, y: alike.y + 0.2 * u, h: 3.6 * u });
  amfLines(v, amount);
};
// What joins the tiles to the opened last block: down, along the gap above the panel, down.
const bend = (tile, x, y, lane) => {
  const aside = tile.row < plan.tiles.at(-1).row ? tile.w / 2 + 0.45 * u : 0, from = tile.x + tile.w / 2 - aside;
  const along = plan.panel.y - (1.9 - 0.8 * lane) * u, r = Math.min(u, Math.abs(x - from) / 2), k = x < from ? -r : r;
  return `M${from} ${tile.y + tile.h + (aside ? 0 : 6.6 * u)}V${along - r}Q${from} ${along} ${from + k} ${along}H${x - k}Q${x} ${along} ${x} ${along + r}V${y}`;
};
const amfLines = (v, amount) => {
  (v.fused.length || !amount ? v.fused : old.v.fused).forEach((block, i) => {
    const m = plan.maps[i + 1], dash = { pathLength: 1, "stroke-dasharray": 1, "stroke-dashoffset": (1 - amount).toFixed(3) };
    if (m) path(`amf ${i}`, back, bend(plan.tiles[block - 1], m.x + m.w / 2, m.y - 1.5 * u, i), "gm-amf", { ...dash, "data-block": block });
  });
  const block = v.blocks[v.norms_of - 1], { norms } = plan;
  const state = block.repaired ? " gm-good" : abnormal(block) ? " gm-ill" : "";
  path("ffn", back, bend(plan.tiles[v.norms_of - 1], norms.x + norms.w, norms.y - 0.2 * u, 0.5), `gm-ffn${state}`);
};

// --- the norms of the channels that fed the Values, and how alike these are ------------------------
const values = (d, g) => {
  const v = now.v, b = plan.norms, count = d.norms.length, block = v.blocks[v.norms_of - 1], limit = v.median * v.thresholds[1];
  const most = Math.max(...now.norms, limit) * 1.08, log = most > 12 * v.median, low = log ? 0.4 * v.median : 0;
  const base = b.y + b.h, X = (i) => b.x + ((i + 0.5) / count) * b.w;
  const level = (x) => clamp(log ? Math.log(Math.max(x, low) / low) / Math.log(most / low) : x / most, 0, 1), Y = (x) => base - level(x) * (b.h - (log ? 1.6 : 3.6) * u);
  const stem = (i, x) => `M${X(i).toFixed(1)} ${base}V${Y(x).toFixed(1)}`, thick = { "stroke-width": 0.4 * u };
  path("norms", g, [...d.norms].map((x, i) => (i === v.channel ? "" : stem(i, x))).join(""), "gm-norms", { "stroke-width": clamp((0.62 * b.w) / count, 0.8, 6) });
  path("normsaxis", g, `M${b.x} ${base}H${b.x + b.w}`, "gm-axis");
  path("limit", g, `M${b.x} ${Y(limit)}H${b.x + b.w}`, "gm-limit");
  path("topnorm", g, stem(v.channel, d.norms[v.channel]), `gm-norms${abnormal(block) ? " gm-bad" : ""}${v.repaired.length ? " gm-was" : ""}`, thick);
  for (const [c] of v.repaired) {
    path(`mend ${c}`, g, stem(c, d.mended[c]), "gm-mend", thick);
    dot(`menddot ${c}`, g, X(c), Y(d.mended[c]), 0.35 * u, "gm-mended");
  }
  words("limitname", g, b.x, Y(limit) - 0.35 * u, `${v.thresholds[1]} × median`, "tiny");
  const c = channel ?? v.channel, x = X(c), mended = v.repaired.some(([one]) => one === c);
  const norm = `${times(now.norms[c] / v.median)}${mended ? ` → ${times(now.mended[c] / v.median)}` : ""}`.replace(" × →", " →");
  const lines = [`channel ${c}`, ...(block.planted && c === v.fault?.[0] ? ["planted"] : []), norm], tall = 1.2 * u * (lines.length - 1);
  // Beside a stem that stands out; else above it, below the limit or above it.
  const top = Y(now.norms[c]), beside = top < Y(limit) - 2 * u, between = top - Y(limit) > tall + 1.4 * u;
  const y = beside ? Math.max(top + 0.3 * u, b.y + 0.4 * u) : (between ? top - 0.5 * u : Y(limit) - 1.5 * u) - tall;
  // To the left of its stem where there is room, and within its part wherever it stands.
  const wide = Math.max(...lines.map((line, k) => lengthOf(line, k ? "num" : "strong"))), [first, last] = [b.x - 0.4 * u, b.x + b.w + 0.4 * u];
  const left = x - 0.6 * u - wide >= first || x > b.x + b.w / 2, from = left ? Math.max(x - 0.6 * u, first + wide) : Math.min(x + 0.6 * u, last - wide);
  lines.forEach((line, k) => words(`channel ${k}`, g, from, y + 1.2 * k * u, line, k ? "num" : "strong", left ? "end" : "start", "gm-halo"));
  nodes.get("channel 0").dataset.value = now.norms[c];
  if (channel !== null) path("pressed", g, `M${x} ${Math.max(y, b.y)}V${base}`, "gm-axis");
  words("normsname", g, b.x, base + 1.3 * u, `‖W_{2}[d, :]‖_{2}, block ${v.norms_of}`, "eq");
  zone("norms", g, b, "norms", {
    role: "slider", tabindex: 0, "aria-label": `Channels of block ${v.norms_of}`, "aria-valuemin": 0,
    "aria-valuemax": count - 1, "aria-valuenow": c, "aria-valuetext": `channel ${c}, ${norm} the median`,
  });
  similarity(d, g);
};
const similarity = (d, g) => {
  const a = plan.alike, line = a.y + 2.2 * u, low = Math.min(0, ...now.v.similar.map((s) => Math.floor(10 * s) / 10));
  const signed = (s, digits) => s.toFixed(digits).replace("-", "−"), lowest = signed(low, low ? 1 : 0), gap = 0.75 * u;
  const from = a.x + lengthOf(lowest, "small") + gap, to = a.x + a.w - lengthOf("1", "small") - gap;
  const part = (s) => clamp((s - low) / (1 - low), 0, 1), x = (s) => from + part(s) * (to - from), end = (at) => `M${at} ${line - 0.3 * u}v${0.6 * u}`;
  path("alike", g, `M${from} ${line}H${to}${end(from)}${end(to)}`, "gm-axis");
  words("alike low", g, a.x, line + 0.35 * u, lowest, "small");
  words("alike high", g, a.x + a.w, line + 0.35 * u, "1", "small", "end");
  if (d.similar.some(Number.isNaN)) return;
  path("apart", g, `M${x(d.similar[1])} ${line}H${x(d.similar[0])}`, "gm-apart");
  [["in-in", "in", -0.9, "strong", "one thing"], ["in-out", "out", 1.7, "num", "two things"]].forEach(([name, cls, dy, kind, which], i) => {
    const s = d.similar[i], said = `${name} ${signed(s, 2)}`, whole = `${said}, ${which}`, shown = lengthOf(whole, kind) <= a.w ? whole : said;
    dot(name, g, x(s), line, 0.5 * u, `gm-${cls}`);
    const half = lengthOf(shown, kind) / 2, at = clamp(x(s), a.x + half, a.x + a.w - half);
    const one = words(`${name} name`, g, at, line + dy * u, shown, kind, "middle", "term");
    one.dataset.value = now.v.similar[i];
    explain(one, said, `Mean cosine of the Values of two patches ${i ? "in different regions" : "of one region"}: 1 alike, 0 unrelated.`);
  });
};

// --- patches × words, the scores at the patch that is pointed at, the mask -------------------------
// The largest words and the rest, in the order in which they were typed, whatever becomes of their shares.
const largest = (most) => {
  const all = now.v.words.map((_, i) => i), typed = all.filter((i) => now.v.words[i].index >= 0), rest = all.slice(typed.length);
  return [...typed.sort((i, j) => now.share[j] - now.share[i] || i - j).slice(0, most - rest.length).sort((i, j) => i - j), ...rest];
};
const maplets = (d, g) => {
  largest(plan.maplets.length).forEach((i, k) => {
    const b = plan.maplets[k], one = now.v.words[i];
    raster(`word ${k}`, b, now.w, now.h, [d.scores, i], heat(d.scores, 1, i * now.n));
    rect(`wordrim ${k}`, g, b, word === one.index ? "gm-rim gm-chosen" : "gm-rim");
    words(`wordname ${k}`, g, b.x + b.w / 2, b.y + b.h + 1.25 * u, ...brief(one.name, b.room), "middle");
    zone(`word ${k}`, g, b, "grid", button(`${one.name}: ${percent(one.share)} of the picture`, word === one.index, { "data-word": one.index }));
  });
  if (!plan.wide) return;
  const tall = { y: plan.maplets[0].y, h: plan.maplets.at(-1).y + plan.maplets.at(-1).h - plan.maplets[0].y };
  const { values: from, words: at, out } = plan, edge = 0.5 * u;
  band("words", { x: from.x + edge, w: from.w, ...tall }, { x: at.x - edge, ...tall });
  band("mask", { x: at.x + edge, w: at.w, ...tall }, { x: out.x - edge, ...tall });
};
const scores = (patch) => {
  const v = now.v, d = mixed, g = part.scores, { x, y: top, w } = plan.bars;
  const list = patch === null ? [] : shared(patch, d), round = rounded(list.map(([, score]) => score)), percents = lengthOf("100 %", "num") + 0.5 * u;
  words("ask", g, x, top + 0.75 * u, list.length ? "" : "Point at a patch.", "small");
  for (let k = 0; k < 5; k++) {
    const [one, score] = list[k] ?? [null, 0], y = top + 1.4 * k * u, near = one ? fitsAt(patch).find(([index]) => index === one.index) : null;
    const cosine = near ? signed(near[1]) : "", room = w - percents - (cosine ? lengthOf(cosine, "num") + 0.5 * u : 0);
    words(`best ${k}`, g, x, y + 0.75 * u, ...brief(one?.name ?? "", room));
    words(`cosine ${k}`, g, x + w - percents, y + 0.75 * u, cosine, "num", "end").dataset.value = near?.[1] ?? "";
    rect(`bar ${k}`, g, { x, y: y + 0.98 * u, w: one ? Math.max(w * score, 1) : 0, h: 0.3 * u }, "", { fill: one?.colour ?? "none", rx: 2 });
    const number = words(`percent ${k}`, g, x + w, y + 0.75 * u, one ? `${round[k]} %` : "", "num", "end");
    Object.assign(number.dataset, { value: score, name: one?.name ?? "" });
  }
};
// A patch's words by their scores, and what is left: together they make 1, and 100 % as they are written.
const rows = () => Math.min(now.v.words.length + (now.v.words.at(-1).index < 0 ? 0 : 1), 5);
const shared = (patch, d) => {
  const near = fitsAt(patch).map(([index]) => index), rank = ([{ index }]) => (near.includes(index) ? near.indexOf(index) : 2);
  const all = now.v.words.map((one, i) => [one, d.scores[i * now.n + patch]]).sort((one, other) => other[1] - one[1] || rank(one) - rank(other)), list = all.slice(0, rows() - (all.length > rows() ? 1 : 0));
  const left = 1 - list.reduce((sum, [, score]) => sum + score, 0);
  return all.length > list.length || left > 0.01 ? [...list, [{ name: "others", colour: "#8a8a8a" }, Math.max(left, 0)]] : list;
};
const rounded = (scores) => {
  const whole = scores.map((score) => Math.floor(100 * score)), order = scores.map((_, i) => i).sort((i, j) => 100 * (scores[j] - scores[i]) - whole[j] + whole[i]);
  order.slice(0, Math.max(0, 100 - whole.reduce((a, b) => a + b, 0))).forEach((i) => whole[i]++);
  return whole;
};
// The two best words of a patch with their cosines; -1 is one of the hidden.
const fitsAt = (patch) => Array.from({ length: now.fits.length / now.n }, (_, k) => k * now.n + patch).map((i) => [now.fits[i] - 1, now.cosines[i] - 1]);
const signed = (cosine) => cosine.toFixed(3).replace("-", "−").replace("0.", ".");
const mask = (d, g, t) => {
  const v = now.v, [rows, columns] = v.shape, { x, y, w } = plan.legend;
  const faint = (index) => (word === null || word === index ? 190 : 40), rest = pack(...(word === -1 ? [140, 140, 140, 190] : [20, 20, 24, 150]));
  const inks = new Map(v.words.map((one) => [one.index, pack(...hex(one.colour), faint(one.index))]));
  // What has no word is hatched, as in the page's other legends.
  const hatched = (i) => (((i % columns) - Math.floor(i / columns)) & 7) < 2, hatch = pack(150, 150, 150, 190);
  const ink = (labels) => (i) => (labels[i] < 0 ? (hatched(i) ? hatch : rest) : inks.get(labels[i]) ?? pack(140, 140, 140, 160));
  raster("under", plan.out, now.photo.naturalWidth || 1, now.photo.naturalHeight || 1, [now.photo], now.photo);
  raster("mask", plan.out, columns, rows, [now.labels, word], ink(now.labels), t);
  if (t < 1) raster("mask before", plan.out, columns, rows, [old.labels, word], ink(old.labels), 1 - t);
  zone("mask", g, plan.out, "grid");
  const found = v.words.filter((one, i) => now.share[i] > 0).length, listed = largest(found > 5 ? 4 : 5).filter((i) => now.share[i] > 0);
  const legend = listed.map((i) => [v.words[i].name, d.share[i], v.words[i].index < 0 ? "none" : v.words[i].colour]);
  if (v.rest > 0 && v.words.at(-1).index >= 0) legend.push(["no label", v.rest, "none"]);
  if (found > listed.length) legend.push([`${found - listed.length} more`, 1 - listed.reduce((sum, i) => sum + d.share[i], 0), "transparent"]);
  legend.forEach(([name, share, colour], k) => {
    const line = y + 1.35 * k * u;
    const b = { x, y: line - 0.75 * u, w: 0.85 * u, h: 0.85 * u }, third = b.w / 3;
    rect(`swatch ${k}`, g, b, "", { fill: colour });
    if (colour === "none") path("hatch", g, `M${x} ${b.y}l${b.w} ${b.w}m${-third} 0l${-2 * third} ${-2 * third}M${x + third} ${b.y}l${2 * third} ${2 * third}`, "gm-hatch");
    const said = `${Math.round(100 * share)} %`;
    words(`area ${k}`, g, x + 1.3 * u, line, ...brief(name, w - 1.6 * u - lengthOf(said, "num")));
    words(`share ${k}`, g, x + w, line, said, "num", "end");
  });
};
