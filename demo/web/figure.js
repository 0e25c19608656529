// A map of attention: over the dimmed photo patch by patch, or as a matrix at the screen's pixels.
import { photo } from "./blobs.js";
import { GLOW, HEAT, level, pixels } from "./colours.js";
import { make, svg } from "./dom.js";

export class Figure {
  // `value` has the picture, its size and the grid of patches.
  constructor(value, image, title) {
    const [rows, columns] = value.grid;
    Object.assign(this, { value, rows, columns, image });
    this.box = make("figure", "gw-map");
    this.stage = make("div", "gw-stage");
    this.canvas = make("canvas");
    this.marks = svg("svg", { preserveAspectRatio: "none" });
    this.caption = make("figcaption", "gw-caption", title);
    image.className = "gw-dim";
    this.stage.style.setProperty("--ratio", value.size[1] / value.size[0]);
    this.stage.append(image, this.canvas, this.marks);
    this.box.append(this.stage, this.caption);
  }

  frame(isMatrix, n) {
    const [height, width] = this.value.size;
    this.stage.style.aspectRatio = isMatrix ? "1" : `${width} / ${height}`;
    this.stage.classList.toggle("gw-square", isMatrix);
    this.image.hidden = isMatrix;
    const viewBox = isMatrix ? `0 0 ${n} ${n}` : `0 0 ${this.columns} ${this.rows}`;
    this.marks.setAttribute("viewBox", viewBox);
    this.marks.replaceChildren();
  }

  mark(x, y, width, height, className) {
    this.marks.append(svg("rect", { x, y, width, height, class: className }));
  }

  markPatch(i, className) {
    this.mark(i % this.columns, Math.floor(i / this.columns), 1, 1, className);
  }

  // Attention over the photo: `at(i)` of patch i, `top` being the brightest.
  overPhoto(at, top) {
    this.frame(false);
    Object.assign(this.canvas.style, { width: "", height: "" });
    pixels(this.canvas, this.columns, this.rows, (i) => GLOW[level(at(i) / top)]);
  }

  // The whole matrix, averaged over the area of each of the screen's pixels; `side` wide there.
  asMatrix({ n, times }, top, side) {
    this.frame(true, n);
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const W = Math.max(1, Math.round(side * ratio));
    Object.assign(this.canvas.style, { width: `${W / ratio}px`, height: `${W / ratio}px` });
    const parts = partsOf(n, W);
    const columns = new Float32Array(n * W); // pooled along each row, then along the columns
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < W; x++) {
        for (const [i, weight] of parts[x]) columns[y * W + x] += weight * times[y * n + i];
      }
    }
    pixels(this.canvas, W, W, (at) => {
      const x = at % W;
      let mean = 0;
      for (const [i, weight] of parts[(at - x) / W]) mean += weight * columns[i * W + x];
      return HEAT[level(mean / top)];
    });
  }
}

// The cells of `n` that each of `W` pixels covers, with their shares of the pixel.
const partsOf = (n, W) =>
  Array.from({ length: W }, (_, at) => {
    const [from, to] = [(at * n) / W, ((at + 1) * n) / W];
    const cells = [];
    for (let i = Math.floor(from); i < Math.min(n, to); i++) {
      const share = (Math.min(to, i + 1) - Math.max(from, i)) / (to - from);
      if (share > 1e-9) cells.push([i, share]);
    }
    return cells;
  });

export const makeFigures = (value, all) =>
  Promise.all(all.map(async ({ title }) => new Figure(value, await photo(value.picture), title)));
