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

  // The whole matrix, averaged over each pixel of the screen; `side` is its width there.
  asMatrix({ n, times }, top, side) {
    this.frame(true, n);
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const W = Math.max(1, Math.round(side * ratio));
    Object.assign(this.canvas.style, { width: `${W / ratio}px`, height: `${W / ratio}px` });
    const from = (at) => Math.floor((at * n) / W);
    const cut = Array.from({ length: W }, (_, at) => [
      from(at),
      Math.max(from(at) + 1, from(at + 1)),
    ]);
    pixels(this.canvas, W, W, (i) => {
      const [first, bottom] = cut[Math.floor(i / W)];
      const [left, right] = cut[i % W];
      let sum = 0;
      for (let y = first; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += times[y * n + x];
      }
      return HEAT[level(sum / ((bottom - first) * (right - left)) / top)];
    });
  }
}

export const makeFigures = (value, titles) =>
  Promise.all(titles.map(async (title) => new Figure(value, await photo(value.picture), title)));
