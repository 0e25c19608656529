// Every channel's weight norm in one block, before and after CS in one plot; under it curves over
// all blocks, where a press chooses the block. Where `drags`, a drag over channels chooses them.
import { button, clamp, make } from "./dom.js";
import { dashed, nice, Plot } from "./plot.js";

const BEFORE = "#4a90d9";
const MARK = "#e0633a";
const AFTER = "#1f9d83";
const TICKS = [0.01, 0.1, 1, 10, 100, 1000, 10000];
const EDGE = 8; // free at both ends of a curve
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };

export const norms = ({ root, hear, mount, trigger }) => {
  let follow = null;
  hear("channel", (pressed) => follow?.(pressed));
  mount(async (value) => {
    const low = innerWidth > 640 && innerHeight < 900 && !value.drags;
    const { norms, median, threshold, cs, drags } = value;
    const n = norms.length;
    const moved = new Map(value.moved);
    const plot = new Plot(drags ? 230 : low ? 114 : 150);
    const info = make("p", "gw-note gw-info");
    let hovered = null;
    let chosen = value.chosen;

    // --- the norms of one block
    const most = Math.max(...norms, median * threshold);
    const log = most > 12 * median;
    const least = log ? median / 2.5 : 0;
    const high = most * (log ? 1.6 : 1.25) || 1;
    const abnormal = value.abnormal.includes(value.block) ? [value.top] : [];
    const marked = new Set([...moved.keys(), ...abnormal]);
    const draw = () => {
      plot.clear();
      const { left, right, height } = plot;
      const base = height - 18;
      const X = (i) => left + ((i + 0.5) / n) * (right - left);
      const Y = Plot.scale(least, high, base, 18);
      const stem = (i, v) => `M${X(i).toFixed(1)} ${base}V${Y(v).toFixed(1)}`;
      if (chosen) {
        const [from, to] = [X(chosen[0] - 0.5), X(chosen[1] + 0.5)];
        plot.rect(from, 4, to - from, base - 4, { fill: MARK, opacity: 0.25 });
      }
      const thick = clamp((0.7 * (right - left)) / n, 0.6, 6);
      plot.line(norms.map((v, i) => stem(i, v)).join(""), BEFORE, thick);
      for (const i of marked) {
        plot.line(stem(i, norms[i]), MARK, 2);
        plot.dot(X(i), Y(norms[i]), MARK, 4, cs && moved.has(i));
      }
      for (const [i, v] of moved) plot.dot(X(i), Y(v), AFTER, 4, !cs);
      const limit = Y(median * threshold);
      plot.line(`M${left} ${limit}H${right}`, "currentColor", 1, dashed);
      plot.text(right, limit - 4, `${threshold} × median`, "end");
      plot.line(`M${left} 4V${base}H${right}`, "currentColor", 1);
      const ticks = log ? TICKS.filter((t) => t > least && t < high) : [0, median];
      for (const t of ticks) plot.text(left - 4, Y(t) + 4, nice(t), "end");
      plot.text(left, height - 4, "channel 0");
      plot.text(right, height - 4, String(n - 1), "end");
      if (marked.has(value.top)) {
        const at = [clamp(X(value.top), left + 30, right - 34), Math.max(12, Y(most) - 8)];
        plot.text(...at, `channel ${value.top}`, "middle", { "font-weight": 600 });
      }
      if (hovered !== null) {
        plot.line(`M${X(hovered)} 4V${base}`, "currentColor", 1, { opacity: 0.6 });
      }
      for (const curve of curves) curve.draw();
    };
    const say = () => {
      const parts = [];
      if (hovered !== null) {
        const ratio = (norms[hovered] / (median || 1)).toFixed(2);
        const after = moved.get(hovered);
        const does = cs ? "after CS" : "CS would make it";
        const then = after === undefined ? "" : `; ${does} ${nice(after)}`;
        parts.push(`Channel ${hovered}: ${nice(norms[hovered])}, ${ratio} × the median${then}.`);
      }
      if (chosen && drags) parts.push(`Chosen: channels ${chosen[0]} to ${chosen[1]}.`);
      info.textContent = parts.join(" ") || value.note;
    };
    const update = () => {
      draw();
      say();
    };
    follow = ({ index, block }) => {
      hovered = block === value.block ? index : null;
      update();
    };
    const channelAt = (event) => clamp(Math.floor(plot.shareAt(event) * n), 0, n - 1);
    const tell = () => trigger("select", { index: chosen, value: chosen });
    let from = null;
    let anchor = null;
    const span = (a, b) => {
      chosen = [Math.min(a, b), Math.max(a, b)];
    };
    plot.node.addEventListener("pointermove", (event) => {
      hovered = channelAt(event);
      if (from !== null && hovered !== from) span(from, hovered);
      update();
    });
    plot.node.addEventListener("pointerleave", () => {
      if (from !== null) return;
      hovered = null;
      update();
    });
    const keys =
      "Arrow keys walk, Shift and arrow keys choose a range, Enter suppresses it, Escape clears.";
    const what = `${value.title}: weight norm of every output channel, ${n} channels.`;
    plot.node.setAttribute("aria-label", `${what} ${drags ? keys : value.note}`);
    const onKey = (event) => {
      const step = STEPS[event.key];
      if (step !== undefined) {
        const old = hovered ?? value.top;
        hovered = hovered === null ? old : clamp(old + step, 0, n - 1);
        anchor = event.shiftKey ? (anchor ?? old) : null;
        if (event.shiftKey) span(anchor, hovered);
      } else if (event.key === "Enter" && chosen) tell();
      else if (event.key === "Escape" && chosen) {
        chosen = anchor = null;
        tell();
      } else return;
      event.preventDefault();
      update();
    };
    if (drags) {
      plot.node.setAttribute("role", "application");
      plot.node.setAttribute("tabindex", "0");
      info.setAttribute("aria-live", "polite");
      plot.node.addEventListener("pointerdown", (event) => {
        from = channelAt(event);
        plot.node.setPointerCapture(event.pointerId);
      });
      plot.node.addEventListener("pointerup", (event) => {
        if (from !== null && channelAt(event) !== from) tell();
        from = null;
      });
      plot.node.addEventListener("pointercancel", () => {
        from = null;
      });
      plot.node.addEventListener("keydown", onKey);
    }

    // --- all blocks
    const take = (block) => {
      if (block !== value.block) trigger("select", { index: block, value: block });
    };
    const curves = value.curves.map((curve) => makeCurve(value, curve, low ? 60 : 78, take));
    const blocks = value.curves[0].rows[0].length;
    const range = make("input");
    const choose = make("label", "gw-choose");
    Object.assign(range, { type: "range", min: 1, max: blocks, value: value.block });
    range.addEventListener("change", () => take(Number(range.value)));
    choose.append(make("span", "", "By block; choose one"), range);

    // --- around them
    const head = make("div", "gw-head");
    head.append(make("span", "gw-title", "Weight norms"));
    if (value.badge) head.append(make("span", "gw-pill", value.badge));
    const nodes = [head, make("p", "gw-note", value.title), plot.node];
    if (moved.size) nodes.push(keyOf(cs));
    nodes.push(...curves.map((curve) => curve.node), choose, info);
    if (drags && chosen) {
      const clear = () => {
        chosen = null;
        tell();
      };
      nodes.push(button("Clear the choice", clear));
    }
    if (!value.simulated && !drags) {
      const line = make("p", "gw-note");
      line.append(button("Simulate an abnormal channel", () => trigger("submit"), "gw-link"));
      nodes.push(line);
    }
    root.addEventListener("placed", draw, { once: true });
    new ResizeObserver(draw).observe(plot.node);
    say();
    return nodes;
  });
};

