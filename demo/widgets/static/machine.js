// The machine: one linked diagram from picture to mask. Lines, canvases, then words and marks.
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const NAMES = ["picture", "blocks", "heads", "matrix", "values", "words", "scores", "mask"];
let value = null, now = null, old = null, mixed = null, plan = null, same = {}, frame = 0;
let at = null, pinned = false, word = null, channel = null, told = "";
const say = make("span", ""), explain = make("span", "gm-explain");
const box = make("div", "gm-box"), back = svg("svg", { class: "gm-back", "aria-hidden": "true" });
const layer = make("div", "gm-layer"), front = svg("svg", { class: "gm-front", role: "group" });
const info = make("p", "gm-info"), bar = make("div", "gm-bar");
say.setAttribute("aria-live", "polite");
info.append(say, " ", explain);
box.append(back, layer, front);

// --- what came ---------------------------------------------------------------------------------
const unpack = async (v) => {
  const flow = new Blob([bytesOf(v.data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = await new Response(flow).arrayBuffer(), found = { v };
  let start = 0;
  for (const [name, shape, levels, gamma, top] of v.arrays) {
    const n = shape.reduce((a, b) => a * b, 1), wide = levels > 255 ? 2 : 1;
    const table = Float32Array.from({ length: levels + 1 }, (_, k) => top * (k / levels) ** (1 / gamma));
    const view = new DataView(raw, start, n * wide);
    found[name] = Float32Array.from({ length: n }, (_, i) => table[wide === 2 ? view.getUint16(2 * i, true) : view.getUint8(i)]);
    start += n * wide;
  }
  const [h, w] = v.grid, s = v.square;
  found.h = h; found.w = w; found.n = h * w;
  found.sh = Math.ceil(h / s); found.sw = Math.ceil(w / s); found.m = found.sh * found.sw;
  found.maps = [found.local, ...v.fused.map((b) => found[`block ${b - 1}`])];
  found.used = found.local.map((_, i) => found.maps.reduce((sum, map) => sum + map[i], 0) / found.maps.length);
  const sorted = found.used.slice().sort();
  found.bright = sorted[Math.floor(0.995 * (sorted.length - 1))] || 1;
  const of = (list) => Float32Array.from(list, (x) => x ?? NaN);
  found.score = of(v.blocks.map((b) => b.score));
  found.ratio = of(v.blocks.map((b) => b.ratio));
  found.after = of(v.blocks.map((b) => b.after));
  found.agreement = of(v.blocks.map((b) => b.agreement));
  found.similar = of(v.similar);
  found.share = of(v.words.map((x) => x.share));
  found.fusing = Float32Array.of(v.fused.length ? 1 : 0);
  found.after_norms = found.norms.slice();
  for (const [d, to] of v.repaired) found.after_norms[d] = to;
  found.photo = await photo(v.picture);
  found.grey = grey(found.photo);
  found.labels = await labelsOf(v.mask, v.shape[1], v.wide);
  return found;
};
const grey = (photo) => {
  const one = make("canvas"), w = (one.width = photo.naturalWidth || 1), h = (one.height = photo.naturalHeight || 1), context = one.getContext("2d");
  context.drawImage(photo, 0, 0, w, h);
  const data = context.getImageData(0, 0, w, h);
  for (let i = 0; i < data.data.length; i += 4) data.data.fill(0.3 * data.data[i] + 0.59 * data.data[i + 1] + 0.11 * data.data[i + 2], i, i + 3);
  context.putImageData(data, 0, 0);
  return one;
};
const equal = (a, b) => !!a && !!b && a.length === b.length && a.every((x, i) => x === b[i] || (x !== x && b[i] !== b[i]));
const MOVES = ["received", "head q", "head k", "head v", "used", "scores", "norms", "after_norms", "score", "ratio", "after", "agreement", "similar", "share", "fusing", "local"];
const blend = (t) => {
  if (t >= 1 || !old) return now;
  const out = { ...now };
  for (const name of MOVES) {
    const a = old[name], b = now[name];
    if (a && a.length === b.length) out[name] = b.map((x, i) => (a[i] === a[i] ? a[i] + (x - a[i]) * t : x));
  }
  return out;
};
const DEPENDS = {
  picture: [], blocks: ["received", "score", "ratio", "after"], heads: ["head q", "head k", "head v"], matrix: ["used"],
  values: ["norms", "after_norms", "similar"], words: ["scores"], scores: ["scores"], mask: ["share"],
};

// --- drawing: nodes are made once and then only moved -------------------------------------------
const nodes = new Map();
let used = new Set();
const node = (key, tag, parent, attributes, text) => {
  let one = nodes.get(key);
  if (!one) {
    one = tag === "canvas" ? make("canvas") : svg(tag, {});
    nodes.set(key, one);
    parent.append(one);
    one.seen = {};
    one.dataset.key = key;
  }
  used.add(key);
  for (const name in attributes) {
    if (one.seen[name] !== attributes[name]) one.setAttribute(name, (one.seen[name] = attributes[name]));
  }
  if (text !== undefined && one.seen.text !== text) rich(one, (one.seen.text = text));
  return one;
};
const rich = (one, text) => {
  one.replaceChildren();
  let level = 0;
  for (const [, sign, inner, origin, plain] of text.matchAll(/([_^])\{([^}]*)\}|(\[(?:paper|reading|ours)\])|([_^[]|[^_^[]+)/g)) {
    const to = sign === "_" ? 0.3 : sign === "^" ? -0.4 : 0, size = sign ? 0.72 : origin ? 0.8 : 1;
    const span = svg("tspan", { dy: `${((to - level) / size).toFixed(3)}em`, "font-size": `${size}em`, class: origin ? "gm-mark" : "" });
    span.textContent = inner ?? origin ?? plain;
    one.append(span);
    level = to;
  }
};
let u = 13, least = 10;
const group = (name) => node(`part ${name}`, "g", front, { "data-part": name, role: "group" });
const words = (key, parent, x, y, text, cls = "", anchor = "start") =>
  node(key, "text", parent, { x: x.toFixed(1), y: y.toFixed(1), class: `gm-t ${cls}`, "text-anchor": anchor }, String(text));
const rect = (key, parent, b, cls, more) =>
  node(key, "rect", parent, { x: b.x.toFixed(1), y: b.y.toFixed(1), width: Math.max(b.w, 0).toFixed(1), height: Math.max(b.h, 0).toFixed(1), class: cls, ...more });
const path = (key, parent, d, cls, more) => node(key, "path", parent, { d, class: cls, ...more });
const flow = (key, x1, y1, h1, x2, y2, h2, cls = "gm-flow") => {
  const c = (x1 + x2) / 2;
  path(key, back, `M${x1} ${y1}C${c} ${y1} ${c} ${y2} ${x2} ${y2}V${y2 + h2}C${c} ${y2 + h2} ${c} ${y1 + h1} ${x1} ${y1 + h1}Z`, cls);
};
const raster = (key, b, w, h, ink, smooth) => {
  const one = node(key, "canvas", layer, { class: smooth ? "" : "gm-pixels" });
  if (one.width !== w || one.height !== h) { one.width = w; one.height = h; }
  Object.assign(one.style, { left: `${b.x}px`, top: `${b.y}px`, width: `${b.w}px`, height: `${b.h}px` });
  const context = one.getContext("2d");
  if (typeof ink === "function") {
    const data = context.createImageData(w, h), out = new Uint32Array(data.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = ink(i);
    context.putImageData(data, 0, 0);
  } else if (ink) context.drawImage(ink, 0, 0, w, h);
  one.box = b;
  return one;
};
const pack = (r, g, b, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
const HEAT = LUT.map(([r, g, b]) => pack(r, g, b));
const VEIL = LUT.map(([r, g, b], k) => pack(r, g, b, 40 + 3.2 * k));
const heat = (list, top, offset = 0, table = HEAT) => (i) => table[Math.min(63, Math.round(63 * Math.sqrt(Math.max(0, list[offset + i]) / top)))];
const clip = (text, wide, size = 1) => { const n = Math.max(3, Math.floor(wide / (0.52 * Math.max(size * u, least)))); return [...text].length > n ? [...text].slice(0, n - 1).join("") + "…" : text; };
const times = (x) => (x < 99.5 ? x.toFixed(x < 9.95 ? 1 : 0) : x < 9999 ? String(Math.round(x)) : x.toExponential(0)) + " ×";

// --- where everything stands --------------------------------------------------------------------
const arrange = (W, height) => {
  const a = now.v.size[0] / now.v.size[1], n = now.v.blocks.length, B = { W, tiles: [] }, wide = W >= 54 * u;
  const fit = (x, y, w, h) => { const k = Math.min(w, h / a); return { x: x + (w - k) / 2, y, w: k, h: k * a }; };
  const left = (x, y, w, h) => { const f = fit(x, y, w, h); return { ...f, x }; };
  const put = (name, x, y, w) => { B[name] = { x, y, w }; };
  const gutter = document.fullscreenElement === root ? 10 * u : 8 * u, per = wide ? Math.min(n, 12) : Math.min(n, 6), top = 3.5 * u, strips = 6.2 * u;
  let x0 = 0, y = 0, tw;
  if (wide) {
    B.photo = left(0, top, clamp(0.17 * W, 11 * u, 20 * u), 11.4 * u);
    x0 = B.photo.w + gutter;
    put("picture", 0, 0, B.photo.w);
    put("blocks", x0, 0, W - x0);
    y = top;
  } else {
    B.photo = fit(0, top, W, 17 * u);
    put("picture", 0, 0, W);
    y = B.photo.y + B.photo.h + 7 * u;
    put("blocks", 0, y - 3.5 * u, W);
  }
  tw = (W - x0) / per;
  const tile = fit(0, 0, tw - 0.7 * u, tw - 0.7 * u);
  for (let i = 0; i < n; i++) {
    const row = Math.floor(i / per), ty = y + 1.3 * u + row * (tile.h + strips + 2.4 * u);
    B.tiles.push({ x: x0 + (i % per) * tw + (tw - tile.w) / 2, y: ty, w: tile.w, h: tile.h, column: x0 + (i % per) * tw, tw, row });
  }
  const last = B.tiles[n - 1];
  B.strips = { x: x0, rows: Math.ceil(n / per) };
  y = Math.max(last.y + last.h + strips, B.photo.y + B.photo.h) + 4.2 * u;
  const k = Math.max(now.maps.length - 1, 2);
  if (wide) {
    const pad = 1.2 * u, gap = 2.4 * u, free = W - 2 * pad - 4 * gap, cols = [0.1, 0.27, 0.22, 0.23, 0.18].map((f) => f * free);
    const H = height ? clamp(height - y - 9.6 * u, 14 * u, 24 * u) : clamp(0.22 * W, 18.5 * u, 20 * u), c = y + 2.8 * u;
    let x = pad;
    B.panel = { x: 0, y, w: W, h: H + 9.4 * u };
    ["heads", "matrix", "values", "words", "mask"].forEach((name, i) => { put(name, x, y, cols[i]); x += cols[i] + gap; });
    const hx = B.heads.x;
    B.heads3 = ["q", "k", "v"].map((_, i) => left(hx + 1.4 * u, c + (i * H) / 3, cols[0] - 1.4 * u, H / 3 - 0.8 * u));
    const s = Math.min(4.6 * u, 0.25 * cols[1]), big = Math.min(cols[1] - s - 2.4 * u, H - 6.6 * u), sm = Math.min(4 * u, (big - (k - 1) * 0.7 * u) / k);
    const mx = B.matrix.x + s + 2.4 * u;
    B.used = { x: mx, y: c + H - big, w: big, h: big };
    B.maps = [{ x: B.matrix.x, y: B.used.y + (big - s) / 2, w: s, h: s }];
    for (let i = 0; i < k; i++) B.maps.push({ x: mx + (big * (i + 0.5)) / k - sm / 2, y: B.used.y - 2.2 * u - sm, w: sm, h: sm });
    B.norms = { x: B.values.x, y: c, w: cols[2], h: H - 7.2 * u };
    B.alike = { x: B.values.x, y: c + H - 4.4 * u, w: cols[2], h: 4.4 * u };
    const ww = (cols[3] - 2 * 0.7 * u) / 3, wh = Math.min(ww * a, (H - 8.6 * u) / 2 - 1.6 * u);
    B.wordroom = ww + 0.5 * u;
    B.words6 = [...Array(6)].map((_, i) => fit(B.words.x + (i % 3) * (ww + 0.7 * u), c + Math.floor(i / 3) * (wh + 1.9 * u), ww, wh));
    put("scores", B.words.x, c + H - 8.2 * u, cols[3]);
    B.bars = { x: B.words.x, y: B.scores.y + 1.9 * u, w: cols[3] };
    B.out = left(B.mask.x, c, cols[4], H - 6.4 * u);
    B.legend = { x: B.mask.x, y: B.out.y + B.out.h + 1.6 * u, w: cols[4] };
    B.foot = c + H + 1.9 * u;
    B.height = y + B.panel.h;
    for (const name of NAMES) B[name].end = ["picture", "blocks"].includes(name) ? y - 2.6 * u : B.height;
  } else {
    B.panel = { x: 0, y, w: W, h: 0 };
    const pad = 0.8 * u, w = W - 2 * pad, title = (name) => { put(name, pad, y, w); y += name === "scores" ? 2 * u : 4 * u; };
    const foot = () => { y += 2 * u; };
    title("heads");
    B.heads3 = [0, 1, 2].map((i) => fit(pad + (i * w) / 3 + 0.2 * u, y + 1.2 * u, w / 3 - 0.6 * u, 9 * u));
    y += 1.4 * u + B.heads3[0].h; foot();
    title("matrix");
    const s = Math.min(7 * u, w / (k + 1) - 0.7 * u);
    B.maps = [...Array(k + 1)].map((_, i) => ({ x: pad + (w * (i + 0.5)) / (k + 1) - s / 2, y: y + 1.2 * u, w: s, h: s }));
    y += s + 4 * u;
    B.used = { x: pad + (w - 19 * u) / 2, y, w: 19 * u, h: 19 * u };
    y += 19 * u; foot();
    title("values");
    B.norms = { x: pad, y, w, h: 9 * u };
    B.alike = { x: pad, y: y + 11 * u, w, h: 4.4 * u };
    y += 15.4 * u; foot();
    title("words");
    const ww = w / 3 - 0.7 * u;
    B.wordroom = ww;
    B.words6 = [...Array(6)].map((_, i) => fit(pad + ((i % 3) * w) / 3, y + Math.floor(i / 3) * (ww * a + 1.9 * u), ww, ww * a));
    y += 2 * (ww * a + 1.9 * u) + 0.4 * u; foot();
    title("scores");
    B.bars = { x: pad, y, w };
    y += 9 * u;
    title("mask");
    B.out = fit(pad, y, w, 17 * u);
    y += B.out.h;
    B.legend = { x: pad, y: y + 1.6 * u, w };
    y += 6.2 * u; foot();
    B.height = y + 0.4 * u;
    B.panel.h = B.height - B.panel.y;
    NAMES.forEach((name, i) => (B[name].end = i < 7 ? B[NAMES[i + 1]].y : B.height));
  }
  B.wide = wide;
  return B;
};

// --- one frame ----------------------------------------------------------------------------------
const draw = (t) => {
  const d = (mixed = blend(t)), v = now.v, B = plan, n = v.blocks.length;
  used = new Set();
  for (const layerSvg of [back, front]) for (const [k, x] of [["width", B.W], ["height", B.height], ["viewBox", `0 0 ${B.W} ${B.height}`]]) layerSvg.setAttribute(k, x);
  Object.assign(layer.style, { width: `${B.W}px`, height: `${B.height}px` });
  front.setAttribute("aria-label", `The machine: ${v.model}, from picture to mask`);
  rect("panel", back, B.panel, "gm-panel", { rx: 0.8 * u });
  const lastTile = B.tiles[n - 1];
  path("zoom", back, `M${lastTile.x} ${lastTile.y + lastTile.h}H${lastTile.x + lastTile.w}L${B.W} ${B.panel.y + u}H0Z`, "gm-zoom");
  for (const name of v.lesson?.parts ?? []) { const b = B[name]; rect(`light ${name}`, back, { x: b.x - 0.7 * u, y: b.y - 0.3 * u, w: Math.min(b.w + 1.4 * u, B.W - b.x + 0.7 * u), h: (name === "words" && B.wide ? B.scores.y : b.end) - b.y + 0.2 * u }, "gm-light", { rx: 0.7 * u }); }
  const g = Object.fromEntries(NAMES.map((name) => [name, group(name)]));
  for (const name of NAMES) {
    const b = plan[name], to = name === "words" && B.wide ? B.scores.y : b.end;
    rect(`area ${name}`, g[name], { x: b.x, y: b.y, w: b.w, h: to - b.y }, "gm-area");
    head(name, g[name]);
  }
  // the picture
  const pw = Math.round(now.photo.naturalWidth || 1), ph = Math.round(now.photo.naturalHeight || 1);
  raster("photo", B.photo, pw, ph, now.photo, true);
  zone("picture", g.picture, B.photo, "grid", { tabindex: 0, role: "application", "aria-label": "Patches of the picture. Arrow keys move, Enter pins, Escape frees." });
  path("patches", g.picture, [...Array(now.w - 1)].map((_, i) => `M${(B.photo.x + ((i + 1) * B.photo.w) / now.w).toFixed(1)} ${B.photo.y}v${B.photo.h}`).join("") + [...Array(now.h - 1)].map((_, i) => `M${B.photo.x} ${(B.photo.y + ((i + 1) * B.photo.h) / now.h).toFixed(1)}h${B.photo.w}`).join(""), "gm-grid");
  if (B.wide) flow("in", B.photo.x + B.photo.w + 2, B.photo.y, B.photo.h, B.tiles[0].x - 2, B.tiles[0].y, B.tiles[0].h);
  blocks(d, g.blocks);
  lines(d);
  // queries, keys, Values
  ["q", "k", "v"].forEach((name, i) => {
    const b = B.heads3[i], idle = name === "k" ? !/k/.test(v.attention) : name === "q" ? !/q/.test(v.attention) : false;
    raster(name, b, now.sw, now.sh, (j) => {
      const rgb = [0, 1, 2].map((c) => 255 * d[`head ${name}`][3 * j + c]), mean = (rgb[0] + rgb[1] + rgb[2]) / 3;
      return idle ? pack(mean, mean, mean, 90) : pack(...rgb);
    });
    if (B.wide) words(`name ${name}`, g.heads, b.x - 0.5 * u, b.y + b.h / 2 + 0.35 * u, name, "gm-eq gm-big", "end");
    else words(`name ${name}`, g.heads, b.x + b.w / 2, b.y - 0.4 * u, name, "gm-eq gm-big", "middle");
    if (idle) words(`idle ${name}`, g.heads, b.x + b.w / 2, b.y + b.h / 2 + 0.35 * u, "not used", "gm-small", "middle");
    zone(name, g.heads, b, "grid");
  });
  matrices(d, g.matrix);
  values(d, g.values);
  // patches x words
  const shown = v.words.map((_, i) => i).sort((i, j) => now.share[j] - now.share[i] || i - j).slice(0, 6);
  shown.forEach((i, k) => {
    const b = B.words6[k], one = v.words[i];
    raster(`word ${k}`, b, now.w, now.h, heat(d.scores, 1, i * now.n));
    rect(`wordrim ${k}`, g.words, b, word === one.index ? "gm-rim gm-chosen" : "gm-rim");
    words(`wordname ${k}`, g.words, b.x + b.w / 2, b.y + b.h + 1.15 * u, clip(one.name, B.wordroom, 0.95), "gm-word", "middle");
    zone(`word ${k}`, g.words, b, "grid", { "data-word": one.index, role: "button", tabindex: 0, "aria-pressed": String(word === one.index), "aria-label": `${one.name}: ${percent(one.share)} of the picture` });
  });
  // the mask
  const ink = new Map(v.words.map((one) => [one.index, pack(...[1, 3, 5].map((k) => parseInt(one.colour.slice(k, k + 2), 16)), word === null || word === one.index ? 190 : 40)]));
  raster("under", B.out, pw, ph, now.grey, true);
  raster("mask", B.out, v.shape[1], v.shape[0], (i) => (now.labels[i] < 0 ? (word === -1 ? pack(140, 140, 140, 190) : pack(20, 20, 24, 150)) : ink.get(now.labels[i]) ?? pack(140, 140, 140, 160)));
  zone("mask", g.mask, B.out, "grid");
  const listed = shown.filter((i) => now.share[i] > 0 && v.words[i].index >= 0).slice(0, v.rest > 0 ? 3 : 4).map((i) => [v.words[i].name, d.share[i], v.words[i].colour]);
  if (v.rest > 0) listed.push(["rest", v.rest, "#8c8c8c"]);
  listed.forEach(([name, share, colour], k) => {
    const ly = B.legend.y + k * 1.45 * u;
    rect(`swatch ${k}`, g.mask, { x: B.legend.x, y: ly - 0.75 * u, w: 0.85 * u, h: 0.85 * u }, "gm-swatch", { fill: colour });
    words(`area ${k}`, g.mask, B.legend.x + 1.3 * u, ly, clip(name, B.legend.w - 5 * u), "");
    words(`share ${k}`, g.mask, B.legend.x + B.legend.w, ly, `${Math.round(100 * share)} %`, "gm-num", "end");
  });
  if (B.wide) {
    const [q, , val] = B.heads3, A = B.used;
    flow("q", q.x + q.w + 2, q.y, q.h, B.maps[0].x - 2, B.maps[0].y, B.maps[0].h);
    flow("vA", val.x + val.w + 2, val.y, val.h, A.x - 2, A.y + 0.72 * A.h, 0.28 * A.h);
    flow("AV", A.x + A.w + 2, A.y + 0.5 * A.h, 0.5 * A.h, B.alike.x - 4, B.alike.y + 0.2 * u, B.alike.h - 0.8 * u);
    const rows = B.words6[3].y + B.words6[3].h - B.words6[0].y;
    flow("VW", B.values.x + B.values.w + 0.5 * u, B.words6[0].y, rows, B.words.x - 0.5 * u, B.words6[0].y, rows);
    flow("WM", B.words.x + B.words.w + 0.5 * u, B.words6[0].y, rows, B.out.x - 0.5 * u, B.words6[0].y, rows);
  }
  mark();
  for (const [key, one] of nodes) if (!used.has(key)) { one.remove(); nodes.delete(key); }
  root.drawn = d;
};

// The name, equation, mark of its source and value of a part.
const head = (name, g) => {
  const b = plan[name], p = now.v.parts[name];
  const below = plan.wide && !["picture", "blocks", "scores"].includes(name);
  g.setAttribute("aria-label", `${p.name}: ${p.value}. ${p.sentence}${same[name] ? " Unchanged." : ""}`);
  g.dataset.same = same[name] ?? "";
  words(`head ${name}`, g, b.x, b.y + 1.25 * u, clip(p.name, b.w + 2 * u), "gm-name");
  const lines = (p.equation + (p.mark ? ` [${p.mark}]` : "")).split("\n"), room = plan.wide ? lines : [lines.join(" ")];
  let y = below ? plan.foot : b.y + 2.65 * u;
  if (name === "scores") return words(`eq ${name}`, g, b.x + b.w, b.y + 1.25 * u, p.equation, "gm-eq", "end");
  room.forEach((line, k) => { words(`eq ${name} ${k}`, g, b.x, y, line, "gm-eq"); y += 1.35 * u; });
  if (below && room.length < 3) words(`value ${name}`, g, b.x, y + 0.15 * u, clip(p.value, b.w + u, 0.88), "gm-small");
  if (same[name]) words(`same ${name}`, g, name === "blocks" ? b.x + b.w : b.x, below ? plan.foot + 4.2 * u : name === "picture" ? plan.photo.y + plan.photo.h + 1.2 * u : b.y + 2.65 * u, same[name], "gm-same", name === "blocks" ? "end" : "start");
};

const bolt = (x, y) => `M${x} ${y}l${0.5 * u} ${-0.75 * u}h${-0.4 * u}l${0.35 * u} ${-0.7 * u}h${-0.45 * u}l${-0.4 * u} ${0.85 * u}h${0.42 * u}z`;
// A tile a block: attention received, global tokens, largest channel, class token's agreement.
const blocks = (d, g) => {
  const v = now.v, [tokens, spikes] = v.thresholds, most = Math.max(10, ...d.ratio);
  const height = (r) => (1.4 * u * Math.log(Math.max(r, 1.02))) / Math.log(most);
  v.blocks.forEach((block, i) => {
    const b = plan.tiles[i], mid = b.x + b.w / 2, foot = b.y + b.h, key = block.number;
    const fused = v.fused.includes(key), chosen = v.norms_of === key, glow = clamp((d.score[i] - 1) / (2 * tokens), 0, 1);
    rect(`glow ${key}`, back, { x: b.x - 0.35 * u, y: b.y - 0.35 * u, w: b.w + 0.7 * u, h: b.h + 0.7 * u }, "gm-glow", { rx: 0.5 * u, opacity: glow.toFixed(3) });
    raster(`tile ${key}`, b, now.w, now.h, heat(d.received, 3 * tokens, i * now.n));
    const cw = b.w / now.w, ch = b.h / now.h;
    path(`tokens ${key}`, g, block.tokens.map((k) => `M${(b.x + (k % now.w) * cw).toFixed(1)} ${(b.y + Math.floor(k / now.w) * ch).toFixed(1)}h${cw.toFixed(1)}v${ch.toFixed(1)}h${(-cw).toFixed(1)}z`).join(""), "gm-token");
    rect(`rim ${key}`, g, b, `gm-rim${fused ? " gm-fused" : ""}${chosen ? " gm-chosen" : ""}`);
    words(`number ${key}`, g, mid, b.y - 0.55 * u, key, "gm-num", "middle");
    words(`score ${key}`, g, mid, foot + 1.5 * u, times(d.score[i]), `gm-num${d.score[i] >= tokens ? " gm-strong" : ""}`, "middle").dataset.value = block.score;
    const base = foot + 4.6 * u, tall = height(d.ratio[i]), bad = d.ratio[i] >= spikes, wide = 0.5 * u;
    path(`base ${key}`, g, `M${b.x} ${base}h${b.w}`, "gm-axis");
    rect(`spike ${key}`, g, { x: mid - wide / 2, y: base - tall, w: wide, h: tall }, `gm-spike${bad ? " gm-bad" : ""}${block.repaired ? " gm-was" : ""}`);
    if (block.repaired) rect(`mended ${key}`, g, { x: mid - wide / 2, y: base - height(d.after[i]), w: wide, h: height(d.after[i]) }, "gm-mended");
    words(`ratio ${key}`, g, mid, base - tall - 0.3 * u, times(d.ratio[i]), `gm-num${bad ? " gm-strong" : ""}`, "middle").dataset.value = block.ratio;
    if (block.planted) path(`fault ${key}`, g, bolt(mid + 0.75 * u, base - 0.2 * u), "gm-bolt");
    const agree = d.agreement[i];
    words(`agreement ${key}`, g, mid, foot + 6.1 * u, agree === agree ? agree.toFixed(2) : "–", "gm-num", "middle").dataset.value = block.agreement ?? "";
    zone(`tile ${key}`, g, b, "grid", {
      "data-block": key, role: "button", tabindex: chosen ? 0 : -1, "aria-pressed": String(chosen),
      "aria-label": `Block ${key}: most looked-at patch ${times(block.score)} uniform, ${block.tokens.length} global tokens; largest channel ${block.channel}, ${times(block.ratio)} the median${block.planted ? ", a simulated fault" : ""}${block.repaired ? `, brought back by CS to ${times(block.after)}` : ""}; agreement with the class token ${block.agreement === null ? "none" : block.agreement.toFixed(2)}${fused ? "; AMF takes it" : ""}`,
    });
  });
  if (plan.wide) for (let row = 0; row < plan.strips.rows; row++) {
    const foot = plan.tiles[row * 12].y + plan.tiles[0].h, x = plan.strips.x - 0.4 * u;
    (least > u * 0.85
      ? [["most looked at ×", 1.5], ["largest channel ×", 4.4], ["like class token", 6.1]]
      : [["most looked-at", 1.1], ["patch, × uniform", 1.95], ["largest channel,", 3.7], ["× the median", 4.55], ["agreement with", 5.8], ["class token", 6.65]]
    ).forEach(([text, dy]) => words(`strip ${row} ${text}`, g, x, foot + dy * u, text, "gm-tiny", "end"));
  }
};

// What joins the tiles to the opened last block: down, along the gap above the panel, down.
const bend = (t, x2, y2, lane) => {
  const aside = t.row + 1 < plan.strips.rows ? t.tw / 2 : 0, x1 = t.x + t.w / 2 + aside, y1 = t.y + t.h + (aside ? 0 : 6.5 * u);
  const y = plan.panel.y - (2.4 - 0.8 * lane) * u, r = Math.min(1.6 * u, Math.abs(x2 - x1) / 2), k = x2 < x1 ? -r : r;
  return `M${x1} ${y1}V${y - r}Q${x1} ${y} ${x1 + k} ${y}H${x2 - k}Q${x2} ${y} ${x2} ${y + r}V${y2}`;
};
const lines = (d) => {
  if (!plan.wide) return;
  const v = now.v, amount = d.fusing[0], list = v.fused.length ? v.fused : amount > 0 && old ? old.v.fused : [];
  list.forEach((block, j) => {
    const t = plan.tiles[block - 1], m = plan.maps[1 + j];
    if (!t || !m) return;
    path(`amf ${j}`, back, bend(t, m.x + m.w / 2, m.y - 1.5 * u, j), "gm-amf", { pathLength: 1, "stroke-dasharray": 1, "stroke-dashoffset": (1 - amount).toFixed(3), "data-block": block });
  });
  const t = plan.tiles[v.norms_of - 1];
  path("ffn", back, bend(t, plan.norms.x + plan.norms.w * 0.9, plan.norms.y - 0.2 * u, 0.5), `gm-ffn${v.blocks[v.norms_of - 1].repaired ? " gm-good" : v.blocks[v.norms_of - 1].ratio >= v.thresholds[1] ? " gm-ill" : ""}`);
};

const matrices = (d, g) => {
  const v = now.v, A = plan.used, amount = d.fusing[0], count = v.fused.length, m = now.m;
  const weight = count ? `1/${count + 1}` : "1", own = now.maps[0], label = v.local;
  plan.maps.forEach((b, i) => {
    const map = i ? now.maps[i] : d.local, there = i === 0 || i <= count;
    if (there) raster(`map ${i}`, b, m, m, heat(map, now.bright)).style.opacity = i ? amount : 1;
    rect(`maprim ${i}`, g, b, there ? `gm-rim${i ? " gm-fused" : ""}` : "gm-slot");
    words(`mapname ${i}`, g, b.x + b.w / 2, b.y - 0.5 * u, i === 0 ? label : there ? `A_{qk}^{${v.fused[i - 1]}}` : "", "gm-eq", "middle");
    if (!there) words(`slot ${i}`, g, b.x + b.w / 2, b.y + b.h / 2 + 0.3 * u, i === 1 ? "AMF" : i === 2 ? "off" : "", "gm-small", "middle");
    if (there) zone(`map ${i}`, g, b, "rows");
    if (!plan.wide && i > count) return;
    const vertical = !plan.wide || i > 0, k = plan.maps.length - 1, cls = i ? "gm-flow gm-amfflow" : "gm-flow";
    let px, py;
    if (vertical) {
      const n = plan.wide ? k : count + 1, j = plan.wide ? i - 1 : i, x2 = A.x + (A.w * j) / n, c = (b.y + b.h + A.y) / 2;
      path(`band ${i}`, back, `M${b.x} ${b.y + b.h + 2}C${b.x} ${c} ${x2} ${c} ${x2} ${A.y - 2}H${x2 + A.w / n}C${x2 + A.w / n} ${c} ${b.x + b.w} ${c} ${b.x + b.w} ${b.y + b.h + 2}Z`, cls, { opacity: there ? (i ? amount : 1) : 0 });
      px = (b.x + b.w / 2 + x2 + A.w / n / 2) / 2; py = c + 0.35 * u;
    } else {
      flow(`band ${i}`, b.x + b.w + 2, b.y, b.h, A.x - 2, A.y, A.h * 0.66);
      px = (b.x + b.w + A.x) / 2; py = b.y + b.h / 2 + 0.35 * u;
    }
    if (there) words(`weight ${i}`, g, px, py, weight, "gm-num gm-strong", "middle").dataset.weight = 1 / (count + 1);
  });
  raster("used", A, m, m, heat(d.used, now.bright));
  rect("usedrim", g, A, "gm-rim");
  zone("used", g, A, "rows");
  const fusedTokens = new Set(v.fused.flatMap((b) => v.blocks[b - 1].tokens.map((k) => Math.floor(Math.floor(k / now.w) / v.square) * now.sw + Math.floor((k % now.w) / v.square))));
  path("stripes", g, [...fusedTokens].map((k) => `M${(A.x + ((k + 0.5) * A.w) / m).toFixed(1)} ${A.y}v${(-0.45 * u).toFixed(1)}`).join(""), "gm-stripes");
};

// The norms of the channels that fed the Values, and how alike these are.
const values = (d, g) => {
  const v = now.v, b = plan.norms, D = d.norms.length, block = v.blocks[v.norms_of - 1], top = v.channel;
  const most = Math.max(...now.norms, v.median * v.thresholds[1]) * 1.08, log = most > 12 * v.median, low = log ? 0.4 * v.median : 0;
  const X = (i) => b.x + ((i + 0.5) / D) * b.w, base = b.y + b.h;
  const Y = (x) => base - clamp(log ? Math.log(Math.max(x, low) / low) / Math.log(most / low) : x / most, 0, 1) * (b.h - 1.6 * u);
  path("norms", g, [...d.norms].map((x, i) => (i === top ? "" : `M${X(i).toFixed(1)} ${base}V${Y(x).toFixed(1)}`)).join(""), "gm-norms", { "stroke-width": clamp((0.62 * b.w) / D, 0.8, 6) });
  path("normsaxis", g, `M${b.x} ${base}H${b.x + b.w}`, "gm-axis");
  const limit = Y(v.median * v.thresholds[1]), bad = block.ratio >= v.thresholds[1];
  path("limit", g, `M${b.x} ${limit}H${b.x + b.w}`, "gm-limit");
  words("limitname", g, b.x + (X(top) > b.x + b.w / 2 ? 0 : b.w), limit - 0.35 * u, `${v.thresholds[1]} × median`, "gm-tiny", X(top) > b.x + b.w / 2 ? "start" : "end");
  path("topnorm", g, `M${X(top)} ${base}V${Y(d.norms[top])}`, `gm-norms ${bad ? "gm-bad" : ""}${v.repaired.length ? " gm-was" : ""}`, { "stroke-width": 0.4 * u });
  for (const [c] of v.repaired) {
    path(`mend ${c}`, g, `M${X(c)} ${base}V${Y(d.after_norms[c])}`, "gm-mend", { "stroke-width": 0.4 * u });
    node(`menddot ${c}`, "circle", g, { cx: X(c), cy: Y(d.after_norms[c]), r: 0.35 * u, class: "gm-mended" });
  }
  const c = channel ?? top, edge = X(c) > b.x + 0.5 * b.w;
  const cx = X(c) + (edge ? -0.6 * u : 0.6 * u), cy = Math.max(Y(now.norms[c]) + 0.3 * u, b.y + u), anchored = edge ? "end" : "start";
  words("channelname", g, cx, cy, `channel ${c}${v.fault && c === v.fault[0] && block.planted ? ", planted" : ""}`, "gm-num gm-strong gm-halo", anchored);
  words("channelnorm", g, cx, cy + 1.15 * u, `${times(now.norms[c] / v.median)} median`, "gm-num gm-halo", anchored).dataset.value = now.norms[c];
  words("normsname", g, b.x, base + 1.2 * u, `‖W_{2}[d, :]‖_{2} of block ${v.norms_of}`, "gm-eq");
  zone("norms", g, { ...b, y: b.y, h: b.h }, "norms", { role: "slider", tabindex: 0, "aria-label": `Channels of block ${v.norms_of}`, "aria-valuemin": 0, "aria-valuemax": D - 1, "aria-valuenow": c, "aria-valuetext": `channel ${c}, ${times(now.norms[c] / v.median)} the median` });
  const a = plan.alike, line = a.y + 2.2 * u, x = (s) => a.x + clamp(s, 0, 1) * a.w, [inside, across] = d.similar;
  path("alike", g, `M${a.x} ${line}H${a.x + a.w}M${a.x} ${line - 0.3 * u}v${0.6 * u}M${a.x + a.w} ${line - 0.3 * u}v${0.6 * u}`, "gm-axis");
  if (inside === inside && across === across) {
    path("apart", g, `M${x(across)} ${line}H${x(inside)}`, "gm-apart");
    node("inin", "circle", g, { cx: x(inside), cy: line, r: 0.5 * u, class: "gm-in" });
    node("inout", "circle", g, { cx: x(across), cy: line, r: 0.5 * u, class: "gm-out" });
    const anchor = (s) => (s > 0.7 ? "end" : s < 0.3 ? "start" : "middle"), put = (s) => x(s) + (s > 0.7 ? 0.5 : s < 0.3 ? -0.5 : 0) * u;
    words("ininname", g, put(inside), line - 0.9 * u, `in-in ${inside.toFixed(2)}`, "gm-num gm-strong", anchor(inside)).dataset.value = v.similar[0];
    words("inoutname", g, put(across), line + 1.6 * u, `in-out ${across.toFixed(2)}`, "gm-num", anchor(across)).dataset.value = v.similar[1];
  }
};

// --- pointing -----------------------------------------------------------------------------------
const zones = new Map();
const zone = (key, g, b, kind, more = {}) => {
  zones.set(key, { b, kind });
  rect(`zone ${key}`, g, b, "gm-zone", { "data-zone": key, ...more });
};
const square = () => Math.floor(at[0] / now.v.square) * now.sw + Math.floor(at[1] / now.v.square);
let lit = false;
const mark = () => {
  const v = now.v, d = mixed, g = nodes.get("part scores");
  at = at ? [clamp(at[0], 0, now.h - 1), clamp(at[1], 0, now.w - 1)] : [now.h >> 1, now.w >> 1];
  const s = square(), k = at[0] * now.w + at[1];
  for (const [key, one] of nodes) if (!lit && key.startsWith("spot ")) { one.remove(); nodes.delete(key); }
  raster("look", plan.photo, now.sw, now.sh, lit ? heat(d.used, now.bright, s * now.m, VEIL) : () => 0).style.display = lit ? "" : "none";
  for (const [key, { b, kind }] of zones) {
    if (!used.has(`zone ${key}`) || kind === "norms") continue;
    const spot = kind === "grid"
      ? { x: b.x + (at[1] * b.w) / now.w - 0.5, y: b.y + (at[0] * b.h) / now.h - 0.5, w: b.w / now.w + 1, h: b.h / now.h + 1 }
      : { x: b.x, y: b.y + (s * b.h) / now.m - 0.5, w: b.w, h: Math.max(b.h / now.m, 1) + 1 };
    if (lit) rect(`spot ${key}`, front, spot, kind === "grid" ? "gm-spot" : "gm-row", { "data-patch": `${at[0]},${at[1]}` });
  }
  const order = !lit ? [] : v.words.map((_, i) => i).sort((i, j) => d.scores[j * now.n + k] - d.scores[i * now.n + k]).slice(0, 5);
  const b = plan.bars;
  words("ask", g, b.x, b.y + 0.75 * u, lit ? "" : "Point at a patch.", "gm-small");
  for (let j = 0; j < 5; j++) {
    const i = order[j], y = b.y + j * 1.4 * u, score = i === undefined ? 0 : d.scores[i * now.n + k];
    const from = b.x + 0.48 * b.w, room = 0.52 * b.w - 3 * u, there = i !== undefined;
    words(`best ${j}`, g, b.x, y + 0.75 * u, there ? clip(v.words[i].name, 0.46 * b.w) : "", "");
    rect(`bar ${j}`, g, { x: from, y, w: Math.max(room * score, there ? 1 : 0), h: 0.85 * u }, "gm-bar-fill", { fill: there ? v.words[i].colour : "none", rx: 2 });
    const number = words(`percent ${j}`, g, b.x + b.w, y + 0.75 * u, there ? `${(100 * score).toFixed(0)} %` : "", "gm-num", "end");
    number.dataset.value = score;
    number.dataset.name = there ? v.words[i].name : "";
  }
  const best = now.looks[k], where = (i) => named(Math.floor(i / now.w), i % now.w);
  const text = !lit ? "Point at any patch: it lights up everywhere." : `Patch ${where(k)}${pinned ? " (pinned)" : ""} looks most at ${where(best)}, ${now.times[k].toFixed(1)} × uniform. ${order.length ? `Best word: ${v.words[order[0]].name}, ${(100 * now.scores[order[0] * now.n + k]).toFixed(0)} %.` : ""}`;
  if (text !== told) say.textContent = told = text;
};
const move = (row, column, known = false) => {
  if (at && lit && at[0] === row && at[1] === column) return;
  at = [row, column];
  lit = true;
  mark();
  if (!known) point(at, pinned);
};
onPoint((said) => {
  if (!now || !plan) return;
  pinned = !!said?.pinned;
  if (said) move(said.row, said.column, true);
});
const under = (event, { b, kind }) => {
  const origin = front.getBoundingClientRect(), k = plan.W / origin.width;
  const fx = clamp(((event.clientX - origin.left) * k - b.x) / b.w, 0, 0.9999), fy = clamp(((event.clientY - origin.top) * k - b.y) / b.h, 0, 0.9999);
  if (kind === "norms") return Math.floor(fx * now.norms.length);
  if (kind === "grid") return [Math.floor(fy * now.h), Math.floor(fx * now.w)];
  const s = Math.floor(fy * now.m), half = now.v.square >> 1;
  return [Math.floor(s / now.sw) * now.v.square + half, (s % now.sw) * now.v.square + half];
};
const hit = (event) => { const z = event.target.closest("[data-zone]"); return z && [z, zones.get(z.dataset.zone)]; };
const about = (event) => {
  const part = event.target.closest("[data-part]"), p = part && now.v.parts[part.dataset.part];
  explain.textContent = p ? `${p.name}: ${p.sentence}` : "";
};
front.addEventListener("focusin", about);
front.addEventListener("pointermove", (event) => {
  about(event);
  const found = hit(event);
  if (found && !pinned && event.pointerType !== "touch" && found[1].kind !== "norms") move(...under(event, found[1]));
});
const press = (z, spot, event) => {
  if (z.dataset.block) return trigger("select", { index: ["block", Number(z.dataset.block)], value: z.dataset.zone });
  if (z.dataset.word) { word = word === Number(z.dataset.word) ? null : Number(z.dataset.word); trigger("select", { index: ["word", word], value: z.dataset.zone }); return draw(1); }
  if (spot.kind === "norms") return choose(event ? near(under(event, spot)) : channel ?? now.v.channel);
  const to = event ? under(event, spot) : at, here = to[0] === at[0] && to[1] === at[1];
  pinned = !(pinned && here);
  lit = false;
  move(...to);
};
const near = (c) => { const reach = Math.ceil(now.norms.length / 60), from = Math.max(0, c - reach); let best = c; for (let i = from; i <= Math.min(c + reach, now.norms.length - 1); i++) if (now.norms[i] > now.norms[best]) best = i; return best; };
const choose = (c) => { channel = clamp(c, 0, now.norms.length - 1); draw(1); trigger("select", { index: ["channel", channel], value: "norms" }); };
front.addEventListener("click", (event) => { const found = hit(event); if (found) press(...found, event); });
front.addEventListener("keydown", (event) => {
  const found = hit(event), arrow = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!found) return;
  const [z] = found;
  if (arrow && z.dataset.zone === "picture") move(clamp(at[0] + arrow[0], 0, now.h - 1), clamp(at[1] + arrow[1], 0, now.w - 1));
  else if (arrow && z.dataset.zone === "norms") choose((channel ?? now.v.channel) + arrow[0] * -10 + arrow[1]);
  else if (arrow && z.dataset.block) nodes.get(`zone tile ${clamp(Number(z.dataset.block) + arrow[1], 1, plan.tiles.length)}`).focus();
  else if (event.key === "Enter" || event.key === " ") press(...found);
  else if (event.key === "Escape" && (pinned || lit)) { pinned = lit = false; mark(); }
  else return;
  event.preventDefault();
  event.stopPropagation();
});

// --- taken along, and on the wall ----------------------------------------------------------------
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset", "opacity", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "paint-order", "stroke-linejoin"];
const drawing = () => {
  const whole = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: plan.W, height: plan.height, viewBox: `0 0 ${plan.W} ${plan.height}` });
  const copy = (from) => {
    if (from.matches(".gm-zone, .gm-area")) return null;
    const to = from.cloneNode(false), style = getComputedStyle(from);
    for (const name of ["class", "role", "tabindex"]) to.removeAttribute(name);
    if (from.tagName !== "g") for (const name of STYLES) to.setAttribute(name, from.tagName === "tspan" && name === "font-size" ? from.getAttribute(name) : style.getPropertyValue(name));
    for (const child of from.childNodes) { const node = child.nodeType === 3 ? child.cloneNode() : copy(child); if (node) to.append(node); }
    return to;
  };
  whole.append(svg("rect", { width: "100%", height: "100%", fill: getComputedStyle(root).getPropertyValue("--background-fill-primary") || "#ffffff" }));
  for (const one of back.children) whole.append(copy(one));
  for (const one of layer.children) {
    if (one.style.display === "none" || !one.box) continue;
    const { x, y, w, h } = one.box;
    whole.append(svg("image", { href: one.toDataURL(), x, y, width: w, height: h, opacity: one.style.opacity || 1, preserveAspectRatio: "none", style: one.className ? "image-rendering: pixelated" : "" }));
  }
  for (const one of front.children) { const node = copy(one); if (node) whole.append(node); }
  return new XMLSerializer().serializeToString(whole);
};
const save = (blob, name) => {
  const link = make("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const saveSvg = () => save(new Blob([drawing()], { type: "image/svg+xml" }), "gclip-machine.svg");
const savePng = async () => {
  const image = new Image(), canvas = make("canvas");
  image.src = URL.createObjectURL(new Blob([drawing()], { type: "image/svg+xml" }));
  await image.decode();
  canvas.width = 2 * plan.W;
  canvas.height = 2 * plan.height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => save(blob, "gclip-machine.png"), "image/png");
};
const flip = (name) => trigger("select", { index: ["switch", name], value: name });
const wall = () => (document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen());
const button = (text, act, title) => {
  const one = make("button", "gw-button", text);
  one.type = "button";
  if (title) one.title = title;
  one.addEventListener("click", act);
  bar.append(one);
  return one;
};
const switches = { amf: button("AMF", () => flip("amf")), cs: button("CS", () => flip("cs")), fault: button("Fault", () => flip("fault"), "Simulate an abnormal channel") };
bar.append(make("span", "gm-space"));
const full = root.requestFullscreen && button("Full screen", wall, "PageDown and PageUp walk the steps; A, C and P switch");
button("SVG", saveSvg, "Save the diagram as SVG");
button("PNG", savePng, "Save the diagram as PNG");
const chips = () => {
  const v = now.v, put = (key, on, text) => { switches[key].setAttribute("aria-pressed", String(on)); switches[key].textContent = text; };
  put("amf", v.amf, v.amf ? `AMF on: ${v.amf_note}` : "AMF off");
  put("cs", v.cs, v.cs ? `CS on: ${v.cs_note}` : "CS off");
  put("fault", !!v.fault, v.fault ? `Simulated fault: channel ${v.fault[0]} × ${v.fault[1]}` : "No fault");
};
const KEYS = { PageDown: 1, ArrowRight: 1, ArrowDown: 1, PageUp: -1, ArrowLeft: -1, ArrowUp: -1, a: "amf", c: "cs", p: "fault" };
const onKey = (event) => {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (document.fullscreenElement !== root || act === undefined || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  event.preventDefault();
  if (typeof act === "string") flip(act);
  else if (value.lesson) go(clamp(value.lesson.at + act, 0, value.lesson.count));
};
document.addEventListener("keydown", onKey);
document.addEventListener("fullscreenchange", () => resize());

// --- a new value, a new size --------------------------------------------------------------------
const resize = () => {
  if (!now || !box.clientWidth) return;
  const big = document.fullscreenElement === root;
  root.classList.toggle("gm-wall", big);
  if (full) full.textContent = big ? "Leave full screen" : "Full screen";
  const W = box.clientWidth;
  least = big ? 22 : 10;
  u = big && W > 900 ? Math.max(22, W / 84) : W > 1500 ? 15 : W > 1100 ? 14 : 13;
  root.style.setProperty("--u", `${u}px`);
  plan = arrange(W, big ? window.innerHeight - bar.offsetHeight - info.offsetHeight - 3 * u : 0);
  draw(1);
};
const show = async (v) => {
  const next = await unpack(v);
  if (v !== props.value) return;
  const like = now && now.v.picture === v.picture && now.v.model === v.model && String(now.v.words.map((x) => x.name)) === String(v.words.map((x) => x.name));
  old = like ? now : null;
  const flipped = like && ["amf", "cs", "fault"].some((k) => JSON.stringify(now.v[k]) !== JSON.stringify(v[k]));
  same = {};
  if (flipped) {
    for (const name of NAMES) if (DEPENDS[name].every((k) => equal(old[k], next[k]))) same[name] = "unchanged";
    const moved = v.blocks.findIndex((_, i) => old.ratio[i] !== next.ratio[i] || old.after[i] !== next.after[i] || !equal(old.received.subarray(i * next.n, (i + 1) * next.n), next.received.subarray(i * next.n, (i + 1) * next.n)));
    if (moved > 0) same.blocks = `blocks 1 to ${moved} unchanged`;
  }
  now = next;
  if (word !== null && !v.words.some((one) => one.index === word)) word = null;
  if (channel !== null && (!old || old.v.norms_of !== v.norms_of)) channel = null;
  if (!like) { at = null; lit = pinned = false; }
  chips();
  if (!box.isConnected) root.replaceChildren(bar, box, info);
  if (v.lesson && !panel.isConnected) root.prepend(panel);
  lessonOf(v);
  resize();
  const begun = performance.now(), mine = ++frame;
  const step = (time) => {
    if (mine !== frame) return;
    const t = old && !STILL.matches ? clamp((time - begun) / 400, 0, 1) : 1;
    draw(t < 1 ? t * t * (3 - 2 * t) : 1);
    if (t < 1) requestAnimationFrame(step);
    else root.dataset.ready = "1";
  };
  root.dataset.ready = "0";
  step(begun);
};
new ResizeObserver(resize).observe(box);
const update = () => {
  value = props.value;
  if (value && value.kind === "machine") show(value);
  else if (value && value.kind === "baked") { root.replaceChildren(...lessonOf(value)); root.dataset.ready = "1"; }
  else root.replaceChildren(skeleton(root.dataset.empty));
};
watch("value", update);
update();
