// Names on the large regions of a mask: whole ones, smaller where they must be, else moved beside
// their place and led to it by a line.
import { clamp } from "../dom.js";

/**
 * @typedef {object} Name
 * @property {string} text
 * @property {string} colour
 * @property {string} ink
 * @property {number} x its place, in pixels
 * @property {number} y
 * @property {number} room radius of the free circle around it
 */
/** @typedef {{ x: number, y: number, w: number, h: number, size: number, led?: boolean }} Box */
/** @typedef {[left: number, right: number, top: number, bottom: number]} Bounds */

const SIZES = [15, 13, 11, 9.5];
const TURNS = Array.from({ length: 12 }, (_, k) => (k * Math.PI) / 6);
const EDGE = "rgba(0, 0, 0, 0.55)";

/**
 * The point of a class within columns `from` to `to` (shares of the width) nearest to their middle.
 * @param {Int32Array} labels
 * @param {[h: number, w: number]} shape
 * @param {number} label
 * @param {number} from
 * @param {number} to
 */
export const pointOf = (labels, [h, w], label, from, to) => {
  /** @type {[y: number, x: number][]} */
  const points = [];
  for (let y = 0.02; y < 1; y += 0.04) {
    for (let x = from + 0.02; x < to; x += 0.04) {
      if (labels[Math.floor(y * h) * w + Math.floor(x * w)] === label) points.push([y, x]);
    }
  }
  if (points.length < 3) return null;
  const mean = (/** @type {0 | 1} */ axis) =>
    points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [my, mx] = [mean(0), mean(1)];
  const far = (/** @type {[number, number]} */ [y, x]) => Math.hypot(y - my, x - mx);
  return points.reduce((best, point) => (far(point) < far(best) ? point : best));
};

/** @param {Box} box @param {Bounds} bounds @param {Box[]} taken */
const isFree = ({ x, y, w, h }, [left, right, top, bottom], taken) =>
  x - w / 2 >= left + 2 &&
  x + w / 2 <= right - 2 &&
  y - h / 2 >= top + 2 &&
  y + h / 2 <= bottom - 2 &&
  !taken.some((b) => Math.abs(b.x - x) < (b.w + w) / 2 && Math.abs(b.y - y) < (b.h + h) / 2);

/**
 * Where each name is written, null where there is no room; none lies over another.
 * @param {Name[]} names the most important first
 * @param {Bounds} bounds
 * @param {number} ratio pixels of the screen per CSS pixel
 * @param {(text: string, size: number) => number} widthOf
 * @returns {(Box | null)[]}
 */
export const placeNames = (names, bounds, ratio, widthOf) => {
  const [left, right, top, bottom] = bounds;
  /** @type {Box[]} */
  const taken = [];
  /** @param {Name} name @param {number} size @returns {Box} */
  const boxOf = ({ text, x, y }, size) => {
    const [w, h] = [widthOf(text, size) + size * 0.9, size * 1.45];
    const inside = clamp(x, left + w / 2 + 2, right - w / 2 - 2);
    return { w, h, size, x: inside, y: clamp(y, top + h / 2 + 2, bottom - h / 2 - 2) };
  };
  const least = SIZES[SIZES.length - 1] * ratio;
  /** @param {Name} name @returns {Box | null} */
  const boxFor = (name) => {
    const sizes = SIZES.map((size) => size * ratio).filter((size) => size <= name.room * 1.1);
    const boxes = (sizes.length ? sizes : [least]).map((size) => boxOf(name, size));
    const there = boxes.find((box) => isFree(box, bounds, taken));
    if (there) return there;
    const small = boxOf(name, least);
    for (let far = 1; far <= 8; far++) {
      for (const turn of TURNS) {
        const [dx, dy] = [Math.cos(turn) * small.w, Math.sin(turn) * small.h * 1.5];
        const box = { ...small, x: name.x + far * 0.5 * dx, y: name.y + far * dy, led: true };
        if (isFree(box, bounds, taken)) return box;
      }
    }
    return null; // the legend has it
  };
  return names.map((name) => {
    const box = boxFor(name);
    if (box) taken.push(box);
    return box;
  });
};

/**
 * A line from a name to its place.
 * @param {CanvasRenderingContext2D} context
 * @param {Name} name
 * @param {Box} box
 * @param {number} ratio
 */
const lead = (context, name, box, ratio) => {
  for (const [width, colour] of /** @type {[number, string][]} */ ([
    [3, EDGE],
    [1.5, name.colour],
  ])) {
    context.beginPath();
    context.moveTo(box.x, box.y);
    context.lineTo(name.x, name.y);
    context.lineWidth = width * ratio;
    context.strokeStyle = colour;
    context.stroke();
  }
  context.beginPath();
  context.arc(name.x, name.y, 3 * ratio, 0, 2 * Math.PI);
  context.fillStyle = name.colour;
  context.fill();
};

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Name[]} names
 * @param {string} family of the letters
 * @param {Bounds} bounds
 * @param {number} ratio
 */
export const writeNames = (context, names, family, bounds, ratio) => {
  const font = (/** @type {number} */ size) => `600 ${size}px ${family}`;
  const boxes = placeNames(names, bounds, ratio, (text, size) => {
    context.font = font(size);
    return context.measureText(text).width;
  });
  for (const [k, name] of names.entries()) {
    const box = boxes[k];
    if (!box) continue;
    const { x, y, w, h, size, led } = box;
    if (led) lead(context, name, box, ratio);
    context.fillStyle = name.colour;
    context.strokeStyle = EDGE;
    context.lineWidth = ratio;
    context.beginPath();
    context.roundRect(x - w / 2, y - h / 2, w, h, h / 3);
    context.fill();
    context.stroke();
    context.fillStyle = name.ink;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = font(size);
    context.fillText(name.text, x, y + size * 0.06);
  }
};
