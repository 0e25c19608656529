// An SVG plot at the size of the screen: lines, dots, text.
import { svg } from "./dom.js";

export const dashed = { "stroke-dasharray": "4 3" };
export const nice = (x) => String(+x.toPrecision(2));
const ENDS = { left: 34, right: 6 };

export class Plot {
  constructor(height) {
    this.height = height;
    this.node = svg("svg", { class: "gw-plot", role: "img" });
  }

  // Empties the plot and takes the width of its place.
  clear() {
    this.width = Math.max(120, this.node.clientWidth);
    this.left = ENDS.left;
    this.right = this.width - ENDS.right;
    this.node.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.node.setAttribute("height", this.height);
    this.node.replaceChildren();
  }

  text(x, y, words, anchor = "start", more = {}) {
    const node = svg("text", { x, y, "text-anchor": anchor, ...more });
    node.textContent = words;
    this.node.append(node);
  }

  line(d, stroke, width, more = {}) {
    this.node.append(svg("path", { d, stroke, "stroke-width": width, fill: "none", ...more }));
  }

  dot(cx, cy, stroke, r = 4, hollow = false) {
    const fill = hollow ? "none" : stroke;
    this.node.append(svg("circle", { cx, cy, r, fill, stroke, "stroke-width": r > 2 ? 2 : 0 }));
  }

  rect(x, y, width, height, more) {
    this.node.append(svg("rect", { x, y, width, height, ...more }));
  }

  // The height of a value between `base` and `top`; logarithmic where values span much.
  static scale(low, high, base, top) {
    const log = low > 0 && high > 12 * low;
    const part = (v) => Math.log(Math.max(v, low) / low) / Math.log(high / low);
    return (v) => base - (base - top) * (log ? part(v) : (v - low) / (high - low));
  }

  // The pointer's place between the ends: a share of the plot's width.
  shareAt(event) {
    const box = this.node.getBoundingClientRect();
    return (event.clientX - box.left - ENDS.left) / (box.width - ENDS.left - ENDS.right);
  }
}