const keyOf = (cs) => {
  const key = make("p", "gw-note gw-key");
  const item = (colour, words, hollow) => {
    const one = make("span", "gw-item");
    const mark = make("span", "gw-dot");
    mark.style.borderColor = colour;
    if (!hollow) mark.style.background = colour;
    one.append(mark, make("span", "", words));
    key.append(one);
  };
  item(MARK, "before CS", cs);
  item(AFTER, cs ? "after CS" : "what CS would do", !cs);
  return key;
};

// A number of every block, before and after CS.
const makeCurve = (value, { title, rows, low, high, limit }, height, take) => {
  const plot = new Plot(height);
  const [before, after] = rows;
  const last = before.length - 1;
  const draw = () => {
    plot.clear();
    const { left, right } = plot;
    const base = height - 8;
    const Y = Plot.scale(low, high, base, 8);
    const X = (b) => left + EDGE + (b / Math.max(1, last)) * (right - left - 2 * EDGE);
    const chosen = { rx: 4, fill: "currentColor", opacity: 0.12 };
    plot.rect(X(value.block - 1) - EDGE, 0, 2 * EDGE, height, chosen);
    if (limit) plot.line(`M${left} ${Y(limit)}H${right}`, "currentColor", 1, dashed);
    const way = (row) => `M${row.map((v, b) => `${X(b).toFixed(1)} ${Y(v).toFixed(1)}`).join("L")}`;
    plot.line(way(before), MARK, 1.5);
    for (const [b, v] of before.entries()) {
      plot.dot(X(b), Y(v), MARK, value.abnormal.includes(b + 1) ? 3 : 2);
    }
    if (before.some((v, b) => Math.abs(v - after[b]) > 1e-4)) {
      plot.line(way(after), AFTER, 1.5, { "stroke-dasharray": value.cs ? "none" : "3 3" });
    }
    plot.text(left + 6, Y(before[0]) > height / 2 ? 12 : base - 4, title);
    const ticks = [limit || 1, limit ? Math.max(...before) : low].toSorted((a, b) => b - a);
    const [upper, lower] = ticks.map((t) => Y(t) + 4);
    plot.text(left - 4, upper, nice(ticks[0]), "end");
    plot.text(left - 4, clamp(lower, upper + 13, base), nice(ticks[1]), "end");
  };
  const spoken = before.map((v, b) => `${b + 1}: ${v.toFixed(3)}`).join(", ");
  plot.node.setAttribute("aria-label", `${title} by block: ${spoken}`);
  plot.node.addEventListener("click", (event) => {
    const edge = EDGE / (plot.right - plot.left);
    const share = (plot.shareAt(event) - edge) / (1 - 2 * edge);
    take(clamp(1 + Math.round(share * last), 1, last + 1));
  });
  return { node: plot.node, draw };
};
