// Pixels of a canvas, and their colours.

const RAMP = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];
/** A colour for each of 256 values, from black through red to yellow; low ones are transparent. */
export const HEAT = Uint32Array.from({ length: 256 }, (_, value) => {
  const t = (value / 255) * (RAMP.length - 1);
  const low = Math.min(Math.floor(t), RAMP.length - 2);
  const [r, g, b] = RAMP[low].map((from, i) => from + (t - low) * (RAMP[low + 1][i] - from));
  return abgr(r, g, b, 130 + value * 0.4);
});

/** A colour in the byte order of a canvas.
 * @param {number} r @param {number} g @param {number} b @param {number} alpha */
export function abgr(r, g, b, alpha) {
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** "#rrggbb" in the byte order of a canvas. @param {string} colour @param {number} alpha */
export function ink(colour, alpha) {
  const [r, g, b] = [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
  return abgr(r, g, b, alpha);
}

/** Show pixels in rows of `width`.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {Uint32Array<ArrayBuffer>} pixels */
export function put(canvas, width, pixels) {
  const picture = new ImageData(new Uint8ClampedArray(pixels.buffer), width);
  Object.assign(canvas, { width, height: picture.height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** Show values from 0 to 255 in rows of `width`, each in its colour of 256.
 * @param {HTMLCanvasElement} canvas @param {number} width
 * @param {Uint8Array} values @param {Uint32Array} colours */
export function putValues(canvas, width, values, colours = HEAT) {
  const pixels = new Uint32Array(values.length);
  values.forEach((value, i) => {
    pixels[i] = colours[value];
  });
  put(canvas, width, pixels);
}
