// Drawing: nodes are made once and then only moved. Bands lie at the back, canvases above, words on top.
const box = make("div", "gm-box"), layer = make("div", "gm-layer");
const back = svg("svg", { class: "gm-back", "aria-hidden": "true" }), front = svg("svg", { role: "group" });
box.append(back, layer, front);
const nodes = new Map();
let touched = new Set();
const node = (key, tag, parent, attributes) => {
  let one = nodes.get(key);
  if (!one) {
    one = tag === "canvas" ? make("canvas") : svg(tag, {});
    nodes.set(key, one);
    parent.append(one);
    one.seen = {};
    one.dataset.key = key;
  }
  touched.add(key);
  for (const name in attributes) {
    if (one.seen[name] !== attributes[name]) one.setAttribute(name, (one.seen[name] = attributes[name]));
  }
  return one;
};
const tidy = () => {
  for (const [key, one] of nodes) if (!touched.has(key)) { one.remove(); nodes.delete(key); }
};

// --- words: u is the size of an ordinary letter, nothing is smaller than `least` -----------------
let u = 13, least = 10;
const KINDS = {
  name: [1.12, 650], body: [1, 400], eq: [1.02, 400], big: [1.2, 400], num: [0.88, 400], strong: [0.88, 700],
  small: [0.88, 400], tiny: [0.8, 400],
};
const MATH = '"STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Serif", Georgia, serif';
const math = (kind) => kind === "eq" || kind === "big";
const sized = (kind) => (math(kind) ? Math.max(1.08 * least, KINDS[kind][0] * u) : Math.max(least, KINDS[kind][0] * u));
// a_{1}^{2} [paper] as pieces: text, how far above the line, how large.
const pieces = (text, size) =>
  [...text.matchAll(/([_^])\{([^}]*)\}|(\[(?:paper|reading|ours)\])|([_^[]|[^_^[]+)/g)].map(([, sign, inner, origin, plain]) => ({
    text: inner ?? origin ?? plain, rise: sign === "^" ? 0.4 * size : sign ? -0.3 * size : 0,
    size: sign || origin ? Math.max(0.74 * size, least) : size, origin: Boolean(origin),
  }));
const ruler = make("canvas").getContext("2d");
let family = "sans-serif";
const lengthOf = (text, kind) => {
  const [, weight] = KINDS[kind];
  return pieces(text, sized(kind)).reduce((sum, piece) => {
    ruler.font = `${math(kind) ? "italic " : ""}${weight} ${piece.size}px ${math(kind) && !piece.origin ? MATH : family}`;
    return sum + ruler.measureText(piece.text).width;
  }, 0);
};
// A sentence about what is written, as at the page's other words.
const explain = (one, said, sentence) => {
  const all = { tabindex: 0, role: "note", "data-tip": sentence, "aria-label": `${said}: ${sentence}` };
  for (const name in all) one.setAttribute(name, all[name]);
};
const words = (key, parent, x, y, text, kind = "body", anchor = "start", cls = "") => {
  const size = sized(kind), one = node(key, "text", parent, {
    x: x.toFixed(1), y: y.toFixed(1), class: `gm-t gm-${kind} ${cls}`, "text-anchor": anchor,
    "font-size": `${size}px`, "font-weight": KINDS[kind][1],
  });
  if (one.said === `${size} ${text}`) return one;
  one.said = `${size} ${text}`;
  let rise = 0;
  one.replaceChildren(...pieces(String(text), size).map((piece) => {
    const span = svg("tspan", { dy: (rise - piece.rise).toFixed(2), "font-size": `${piece.size}px` });
    if (piece.origin) {
      span.setAttribute("class", "gm-origin term");
      explain(span, piece.text, now.v.marks[piece.text]);
    }
    span.textContent = piece.text;
    rise = piece.rise;
    return span;
  }));
  return one;
};
// A word in a room and its kind: smaller where it must be, then cut.
const brief = (text, room) => {
  const letters = [...text], kind = ["body", "tiny"].find((one) => lengthOf(text, one) <= room);
  if (kind) return [text, kind];
  while (letters.length > 1 && lengthOf(`${letters.join("")}…`, "tiny") > room) letters.pop();
  return [`${letters.join("")}…`, "tiny"];
};
const wrap = (text, room, kind) => {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1) ?? ""} ${word}`.trim();
    if (lines.length && lengthOf(longer, kind) <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
};
const times = (x) => `${x < 9.95 ? x.toFixed(1) : x < 9999 ? Math.round(x) : x.toExponential(0)} ×`;

// --- shapes --------------------------------------------------------------------------------------
const rect = (key, parent, b, cls, more) =>
  node(key, "rect", parent, {
    x: b.x.toFixed(1), y: b.y.toFixed(1), width: Math.max(b.w, 0).toFixed(1), height: Math.max(b.h, 0).toFixed(1),
    class: cls, ...more,
  });
const path = (key, parent, d, cls, more) => node(key, "path", parent, { d, class: cls, ...more });
const dot = (key, parent, cx, cy, r, cls) => node(key, "circle", parent, { cx, cy, r, class: cls });
// A band from the right edge of one place to the left edge of another, or from below one to above another.
const band = (key, a, b, more) => {
  const c = (a.x + a.w + b.x) / 2, [x, X] = [a.x + a.w + 2, b.x - 2];
  const d = `M${x} ${a.y}C${c} ${a.y} ${c} ${b.y} ${X} ${b.y}V${b.y + b.h}C${c} ${b.y + b.h} ${c} ${a.y + a.h} ${x} ${a.y + a.h}Z`;
  return path(`band ${key}`, back, d, "gm-flow", more);
};
const fall = (key, a, b, cls, more) => {
  const c = (a.y + a.h + b.y) / 2, [y, Y] = [a.y + a.h + 2, b.y - 2];
  const d = `M${a.x} ${y}C${a.x} ${c} ${b.x} ${c} ${b.x} ${Y}H${b.x + b.w}C${b.x + b.w} ${c} ${a.x + a.w} ${c} ${a.x + a.w} ${y}Z`;
  return path(`band ${key}`, back, d, cls, more);
};
// Pixels, painted anew only when one of `from` is another than before; `ink` an image or a colour by place.
const raster = (key, b, w, h, from, ink, opacity = 1) => {
  const smooth = ink instanceof Image, one = node(key, "canvas", layer, { class: smooth ? "" : "gm-pixels" });
  Object.assign(one.style, { left: `${b.x}px`, top: `${b.y}px`, width: `${b.w}px`, height: `${b.h}px`, opacity });
  one.box = b;
  if (one.width === w && one.height === h && one.from?.every((x, i) => x === from[i])) return one;
  one.from = from;
  if (smooth) {
    Object.assign(one, { width: w, height: h });
    const context = one.getContext("2d");
    context.filter = key === "photo" ? "none" : "grayscale(1)";
    context.drawImage(ink, 0, 0, w, h);
  } else pixels(one, w, h, ink);
  return one;
};
const VEIL = LUT.map((rgb, k) => pack(...rgb, 40 + 3.2 * k));
const heat = (list, top, start = 0, table = HEAT) => (i) =>
  table[Math.min(63, Math.round(63 * Math.sqrt(Math.max(0, list[start + i]) / top)))];
