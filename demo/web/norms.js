// Every channel's weight norm in one block, before and after CS in one plot; under it curves over all
// blocks, where a press chooses the block. Where `drags`, a drag over channels chooses them.
import { clamp, make, svg } from "./dom.js";

export const norms = ({ root, hear, simulation, mount, trigger }) => {
  const lowScreen = innerWidth > 640 && innerHeight < 900;
  const BEFORE = "#4a90d9",
    MARK = "#e0633a",
    AFTER = "#1f9d83";
  let follow = null;
  hear("channel", (pressed) => follow?.(pressed));
  mount(async (value) => {
    const norms = value.norms,
      n = norms.length,
      moved = new Map(value.moved),
      blocks = value.curves[0].rows[0].length;
    const plot = svg("svg", { class: "gw-plot" }),
      info = make("p", "gw-note gw-info");
    const text = (parent, x, y, words, anchor = "start", more = {}) => {
      const node = svg("text", { x, y, "text-anchor": anchor, ...more });
      node.textContent = words;
      parent.append(node);
    };
    const line = (parent, d, colour, width, more = {}) =>
      parent.append(
        svg("path", { d, stroke: colour, "stroke-width": width, fill: "none", ...more }),
      );
    const dot = (parent, x, y, colour, r = 4, hollow = false) =>
      parent.append(
        svg("circle", {
          cx: x,
          cy: y,
          r,
          fill: hollow ? "none" : colour,
          stroke: colour,
          "stroke-width": r > 2 ? 2 : 0,
        }),
      );
    const dashed = { "stroke-dasharray": "4 3" };
    const nice = (x) => String(+x.toPrecision(2));
    const ends = { left: 34, right: 6 };
    const cleared = (node, H) => {
      const W = Math.max(120, node.clientWidth);
      node.setAttribute("viewBox", `0 0 ${W} ${H}`);
      node.setAttribute("height", H);
      node.replaceChildren();
      return W;
    };
    const scale = (low, high, base, top) => {
      const log = low > 0 && high > 12 * low;
      return (v) =>
        base -
        (base - top) *
          (log
            ? Math.log(Math.max(v, low) / low) / Math.log(high / low)
            : (v - low) / (high - low));
    };

    // --- the norms of one block
    const most = Math.max(...norms, value.median * value.threshold),
      log = most > 12 * value.median;
    const low = log ? value.median / 2.5 : 0,
      high = most * (log ? 1.6 : 1.25) || 1;
    let hovered = null,
      chosen = value.chosen;
    const draw = () => {
      const H = value.drags ? 230 : lowScreen ? 114 : 150,
        W = cleared(plot, H),
        base = H - 18,
        X = (i) => ends.left + ((i + 0.5) / n) * (W - ends.left - ends.right);
      const Y = scale(low, high, base, 6),
        stem = (i, v) => `M${X(i).toFixed(1)} ${base}V${Y(v).toFixed(1)}`;
      if (chosen)
        plot.append(
          svg("rect", {
            x: X(chosen[0] - 0.5),
            y: 4,
            width: X(chosen[1] + 0.5) - X(chosen[0] - 0.5),
            height: base - 4,
            fill: MARK,
            opacity: 0.25,
          }),
        );
      line(
        plot,
        norms.map((v, i) => stem(i, v)).join(""),
        BEFORE,
        clamp((0.7 * (W - 40)) / n, 0.6, 6),
      );
      const marked = new Set([
        ...moved.keys(),
        ...(value.abnormal.includes(value.block) ? [value.top] : []),
      ]);
      for (const i of marked) {
        line(plot, stem(i, norms[i]), MARK, 2);
        dot(plot, X(i), Y(norms[i]), MARK, 4, value.cs && moved.has(i));
      }
      for (const [i, v] of moved) dot(plot, X(i), Y(v), AFTER, 4, !value.cs);
      const limit = Y(value.median * value.threshold);
      line(plot, `M${ends.left} ${limit}H${W - ends.right}`, "currentColor", 1, dashed);
      text(plot, W - ends.right, limit - 4, `${value.threshold} × median`, "end");
      line(plot, `M${ends.left} 4V${base}H${W - ends.right}`, "currentColor", 1);
      const ticks = log
        ? [0.01, 0.1, 1, 10, 100, 1000, 10000].filter((t) => t > low && t < high)
        : [0, value.median];
      for (const t of ticks) text(plot, ends.left - 4, Y(t) + 4, nice(t), "end");
      text(plot, ends.left, H - 4, "channel 0");
      text(plot, W - ends.right, H - 4, String(n - 1), "end");
      if (marked.has(value.top))
        text(
          plot,
          clamp(X(value.top), ends.left + 30, W - 40),
          Math.max(12, Y(norms[value.top]) - 8),
          `channel ${value.top}`,
          "middle",
          { "font-weight": 600 },
        );
      if (hovered !== null)
        line(plot, `M${X(hovered)} 4V${base}`, "currentColor", 1, { opacity: 0.6 });
      below.forEach((curve) => curve.draw());
    };
    const say = () => {
      const after = moved.get(hovered),
        parts = [];
      if (hovered !== null)
        parts.push(
          `Channel ${hovered}: ${nice(norms[hovered])}, ${(norms[hovered] / (value.median || 1)).toFixed(2)} × the median${after === undefined ? "" : `; ${value.cs ? "after CS" : "CS would make it"} ${nice(after)}`}.`,
        );
      if (chosen && value.drags) parts.push(`Chosen: channels ${chosen[0]} to ${chosen[1]}.`);
      info.textContent = parts.join(" ") || value.note;
    };
    const shown = () => {
      draw();
      say();
    };
    follow = ({ index, block }) => {
      hovered = block === value.block ? index : null;
      shown();
    };
    const channelAt = (event) => {
      const box = plot.getBoundingClientRect();
      return clamp(
        Math.floor(
          ((event.clientX - box.left - ends.left) / (box.width - ends.left - ends.right)) * n,
        ),
        0,
        n - 1,
      );
    };
    let from = null,
      anchor = null;
    const span = (a, b) => (chosen = [Math.min(a, b), Math.max(a, b)]);
    const tell = () => trigger("select", { index: chosen, value: chosen });
    plot.addEventListener("pointermove", (event) => {
      hovered = channelAt(event);
      if (from !== null && hovered !== from) span(from, hovered);
      shown();
    });
    plot.addEventListener("pointerleave", () => {
      if (from === null) {
        hovered = null;
        shown();
      }
    });
    plot.setAttribute("role", value.drags ? "application" : "img");
    plot.setAttribute(
      "aria-label",
      `${value.simulated ? "Simulation. " : ""}${value.title}: weight norm of every output channel, ${n} channels. ${value.drags ? "Arrow keys walk, Shift and arrow keys choose a range, Enter suppresses it, Escape clears." : value.note}`,
    );
    if (value.drags) {
      plot.setAttribute("tabindex", "0");
      info.setAttribute("aria-live", "polite");
      plot.addEventListener("pointerdown", (event) => {
        from = channelAt(event);
        plot.setPointerCapture(event.pointerId);
      });
      plot.addEventListener("pointerup", (event) => {
        if (from !== null && channelAt(event) !== from) tell();
        from = null;
      });
      plot.addEventListener("pointercancel", () => (from = null));
      plot.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
        if (step !== undefined) {
          const old = hovered ?? value.top;
          hovered = hovered === null ? old : clamp(old + step, 0, n - 1);
          if (event.shiftKey) span((anchor ??= old), hovered);
          else anchor = null;
        } else if (event.key === "Enter" && chosen) tell();
        else if (event.key === "Escape" && chosen) {
          chosen = anchor = null;
          tell();
        } else return;
        event.preventDefault();
        shown();
      });
    }

    // --- all blocks
    const take = (block) => {
      if (block !== value.block) trigger("select", { index: block, value: block });
    };
    const below = value.curves.map(({ title, rows, low, high, limit }) => {
      const lower = svg("svg", { role: "img", class: "gw-plot" });
      const drawn = () => {
        const H = lowScreen && !value.drags ? 60 : 78,
          W = cleared(lower, H),
          base = H - 8,
          Y = scale(low, high, base, 8);
        const X = (b) =>
          ends.left + 8 + (b / Math.max(1, blocks - 1)) * (W - ends.left - ends.right - 16);
        lower.append(
          svg("rect", {
            x: X(value.block - 1) - 8,
            y: 0,
            width: 16,
            height: H,
            rx: 4,
            fill: "currentColor",
            opacity: 0.12,
          }),
        );
        if (limit)
          line(lower, `M${ends.left} ${Y(limit)}H${W - ends.right}`, "currentColor", 1, dashed);
        const way = (row) =>
          "M" + row.map((v, b) => `${X(b).toFixed(1)} ${Y(v).toFixed(1)}`).join("L");
        line(lower, way(rows[0]), MARK, 1.5);
        rows[0].forEach((v, b) =>
          dot(lower, X(b), Y(v), MARK, value.abnormal.includes(b + 1) ? 3 : 2),
        );
        if (rows[0].some((v, b) => Math.abs(v - rows[1][b]) > 1e-4))
          line(lower, way(rows[1]), AFTER, 1.5, { "stroke-dasharray": value.cs ? "none" : "3 3" });
        text(lower, ends.left + 6, Y(rows[0][0]) > H / 2 ? 12 : base - 4, title);
        for (const t of [limit || 1, limit ? Math.max(...rows[0]) : low])
          text(lower, ends.left - 4, Y(t) + 4, nice(t), "end");
      };
      lower.setAttribute(
        "aria-label",
        `${title} by block: ${rows[0].map((v, b) => `${b + 1}: ${v.toFixed(3)}`).join(", ")}`,
      );
      lower.addEventListener("click", (event) => {
        const box = lower.getBoundingClientRect();
        take(
          clamp(
            1 +
              Math.round(
                ((event.clientX - box.left - ends.left - 8) /
                  (box.width - ends.left - ends.right - 16)) *
                  (blocks - 1),
              ),
            1,
            blocks,
          ),
        );
      });
      return { lower, draw: drawn };
    });
    const range = make("input"),
      choose = make("label", "gw-choose");
    Object.assign(range, { type: "range", min: 1, max: blocks, value: value.block });
    range.addEventListener("change", () => take(Number(range.value)));
    choose.append(make("span", "", "By block; choose one"), range);

    // --- around them
    const head = make("div", "gw-head"),
      nodes = [head];
    head.append(make("span", "gw-title", "Weight norms"));
    if (value.badge) head.append(make("span", "gw-pill", value.badge));
    if (value.simulated) nodes.push(simulation(value.simulated));
    const key = make("p", "gw-note gw-key");
    for (const [colour, said, hollow] of [
      [MARK, "before CS", value.cs],
      [AFTER, value.cs ? "after CS" : "what CS would do", !value.cs],
    ]) {
      const mark = make("span", "gw-dot"),
        item = make("span", "gw-item");
      mark.style.borderColor = colour;
      if (!hollow) mark.style.background = colour;
      item.append(mark, make("span", "", said));
      key.append(item);
    }
    nodes.push(make("p", "gw-note", value.title), plot);
    if (moved.size) nodes.push(key);
    nodes.push(...below.map((one) => one.lower), choose, info);
    if (value.drags && chosen) {
      const clear = make("button", "gw-button", "Clear the choice");
      clear.addEventListener("click", () => {
        chosen = null;
        tell();
      });
      nodes.push(clear);
    }
    if (!value.simulated && !value.drags) {
      const line = make("p", "gw-note"),
        plant = make("button", "gw-link", "Simulate an abnormal channel");
      plant.addEventListener("click", () => trigger("submit"));
      line.append(plant);
      nodes.push(line);
    }
    root.addEventListener("placed", draw, { once: true });
    new ResizeObserver(draw).observe(plot);
    say();
    return nodes;
  });
};
