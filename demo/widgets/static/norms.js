// Every channel's weight norm in one block, before and after CS in one plot; under it the entropy of
// all blocks, where a press chooses the block.
const lowScreen = innerWidth > 640 && innerHeight < 900;
const BEFORE = "#4a90d9", MARK = "#e0633a", AFTER = "#1f9d83";
let follow = null;
hear("channel", (pressed) => follow?.(pressed));
mount(async (value) => {
  const norms = value.norms, n = norms.length, moved = new Map(value.moved), blocks = value.entropy[0].length;
  const plot = svg("svg", { role: "img", class: "gw-plot" }), lower = svg("svg", { role: "img", class: "gw-plot" }), info = make("p", "gw-note gw-info");
  const range = make("input"), choose = make("label", "gw-choose");
  Object.assign(range, { type: "range", min: 1, max: blocks, value: value.block });
  const text = (parent, x, y, words, anchor = "start", more = {}) => {
    const node = svg("text", { x, y, "text-anchor": anchor, ...more });
    node.textContent = words;
    parent.append(node);
  };
  const line = (parent, d, colour, width, more = {}) => parent.append(svg("path", { d, stroke: colour, "stroke-width": width, fill: "none", ...more }));
  const dot = (parent, x, y, colour, hollow) => parent.append(svg("circle", { cx: x, cy: y, r: 4, fill: hollow ? "none" : colour, stroke: colour, "stroke-width": 2 }));
  const nice = (x) => String(+x.toPrecision(2));
  const ends = { left: 34, right: 6 };
  const most = Math.max(...norms, value.median * value.threshold), log = most > 12 * value.median;
  const low = log ? value.median / 2.5 : 0, high = most * (log ? 1.6 : 1.25) || 1;
  let hovered = null;
  const draw = () => {
    const W = Math.max(120, plot.clientWidth), H = lowScreen ? 114 : 150, base = H - 18, X = (i) => ends.left + ((i + 0.5) / n) * (W - ends.left - ends.right);
    const Y = (v) => base - (log ? Math.log(Math.max(v, low) / low) / Math.log(high / low) : v / high) * (base - 6);
    plot.setAttribute("viewBox", `0 0 ${W} ${H}`);
    plot.setAttribute("height", H);
    plot.replaceChildren();
    const stem = (i, v) => `M${X(i).toFixed(1)} ${base}V${Y(v).toFixed(1)}`;
    line(plot, norms.map((v, i) => stem(i, v)).join(""), BEFORE, clamp((0.7 * (W - 40)) / n, 0.6, 3));
    const marked = new Set([...moved.keys(), ...(value.abnormal.includes(value.block) ? [value.top] : [])]);
    for (const i of marked) { line(plot, stem(i, norms[i]), MARK, 2); dot(plot, X(i), Y(norms[i]), MARK, value.cs && moved.has(i)); }
    for (const [i, v] of moved) dot(plot, X(i), Y(v), AFTER, !value.cs);
    const limit = Y(value.median * value.threshold);
    line(plot, `M${ends.left} ${limit}H${W - ends.right}`, "currentColor", 1, { "stroke-dasharray": "4 3" });
    text(plot, W - ends.right, limit - 4, `${value.threshold} × median`, "end");
    line(plot, `M${ends.left} 4V${base}H${W - ends.right}`, "currentColor", 1);
    const ticks = log ? [0.01, 0.1, 1, 10, 100, 1000, 10000].filter((t) => t > low && t < high) : [0, value.median];
    for (const t of ticks) text(plot, ends.left - 4, Y(t) + 4, nice(t), "end");
    text(plot, ends.left, H - 4, "channel 0");
    text(plot, W - ends.right, H - 4, String(n - 1), "end");
    if (marked.has(value.top)) text(plot, clamp(X(value.top), ends.left + 30, W - 40), Math.max(12, Y(norms[value.top]) - 8), `channel ${value.top}`, "middle", { "font-weight": 600 });
    if (hovered !== null) line(plot, `M${X(hovered)} 4V${base}`, "currentColor", 1, { opacity: 0.6 });
    drawLower();
  };
  const drawLower = () => {
    const W = Math.max(120, lower.clientWidth), H = lowScreen ? 60 : 78, base = H - 8, X = (b) => ends.left + 8 + (b / Math.max(1, blocks - 1)) * (W - ends.left - ends.right - 16);
    const all = value.entropy.flat(), floor = Math.min(0.97, Math.min(...all) - 0.01), Y = (v) => base - ((v - floor) / (1.002 - floor)) * (base - 8);
    lower.setAttribute("viewBox", `0 0 ${W} ${H}`);
    lower.setAttribute("height", H);
    lower.replaceChildren();
    const here = X(value.block - 1);
    lower.append(svg("rect", { x: here - 8, y: 0, width: 16, height: H, rx: 4, fill: "currentColor", opacity: 0.12 }));
    const way = (row) => "M" + row.map((v, b) => `${X(b).toFixed(1)} ${Y(v).toFixed(1)}`).join("L");
    line(lower, way(value.entropy[0]), MARK, 1.5);
    value.entropy[0].forEach((v, b) => dot2(X(b), Y(v), MARK, value.abnormal.includes(b + 1)));
    if (value.entropy[0].some((v, b) => Math.abs(v - value.entropy[1][b]) > 1e-4)) {
      line(lower, way(value.entropy[1]), AFTER, 1.5, { "stroke-dasharray": value.cs ? "none" : "3 3" });
    }
    text(lower, ends.left - 4, Y(1) + 4, "1", "end");
    text(lower, ends.left - 4, base + 3, floor.toFixed(2), "end");
    lower.setAttribute("aria-label", `Entropy of the weight norms by block: ${value.entropy[0].map((v, b) => `${b + 1}: ${v.toFixed(3)}`).join(", ")}`);
  };
  const dot2 = (x, y, colour, filled) => lower.append(svg("circle", { cx: x, cy: y, r: filled ? 3.5 : 2, fill: colour }));
  plot.setAttribute("aria-label", `${value.title}: weight norm of every output channel, ${n} channels. ${value.note}`);
  const say = () => {
    if (hovered === null) return void (info.textContent = value.note);
    const after = moved.get(hovered);
    info.textContent = `Channel ${hovered}: ${nice(norms[hovered])}, ${(norms[hovered] / (value.median || 1)).toFixed(2)} × the median${after === undefined ? "" : `; ${value.cs ? "after CS" : "CS would make it"} ${nice(after)}`}.`;
  };
  follow = ({ index, block }) => {
    hovered = block === value.block ? index : null;
    draw();
    say();
  };
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    hovered = clamp(Math.floor(((event.clientX - box.left - ends.left) / (box.width - ends.left - ends.right)) * n), 0, n - 1);
    draw();
    say();
  });
  plot.addEventListener("pointerleave", () => { hovered = null; draw(); say(); });
  const take = (block) => { if (block !== value.block) trigger("select", { index: block, value: block }); };
  lower.addEventListener("click", (event) => {
    const box = lower.getBoundingClientRect();
    take(clamp(1 + Math.round(((event.clientX - box.left - ends.left - 8) / (box.width - ends.left - ends.right - 16)) * (blocks - 1)), 1, blocks));
  });
  range.addEventListener("change", () => take(Number(range.value)));
  choose.append(make("span", "", "Entropy by block; choose one"), range);
  const head = make("div", "gw-head"), nodes = [head];
  head.append(make("span", "gw-title", "Weight norms"));
  if (value.badge) head.append(make("span", "gw-pill", value.badge));
  if (value.simulated) nodes.push(simulation(value.simulated));
  const key = make("p", "gw-note gw-key");
  for (const [colour, said, hollow] of [[MARK, "before CS", value.cs], [AFTER, value.cs ? "after CS" : "what CS would do", !value.cs]]) {
    const mark = make("span", "gw-dot"), item = make("span", "gw-item");
    mark.style.borderColor = colour;
    if (!hollow) mark.style.background = colour;
    item.append(mark, make("span", "", said));
    key.append(item);
  }
  nodes.push(make("p", "gw-note", value.title), plot);
  if (moved.size) nodes.push(key);
  nodes.push(lower, choose, info);
  root.addEventListener("placed", draw, { once: true });
  new ResizeObserver(draw).observe(plot);
  say();
  return nodes;
});
