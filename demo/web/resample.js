// A smaller picture without moiré: every pixel averages those that it covers. A browser's own
// scaling, "high" included, reads four neighbours only, and lets fine patterns beat.

/** Catmull and Rom's cubic: sharp, 0 beyond 2. @param {number} x */
const cubic = (x) => {
  const t = Math.abs(x);
  if (t < 1) return 1 - t * t * (2.5 - 1.5 * t);
  return t < 2 ? 2 - t * (4 - t * (2.5 - 0.5 * t)) : 0;
};

/**
 * For each of `to` places the first of the `from` samples that it averages, and their weights.
 * @param {number} from
 * @param {number} to at most `from`
 * @returns {[first: number, weights: number[]][]}
 */
const taps = (from, to) => {
  const scale = from / to;
  return Array.from({ length: to }, (_, at) => {
    const middle = (at + 0.5) * scale - 0.5;
    const first = Math.max(0, Math.ceil(middle - 2 * scale));
    const last = Math.min(from - 1, Math.floor(middle + 2 * scale));
    const weights = Array.from({ length: last - first + 1 }, (_, k) =>
      cubic((first + k - middle) / scale),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return [first, weights.map((weight) => weight / sum)];
  });
};

/**
 * Pixels (h, w, 4) as (H, W, 4); opaque.
 * @param {Uint8ClampedArray} pixels
 * @param {[h: number, w: number]} size
 * @param {[H: number, W: number]} smaller
 */
export const shrink = (pixels, [h, w], [H, W]) => {
  const rows = new Float32Array(h * W * 3); // each row shrunk
  for (const [x, [first, weights]] of taps(w, W).entries()) {
    for (let y = 0; y < h; y++) {
      const at = 3 * (y * W + x);
      for (let k = 0; k < weights.length; k++) {
        const from = 4 * (y * w + first + k);
        for (let c = 0; c < 3; c++) rows[at + c] += weights[k] * pixels[from + c];
      }
    }
  }
  const out = new Uint8ClampedArray(4 * H * W);
  const sums = new Float32Array(3 * W);
  for (const [y, [first, weights]] of taps(h, H).entries()) {
    sums.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const from = 3 * W * (first + k);
      for (let i = 0; i < 3 * W; i++) sums[i] += weights[k] * rows[from + i];
    }
    for (let x = 0; x < W; x++) {
      const at = 4 * (y * W + x);
      for (let c = 0; c < 3; c++) out[at + c] = sums[3 * x + c];
      out[at + 3] = 255;
    }
  }
  return out;
};

/**
 * Draws a picture on a canvas of W × H pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {[W: number, H: number]} size
 */
export const drawPicture = (canvas, image, [W, H]) => {
  const [w, h] = [image.naturalWidth, image.naturalHeight];
  if (!W || !H) return;
  canvas.width = W;
  canvas.height = H;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  if (W >= w || H >= h) {
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, W, H);
    return;
  }
  const whole = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true })
  );
  whole.drawImage(image, 0, 0);
  const pixels = shrink(whole.getImageData(0, 0, w, h).data, [h, w], [H, W]);
  context.putImageData(new ImageData(pixels, W, H), 0, 0);
};
