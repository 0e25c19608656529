// Colours as a canvas stores them (ABGR in one integer), and the colours of attention.

/** @param {number} r @param {number} g @param {number} b @param {number} a */
export const pack = (r, g, b, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;

/**
 * The parts of "#rrggbb".
 * @param {string} colour
 * @returns {[r: number, g: number, b: number]}
 */
export const hex = (colour) => {
  const part = (/** @type {number} */ k) => Number.parseInt(colour.slice(k, k + 2), 16);
  return [part(1), part(3), part(5)];
};

/**
 * The colour of each label of a mask; of what has no word, `rest`.
 * @param {string[]} colours of the words
 * @param {number} [alpha]
 * @param {number} [rest]
 */
export const inksOf = (colours, alpha = 255, rest = 0) => {
  const inks = colours.map((colour) => pack(...hex(colour), alpha));
  return (/** @type {number} */ label) => inks[label] ?? rest;
};

// Matplotlib's magma in 64 levels, dark to bright.
// biome-ignore format: a table
const MAGMA = [
  0x000004, 0x020109, 0x030312, 0x06051a, 0x0a0822, 0x0e0b2b, 0x130d34, 0x180f3d, 0x1d1147,
  0x221150, 0x29115a, 0x2f1163, 0x36106b, 0x3d0f71, 0x440f76, 0x4a1079, 0x52137c, 0x59157e,
  0x5f187f, 0x651a80, 0x6b1d81, 0x721f81, 0x782281, 0x7e2482, 0x842681, 0x8b2981, 0x912b81,
  0x982d80, 0x9e2f7f, 0xa5317e, 0xab337c, 0xb2357b, 0xba3878, 0xc03a76, 0xc73d73, 0xcd4071,
  0xd3436e, 0xd9466b, 0xdf4a68, 0xe44f64, 0xe95462, 0xed5a5f, 0xf1605d, 0xf4675c, 0xf66e5c,
  0xf8765c, 0xfa7d5e, 0xfb8560, 0xfc8e64, 0xfd9668, 0xfe9d6c, 0xfea571, 0xfeac76, 0xfeb47b,
  0xfebb81, 0xfec287, 0xfeca8d, 0xfed194, 0xfed89a, 0xfde0a1, 0xfde7a9, 0xfceeb0, 0xfcf6b8,
  0xfcfdbf,
];
const LAST = MAGMA.length - 1;
/** @param {(share: number) => number} alpha */
const table = (alpha) =>
  MAGMA.map((rgb, k) => pack(rgb >> 16, (rgb >> 8) & 255, rgb & 255, alpha(k / LAST)));

// HEAT is opaque; GLOW lies over a dimmed picture, VEIL over a clear one.
export const HEAT = table(() => 255);
export const GLOW = table((share) => 70 + 185 * share);
export const VEIL = table((share) => 40 + 200 * share);

/**
 * The level of an attention that is `share` of the largest: brightness is its square root.
 * @param {number} share
 */
export const level = (share) => Math.round(LAST * Math.sqrt(Math.min(1, Math.max(0, share))));

/**
 * Fills a canvas of w × h pixels; `ink(i)` is the colour of pixel i.
 * @param {HTMLCanvasElement} canvas
 * @param {number} w
 * @param {number} h
 * @param {(i: number) => number} ink
 */
export const pixels = (canvas, w, h, ink) => {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(w, h);
  const out = new Uint32Array(image.data.buffer);
  for (let i = 0; i < out.length; i++) out[i] = ink(i);
  context.putImageData(image, 0, 0);
};
