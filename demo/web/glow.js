// Where a patch looks, on the photo itself: a glow, arcs to the strongest places, the best words.
import { pack, pixels } from "./colours.js";
import { clamp, make, svg } from "./dom.js";

const ARCS = 3;

export class Glow {
  // `grid` is rows × columns of patches, of which `pooled` × `pooled` share a row of the matrix.
  constructor({ grid, pooled }) {
    Object.assign(this, { rows: grid[0], columns: grid[1], pooled });
    this.wide = Math.ceil(this.columns / pooled);
    this.canvas = make("canvas", "gw-glow");
    const viewBox = `0 0 ${this.columns} ${this.rows}`;
    this.marks = svg("svg", { viewBox, preserveAspectRatio: "none" });
    this.tip = make("div", "gw-tip");
    this.tip.hidden = true;
  }

  square([row, column]) {
    return Math.floor(row / this.pooled) * this.wide + Math.floor(column / this.pooled);
  }

  // The middle of a square of patches, as row and column.
  middle(i) {
    const side = this.pooled;
    const [row, column] = [Math.floor(i / this.wide) * side, (i % this.wide) * side];
    const end = (from, most) => (from + Math.min(from + side, most)) / 2;
    return [end(row, this.rows), end(column, this.columns)];
  }

  // The strongest places but the patch itself: square and attention.
  strongest(patch, matrix) {
    const own = this.square(patch);
    return matrix.strongest(own).filter(([i, times]) => i !== own && times > 0);
  }

  draw(patch, matrix) {
    this.marks.replaceChildren();
    this.canvas.hidden = !(patch && matrix);
    if (!patch) return;
    const ring = { x: patch[1], y: patch[0], width: 1, height: 1 };
    if (matrix) {
      const own = this.square(patch);
      const looks = this.strongest(patch, matrix).slice(0, ARCS);
      const top = Math.min(looks[0]?.[1] || matrix.top, matrix.top);
      const share = (i) => Math.min(1, matrix.at(own, i) / top);
      const squareOf = (i) => this.square([Math.floor(i / this.columns), i % this.columns]);
      const ink = (i) => pack(255, 190, 40, 235 * Math.sqrt(share(squareOf(i))));
      pixels(this.canvas, this.columns, this.rows, ink);
      const from = this.middle(own);
      for (const [i] of looks) this.arc(from, this.middle(i));
    }
    this.marks.append(svg("rect", { ...ring, class: "gw-here" }));
  }

  arc([y, x], [Y, X]) {
    const [cy, cx] = [(y + Y) / 2 - 0.2 * Math.abs(X - x), (x + X) / 2 + 0.2 * (Y - y)];
    const d = `M${x} ${y}Q${cx} ${clamp(cy, 0, this.rows)} ${X} ${Y}`;
    for (const kind of ["gw-casing", "gw-arc"]) this.marks.append(svg("path", { d, class: kind }));
    this.marks.append(svg("circle", { cx: X, cy: Y, r: 0.35, class: "gw-end" }));
  }

  // The best words at a place (shares of height and width): [name, colour, share] of each.
  race(words, [y, x]) {
    this.tip.hidden = !words.length;
    if (!words.length) return;
    while (this.tip.children.length < words.length) {
      const row = make("div", "gw-runner");
      row.append(make("span"), make("bdi"));
      this.tip.append(row);
    }
    while (this.tip.children.length > words.length) this.tip.lastChild.remove();
    for (const [k, [name, colour, share]] of words.entries()) {
      const [bar, text] = this.tip.children[k].children;
      bar.style.cssText = `width: ${Math.max(3, 100 * share)}%; background: ${colour}`;
      text.textContent = name;
    }
    this.tip.style.left = `${100 * x}%`;
    this.tip.style.top = `${100 * y}%`;
    this.tip.classList.toggle("gw-left", x > 0.5);
    this.tip.classList.toggle("gw-up", y > 0.6);
  }
}
