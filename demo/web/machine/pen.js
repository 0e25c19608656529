// Drawing: nodes are made once, then moved. Bands lie at the back, canvases above, words on top.
import { HEAT, level, pixels } from "../colours.js";
import { make, svg } from "../dom_old.js";

// Size (in ordinary letters) and weight of each kind of text.
const KINDS = {
  name: [1.12, 650],
  body: [1, 400],
  eq: [1.02, 400],
  big: [1.2, 400],
  num: [0.88, 400],
  strong: [0.88, 700],
  small: [0.88, 400],
  tiny: [0.8, 400],
};
const MATH = '"STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Serif", Georgia, serif';
const isMath = (kind) => kind === "eq" || kind === "big";
const PIECE = /([_^])\{([^}]*)\}|(\[(?:paper|reading|ours)\])|([_^[]|[^_^[]+)/g;
const ruler = make("canvas").getContext("2d");

// A sentence about a text, shown as the page's other explanations are.
export const explain = (node, text, sentence) => {
  const all = { tabindex: 0, role: "note", "data-tip": sentence };
  all["aria-label"] = `${text}: ${sentence}`;
  for (const name in all) node.setAttribute(name, all[name]);
};

export const times = (x) =>
  `${x < 9.95 ? x.toFixed(1) : x < 9999 ? Math.round(x) : x.toExponential(0)} ×`;

// Colours of a list of attentions from `start`, `top` being the brightest.
export const heat =
  (list, top, start = 0, table = HEAT) =>
  (i) =>
    table[level(list[start + i] / top)];

export class Pen {
  constructor() {
    this.u = 13; // the size of an ordinary letter
    this.least = 10; // nothing is smaller
    this.family = "sans-serif";
    this.marks = {};
    this.box = make("div", "gm-box");
    this.layer = make("div", "gm-layer");
    this.back = svg("svg", { class: "gm-back", "aria-hidden": "true" });
    this.front = svg("svg", { role: "group" });
    this.box.append(this.back, this.layer, this.front);
    this.nodes = new Map();
    this.touched = new Set();
  }

  size(width, height) {
    const size = { width, height, viewBox: `0 0 ${width} ${height}` };
    for (const one of [this.back, this.front]) {
      for (const name in size) one.setAttribute(name, size[name]);
    }
    Object.assign(this.layer.style, { width: `${width}px`, height: `${height}px` });
  }

  node(key, tag, parent, attributes) {
    let one = this.nodes.get(key);
    if (!one) {
      one = tag === "canvas" ? make("canvas") : svg(tag);
      this.nodes.set(key, one);
      parent.append(one);
      one.seen = {};
      one.dataset.key = key;
    }
    this.touched.add(key);
    for (const name in attributes) {
      if (one.seen[name] === attributes[name]) continue;
      one.seen[name] = attributes[name];
      one.setAttribute(name, attributes[name]);
    }
    return one;
  }

  // Removes the nodes that the last frame did not draw.
  tidy() {
    for (const [key, one] of this.nodes) {
      if (this.touched.has(key)) continue;
      one.remove();
      this.nodes.delete(key);
    }
  }

  // --- text ---------------------------------------------------------------------------------
  sized(kind) {
    const size = KINDS[kind][0] * this.u;
    return isMath(kind) ? Math.max(1.08 * this.least, size) : Math.max(this.least, size);
  }

  // a_{1}^{2} [paper] as pieces: text, how far above the line, how large.
  pieces(text, size) {
    return [...text.matchAll(PIECE)].map(([, sign, inner, origin, plain]) => ({
      text: inner ?? origin ?? plain,
      rise: sign === "^" ? 0.4 * size : sign ? -0.3 * size : 0,
      size: sign || origin ? Math.max(0.74 * size, this.least) : size,
      origin: Boolean(origin),
    }));
  }

  lengthOf(text, kind) {
    const [, weight] = KINDS[kind];
    return this.pieces(text, this.sized(kind)).reduce((sum, piece) => {
      const family = isMath(kind) && !piece.origin ? MATH : this.family;
      ruler.font = `${isMath(kind) ? "italic " : ""}${weight} ${piece.size}px ${family}`;
      return sum + ruler.measureText(piece.text).width;
    }, 0);
  }

  words(key, parent, x, y, text, kind = "body", anchor = "start", className = "") {
    const size = this.sized(kind);
    const one = this.node(key, "text", parent, {
      x: x.toFixed(1),
      y: y.toFixed(1),
      class: `gm-t gm-${kind} ${className}`,
      "text-anchor": anchor,
      "font-size": `${size}px`,
      "font-weight": KINDS[kind][1],
    });
    if (one.said === `${size} ${text}`) return one;
    one.said = `${size} ${text}`;
    let rise = 0;
    const spans = this.pieces(String(text), size).map((piece) => {
      const dy = (rise - piece.rise).toFixed(2);
      const span = svg("tspan", { dy, "font-size": `${piece.size}px` });
      if (piece.origin) {
        span.setAttribute("class", "gm-origin term");
        explain(span, piece.text, this.marks[piece.text]);
      }
      span.textContent = piece.text;
      rise = piece.rise;
      return span;
    });
    one.replaceChildren(...spans);
    return one;
  }

  // A word that fits a width, and its kind: smaller where it must be, then cut.
  brief(text, room) {
    const letters = [...text];
    const kind = ["body", "tiny"].find((one) => this.lengthOf(text, one) <= room);
    if (kind) return [text, kind];
    const cut = () => `${letters.join("")}…`;
    while (letters.length > 1 && this.lengthOf(cut(), "tiny") > room) letters.pop();
    return [cut(), "tiny"];
  }

  wrap(text, room, kind) {
    const lines = [];
    for (const word of text.split(/ (?!%)/)) {
      const longer = `${lines.at(-1) ?? ""} ${word}`.trim();
      if (lines.length && this.lengthOf(longer, kind) <= room) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  // --- shapes -------------------------------------------------------------------------------
  rect(key, parent, b, className, more) {
    return this.node(key, "rect", parent, {
      x: b.x.toFixed(1),
      y: b.y.toFixed(1),
      width: Math.max(b.w, 0).toFixed(1),
      height: Math.max(b.h, 0).toFixed(1),
      class: className,
      ...more,
    });
  }

  path(key, parent, d, className, more) {
    return this.node(key, "path", parent, { d, class: className, ...more });
  }

  dot(key, parent, cx, cy, r, className) {
    return this.node(key, "circle", parent, { cx, cy, r, class: className });
  }

  // A band from the right edge of one box to the left edge of another.
  band(key, a, b) {
    const c = (a.x + a.w + b.x) / 2;
    const [x, X] = [a.x + a.w + 2, b.x - 2];
    const there = `M${x} ${a.y}C${c} ${a.y} ${c} ${b.y} ${X} ${b.y}V${b.y + b.h}`;
    const again = `C${c} ${b.y + b.h} ${c} ${a.y + a.h} ${x} ${a.y + a.h}Z`;
    return this.path(`band ${key}`, this.back, there + again, "gm-flow");
  }

  // A band from the lower edge of one box to the upper edge of another.
  fall(key, a, b, className, more) {
    const c = (a.y + a.h + b.y) / 2;
    const [y, Y] = [a.y + a.h + 2, b.y - 2];
    const there = `M${a.x} ${y}C${a.x} ${c} ${b.x} ${c} ${b.x} ${Y}H${b.x + b.w}`;
    const again = `C${b.x + b.w} ${c} ${a.x + a.w} ${c} ${a.x + a.w} ${y}Z`;
    return this.path(`band ${key}`, this.back, there + again, className, more);
  }

  // A canvas of w × h pixels, repainted when one of `from` changes; `ink` is an image or colours.
  raster(key, b, w, h, from, ink, opacity = 1) {
    const smooth = ink instanceof Image;
    const one = this.node(key, "canvas", this.layer, { class: smooth ? "" : "gm-pixels" });
    const place = { left: b.x, top: b.y, width: b.w, height: b.h };
    for (const name in place) one.style[name] = `${place[name]}px`;
    one.style.opacity = opacity;
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
  }
}
