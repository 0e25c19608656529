// A mask over its image with its legend; opacity and highlighting happen here, in the browser.
let opacity = null, given = null, held = null, follow = null;
document.addEventListener("gclip-opacity", (event) => { if (follow) follow(Number(event.detail)); });
mount(async (value) => {
  const index = await pixels(value.mask);
  const w = index.width, h = index.height, data = index.data;
  const [image, top] = [await picture(value.image), await picture(value.top)];
  const colour = new Map(value.legend.map((entry) => [entry.index, entry.rgb]));
  const of = (i) => (data[4 * i + 2] === 255 ? -1 : data[4 * i] + 256 * data[4 * i + 1]);
  const packed = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const classes = Int32Array.from({ length: w * h }, (_, i) => of(i));
  if (given !== value.opacity) opacity = given = value.opacity;
  if (held !== null && !value.legend.some((entry) => entry.index === held && entry.share > 0)) held = null;
  const stage = make("div", "gw-stage"), canvas = make("canvas");
  stage.style.aspectRatio = `${w} / ${h}`;
  canvas.width = w;
  canvas.height = h;
  stage.append(image, canvas, top);
  stage.setAttribute("role", value.pick ? "application" : "img");
  const found = value.legend.filter((entry) => entry.share > 0);
  stage.setAttribute("aria-label", `${value.title}${value.badge ? `, ${value.badge}` : ""}: ${found.map((e) => `${e.name} ${percent(e.share)}`).join(", ")}${value.pick ? ". Arrow keys move, Enter asks." : ""}`);
  const context = canvas.getContext("2d");
  const paint = (only) => {
    const out = context.createImageData(w, h);
    const ink = new Map();
    for (const [k, c] of colour) ink.set(k, only !== null && k !== only ? packed(22, 24, 29, 190) : packed(...c, 255));
    const words = new Uint32Array(out.data.buffer);
    for (let i = 0; i < w * h; i++) words[i] = ink.get(classes[i]) ?? packed(140, 140, 140, 255);
    context.putImageData(out, 0, 0);
    canvas.style.opacity = only === null ? opacity : Math.max(opacity, 0.5);
    top.style.opacity = only === null ? 1 : 0.25;
  };
  follow = (wanted) => { opacity = wanted; paint(held); };
  const tip = make("span", "gw-tip");
  tip.hidden = true;
  stage.append(tip);
  const spot = make("span", "gw-spot");
  spot.hidden = true;
  stage.append(spot);
  let at = [Math.floor(h / 2), Math.floor(w / 2)];
  if (value.pixel) at = [value.pixel[0] * h / value.size[0], value.pixel[1] * w / value.size[1]];
  const place = () => {
    spot.hidden = false;
    spot.style.left = `${((at[1] + 0.5) / w) * 100}%`;
    spot.style.top = `${((at[0] + 0.5) / h) * 100}%`;
  };
  if (value.pixel) place();
  const names = new Map(value.legend.map((entry) => [entry.index, entry.name]));
  const under = (event) => {
    const box = stage.getBoundingClientRect();
    return [clamp(Math.floor(((event.clientY - box.top) / box.height) * h), 0, h - 1), clamp(Math.floor(((event.clientX - box.left) / box.width) * w), 0, w - 1)];
  };
  const hint = (point, x) => {
    tip.textContent = names.get(of(Math.floor(point[0]) * w + Math.floor(point[1]))) ?? "";
    tip.hidden = false;
    tip.style.left = `${clamp((x / w) * 100, 15, 85)}%`;
    tip.style.top = `${(point[0] / h) * 100}%`;
    tip.classList.toggle("gw-below", point[0] < h * 0.2);
  };
  stage.addEventListener("pointermove", (event) => { const p = under(event); hint(p, p[1]); });
  stage.addEventListener("pointerleave", () => (tip.hidden = true));
  const ask = () => {
    const point = [Math.floor((Math.floor(at[0]) + 0.5) * value.size[0] / h), Math.floor((Math.floor(at[1]) + 0.5) * value.size[1] / w)];
    place();
    trigger("select", { index: point, value: point });
  };
  if (value.pick) {
    stage.tabIndex = 0;
    stage.classList.add("gw-pick");
    stage.addEventListener("click", (event) => { at = under(event); ask(); });
    stage.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (move) {
        event.preventDefault();
        const step = Math.max(1, Math.round(Math.max(w, h) / 48));
        at = [clamp(at[0] + move[0] * step, 0, h - 1), clamp(at[1] + move[1] * step, 0, w - 1)];
        place();
        hint(at, at[1]);
      } else if (event.key === "Enter") { event.preventDefault(); ask(); }
    });
  }
  const figure = make("figure");
  if (value.title) {
    const caption = make("figcaption", "gw-title gw-named", value.title);
    if (value.badge) caption.append(" ", make("span", "gw-pill", value.badge));
    figure.append(caption);
  }
  figure.append(stage);
  const nodes = [figure];
  if (value.legend_shown) {
    const list = make("ul", "gw-legend");
    const items = [];
    const show = () => {
      paint(held);
      items.forEach(([button, i]) => button.setAttribute("aria-pressed", String(i === held)));
    };
    const most = Math.max(...found.map((entry) => entry.share), 0.0001);
    for (const entry of [...found].sort((a, b) => b.share - a.share)) {
      const item = make("li"), button = make("button", "gw-entry");
      button.type = "button";
      const swatch = make("span", "gw-swatch"), bar = make("span", "gw-share"), fill = make("span");
      swatch.style.background = entry.colour;
      fill.style.background = entry.colour;
      fill.style.width = `${(100 * entry.share) / most}%`;
      bar.append(fill);
      const name = make("bdi", "gw-name", entry.name);
      name.title = entry.name;
      button.append(swatch, name, bar, make("span", "gw-percent", percent(entry.share)));
      button.addEventListener("pointerenter", () => paint(entry.index));
      button.addEventListener("pointerleave", () => paint(held));
      button.addEventListener("focus", () => paint(entry.index));
      button.addEventListener("blur", () => paint(held));
      button.addEventListener("click", () => { held = held === entry.index ? null : entry.index; show(); });
      items.push([button, entry.index]);
      item.append(button);
      list.append(item);
    }
    show();
    nodes.push(list);
    const missing = value.legend.filter((entry) => entry.share === 0 && entry.index >= 0);
    if (missing.length) {
      const more = make("details", "gw-missing");
      more.append(make("summary", "", `${missing.length} not found here`), make("p", "gw-note", missing.map((entry) => entry.name).join(", ")));
      nodes.push(more);
    }
  } else paint(null);
  if (value.slider) {
    const bar = make("label", "gw-bar"), range = make("input");
    range.type = "range";
    range.min = 0;
    range.max = 100;
    range.value = Math.round(opacity * 100);
    const number = make("span", "gw-percent", `${range.value} %`);
    const paintHeld = follow;
    follow = (wanted) => {
      paintHeld(wanted);
      range.value = Math.round(wanted * 100);
      number.textContent = `${range.value} %`;
    };
    range.addEventListener("input", () => document.dispatchEvent(new CustomEvent("gclip-opacity", { detail: range.value / 100 })));
    range.addEventListener("change", () => {
      window.gclipOpacity = opacity;
      trigger("input", { index: 0, value: opacity });
    });
    bar.append(make("span", "", "Opacity"), range, number);
    nodes.push(bar);
  }
  return nodes;
});
