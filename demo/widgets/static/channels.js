// Weight norm of every output channel of one block; a drag chooses channels.
let chosen = null, cursor = null;
mount(async (value) => {
  const before = value.before, after = value.after, n = before.length;
  const pad = { left: 52, right: 10, top: 12, bottom: 40 };
  const stage = make("div", "gw-plot"), canvas = make("canvas"), info = make("p", "gw-note gw-info");
  chosen = value.chosen;
  info.setAttribute("aria-live", "polite");
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");
  stage.setAttribute("aria-label", `${value.title}: weight norms of ${n} channels. Arrow keys walk, Shift and arrow keys choose a range, Enter suppresses it, Escape clears.`);
  stage.append(canvas);
  const most = Math.max(...before, ...after, value.median * value.threshold);
  const log = most > 12 * value.median;
  const low = log ? 0.5 * Math.min(Math.min(...before.filter((v) => v > 0)), value.median) : 0;
  const high = most * (log ? 1.5 : 1.1) || 1;
  const draw = () => {
    const box = stage.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    if (!box.width) return;
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const c = canvas.getContext("2d"), style = getComputedStyle(root), text = style.color;
    c.scale(ratio, ratio);
    const X = (i) => pad.left + ((i + 0.5) / n) * (box.width - pad.left - pad.right);
    const base = box.height - pad.bottom;
    const Y = (v) => base - (log ? Math.log(Math.max(v, low) / low) / Math.log(high / low) : v / high) * (base - pad.top);
    c.font = `12px ${style.fontFamily}`;
    if (chosen) {
      c.fillStyle = "rgba(224, 99, 58, 0.25)";
      c.fillRect(X(chosen[0] - 0.5), pad.top, X(chosen[1] + 0.5) - X(chosen[0] - 0.5), base - pad.top);
    }
    const bar = Math.max(1, Math.min(6, (box.width - 62) / n * 0.7));
    const stem = (i, v, colour, wide) => { c.fillStyle = colour; const y = Y(v); c.fillRect(X(i) - wide / 2, y, wide, base - y); };
    for (let i = 0; i < n; i++) stem(i, before[i], "#4a90d9", bar);
    for (let i = 0; i < n; i++) if (Math.abs(before[i] - after[i]) > 1e-4 * before[i]) {
      stem(i, before[i], "#e0633a", Math.max(2, bar));
      c.fillStyle = "#1f9d83";
      c.beginPath();
      c.arc(X(i), Y(after[i]), 4.5, 0, 7);
      c.fill();
    }
    if (value.abnormal !== null) {
      c.fillStyle = "#e0633a";
      c.beginPath();
      c.arc(X(value.abnormal), Y(before[value.abnormal]), 4.5, 0, 7);
      c.fill();
    }
    c.strokeStyle = c.fillStyle = text;
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(pad.left, pad.top);
    c.lineTo(pad.left, base);
    c.lineTo(box.width - pad.right, base);
    c.stroke();
    c.setLineDash([5, 4]);
    const limit = Y(value.median * value.threshold);
    c.beginPath();
    c.moveTo(pad.left, limit);
    c.lineTo(box.width - pad.right, limit);
    c.stroke();
    c.setLineDash([]);
    c.textAlign = "right";
    c.textBaseline = "bottom";
    c.fillText(`${value.threshold} × median`, box.width - pad.right, limit - 2);
    c.textAlign = "center";
    c.textBaseline = "top";
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].find((s) => n / s <= Math.max(3, box.width / 70)) || 4000;
    for (let i = 0; i < n; i += step) c.fillText(String(i), X(i), base + 5);
    c.fillText("output channel of the FFN's second layer", pad.left + (box.width - pad.left) / 2, base + 22);
    c.textAlign = "right";
    c.textBaseline = "middle";
    const ticks = [];
    if (log) for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) ticks.push(10 ** e);
    else { const s = 10 ** Math.floor(Math.log10(high)), u = high / s > 5 ? 2 * s : high / s > 2 ? s : s / 2; for (let t = 0; t <= high; t += u) ticks.push(t); }
    for (const t of ticks) if (t >= low && t <= high) c.fillText(String(+t.toPrecision(3)), pad.left - 6, Y(t));
    c.save();
    c.translate(12, (pad.top + base) / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.fillText(`weight norm${log ? " (log scale)" : ""}`, 0, 0);
    c.restore();
    if (cursor !== null) { c.globalAlpha = 0.6; c.beginPath(); c.moveTo(X(cursor), pad.top); c.lineTo(X(cursor), base); c.stroke(); c.globalAlpha = 1; }
  };
  const say = () => {
    const parts = [];
    if (cursor !== null) {
      const changed = Math.abs(before[cursor] - after[cursor]) > 1e-4 * before[cursor];
      parts.push(`Channel ${cursor}: norm ${before[cursor].toFixed(3)}, ${(before[cursor] / (value.median || 1)).toFixed(2)} × median${changed ? `, after suppression ${after[cursor].toFixed(3)}` : ""}.`);
    }
    if (chosen) parts.push(`Chosen: channels ${chosen[0]} to ${chosen[1]}.`);
    info.textContent = parts.join(" ") || value.note;
  };
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return clamp(Math.floor(((event.clientX - box.left - pad.left) / (box.width - pad.left - pad.right)) * n), 0, n - 1);
  };
  const tell = () => trigger("select", { index: chosen, value: chosen });
  let from = null;
  const span = (a, b) => (chosen = [Math.min(a, b), Math.max(a, b)]);
  stage.addEventListener("pointerdown", (event) => { from = at(event); stage.setPointerCapture(event.pointerId); });
  stage.addEventListener("pointermove", (event) => { cursor = at(event); if (from !== null && cursor !== from) span(from, cursor); draw(); say(); });
  stage.addEventListener("pointerup", (event) => { const to = at(event); if (from !== null && to !== from) { span(from, to); tell(); } from = null; draw(); say(); });
  stage.addEventListener("pointercancel", () => (from = null));
  stage.addEventListener("pointerleave", () => { if (from === null) { cursor = null; draw(); say(); } });
  let anchor = null;
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const old = cursor ?? value.abnormal ?? 0;
      cursor = cursor === null ? old : clamp(old + step, 0, n - 1);
      if (event.shiftKey) { anchor = anchor ?? old; span(anchor, cursor); } else anchor = null;
    } else if (event.key === "Enter" && chosen) { event.preventDefault(); tell(); }
    else if (event.key === "Escape" && chosen) { chosen = null; anchor = null; tell(); }
    else return;
    draw();
    say();
  });
  const clear = make("button", "gw-button", "Clear the choice");
  clear.type = "button";
  clear.addEventListener("click", () => { chosen = null; draw(); say(); tell(); });
  const bar = make("div", "gw-bar");
  bar.append(clear);
  root.addEventListener("placed", draw, { once: true });
  new ResizeObserver(draw).observe(stage);
  onTheme(draw);
  say();
  const key = make("p", "gw-note gw-key");
  for (const [colour, words] of [["#4a90d9", "norm"], ["#e0633a", "abnormal or suppressed"], ["#1f9d83", "after suppression"]]) {
    const dot = make("span", "gw-dot");
    dot.style.background = colour;
    const item = make("span", "gw-item");
    item.append(dot, make("span", "", words));
    key.append(item);
  }
  return [make("p", "gw-title", value.title), stage, key, info, bar];
});
