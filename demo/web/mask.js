// A mask on a canvas: a colour for each label, outlines, and a name on each large region.
import { hex, pack } from "./colours.js";
import { clamp } from "./dom.js";

export const CHANGED = "changed"; // shown alone: the pixels where two masks differ
export const HIDDEN = -2; // the label of what is left as photo

// Paints labels (h × w) at the canvas's size on the screen; `alone`: all others are HIDDEN.
export const paintMask = (canvas, { labels, h, w, classes, opacity, alone }) => {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [W, H] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * ratio));
  if (!W || !H) return null;
  Object.assign(canvas, { width: W, height: H });
  const context = canvas.getContext("2d");
  const out = context.createImageData(W, H);
  const ink = new Uint32Array(out.data.buffer);
  const alpha = 255 * (alone ? Math.max(opacity, 0.75) : opacity);
  const shades = classes.map(({ colour }) => pack(...hex(colour), alpha));
  const t = Math.max(1, Math.round(ratio));
  const white = pack(255, 255, 255, 235);
  const halo = alone ? white : pack(20, 22, 28, 150);
  // What has no label, as in the legend.
  const stripe = (at) => pack(190, 190, 190, at % (6 * t) < 3 * t ? 235 : 60);
  // The label's row and column under every pixel of the screen, and t pixels before and after.
  const line = (size, length, step, by) => {
    const place = (at) => ((clamp(at + by, 0, length - 1) + 0.5) * size) / length;
    return Int32Array.from({ length }, (_, at) => Math.floor(place(at)) * step);
  };
  const [ys, up, down] = [0, -t, t].map((by) => line(h, H, w, by));
  const [xs, left, right] = [0, -t, t].map((by) => line(w, W, 1, by));
  for (let Y = 0, at = 0; Y < H; Y++) {
    for (let X = 0; X < W; X++, at++) {
      const i = ys[Y] + xs[X];
      const label = labels[i];
      // What is shown alone may be thin: its outline is around it.
      if (alone && label !== HIDDEN) ink[at] = shades[label] ?? stripe(X + Y);
      else if (labels[up[Y] + xs[X]] !== label || labels[ys[Y] + left[X]] !== label) {
        ink[at] = white;
      } else if (labels[down[Y] + xs[X]] !== label || labels[ys[Y] + right[X]] !== label) {
        ink[at] = halo;
      } else ink[at] = shades[label] ?? 0;
    }
  }
  context.putImageData(out, 0, 0);
  return { context, W, H, ratio };
};

// The point of a class within columns `from` to `to` (shares of the width) nearest to their middle.
export const pointOf = ({ labels, h, w }, label, from, to) => {
  const points = [];
  for (let y = 0.02; y < 1; y += 0.04) {
    for (let x = from + 0.02; x < to; x += 0.04) {
      if (labels[Math.floor(y * h) * w + Math.floor(x * w)] === label) points.push([y, x]);
    }
  }
  if (points.length < 3) return null;
  const mean = (axis) => points.reduce((sum, one) => sum + one[axis], 0) / points.length;
  const [my, mx] = [mean(0), mean(1)];
  const far = ([y, x]) => Math.hypot(y - my, x - mx);
  return points.reduce((best, one) => (far(one) < far(best) ? one : best));
};

const SIZES = [15, 13, 11, 9.5];
const TURNS = Array.from({ length: 12 }, (_, k) => (k * Math.PI) / 6);

// Writes names: whole ones, smaller where they must be, else moved and led by a line. `names` has
// text, colour, ink, the place x, y and the room r of each, in pixels; within lo to hi, under top.
export const writeNames = ({ context, H, ratio }, names, family, [lo, hi, top]) => {
  const taken = [];
  const free = ({ x, y, w, h }) =>
    x - w / 2 >= lo + 2 &&
    x + w / 2 <= hi - 2 &&
    y - h / 2 >= top + 2 &&
    y + h / 2 <= H - 2 &&
    !taken.some((b) => Math.abs(b.x - x) < (b.w + w) / 2 && Math.abs(b.y - y) < (b.h + h) / 2);
  const boxOf = ({ text, x, y }, size) => {
    context.font = `600 ${size}px ${family}`;
    const box = { w: context.measureText(text).width + size * 0.9, h: size * 1.45, size };
    const inside = clamp(x, lo + box.w / 2 + 2, hi - box.w / 2 - 2);
    return { ...box, x: inside, y: clamp(y, top + box.h / 2 + 2, H - box.h / 2 - 2) };
  };
  const find = (name) => {
    const sizes = SIZES.map((size) => size * ratio).filter((size) => size <= name.r * 1.1);
    const boxes = (sizes.length ? sizes : [SIZES.at(-1) * ratio]).map((size) => boxOf(name, size));
    const there = boxes.find((box) => free(box));
    if (there) return there;
    const small = boxOf(name, SIZES.at(-1) * ratio);
    for (let far = 1; far <= 8; far++) {
      for (const turn of TURNS) {
        const [dx, dy] = [Math.cos(turn) * small.w, Math.sin(turn) * small.h * 1.5];
        const box = { ...small, x: name.x + far * 0.5 * dx, y: name.y + far * dy, led: true };
        if (free(box)) return box;
      }
    }
    return null; // the legend has it
  };
  for (const name of names) {
    const box = find(name);
    if (!box) continue;
    taken.push(box);
    const { x, y, w, h, size, led } = box;
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    if (led) {
      for (const [width, colour] of [
        [3, "rgba(0, 0, 0, 0.55)"],
        [1.5, name.colour],
      ]) {
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(name.x, name.y);
        Object.assign(context, { lineWidth: width * ratio, strokeStyle: colour });
        context.stroke();
      }
      context.beginPath();
      context.arc(name.x, name.y, 3 * ratio, 0, 2 * Math.PI);
      context.fillStyle = name.colour;
      context.fill();
    }
    Object.assign(context, { fillStyle: name.colour, strokeStyle: "rgba(0, 0, 0, 0.55)" });
    context.lineWidth = ratio;
    context.beginPath();
    context.roundRect(x - w / 2, y - h / 2, w, h, h / 3);
    context.fill();
    context.stroke();
    Object.assign(context, { fillStyle: name.ink, textAlign: "center", textBaseline: "middle" });
    context.font = `600 ${size}px ${family}`;
    context.fillText(name.text, x, y + size * 0.06);
  }
};
