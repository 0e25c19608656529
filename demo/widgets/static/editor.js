// Draw a scene: things from a palette, moved by mouse, touch or keys. The value holds a layout as JSON (gclip_core.scenes);
// when the hand rests, a new one leaves with "input", and with it the words for what it shows.
const REST = 40, AT_MOST = 24, SMALLEST = 0.03, LARGEST = 1.5;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let catalogue, layout, chosen = null, sent = "", shownWords = "", waiting, pausing, ground = {}, past = [], future = [];
const parts = {}, art = new Map(), fingers = new Map();
const lightId = `ge-${Math.random().toString(36).slice(2)}`;
const el = (tag, cls, attributes = {}, ...inside) => {
  const node = make(tag, cls);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...inside);
  return node;
};
const round = (x) => Math.round(x * 1e4) / 1e4;
const around = (degrees) => ((degrees + 540) % 360 + 360) % 360 - 180;
const from = (path) => new URL(`${props.value.from}/${path}`, location.href.split(/[?#]/)[0].replace(/\/?$/, "/"));
const size = () => props.value.size;
const items = () => layout.items;
const nodes = () => [...parts.items.children];
const indexOf = (name) => catalogue.things.findIndex(([thing]) => thing === name);
const read = (text) => {
  const data = JSON.parse(text);
  data.items = data.items.map(([thing, style, x, y, size, turn, flip]) => ({ thing, style, x, y, size, turn: Math.atan(turn) * 360 / Math.PI, flip }));
  return data;
};
const write = (data) => JSON.stringify({ ...data, items: data.items.map((i) => [
  i.thing, i.style, round(i.x), round(i.y), round(i.size), round(clamp(Math.tan(i.turn * Math.PI / 360), -1000, 1000)), +i.flip]) });

// ---- drawing
const sprite = (item) => {
  const key = `${item.style}/${indexOf(item.thing)}`;
  if (!art.has(key)) {
    const image = new Image(), known = { image, w: 1, h: 1, opaque: null };
    art.set(key, known);
    image.src = from(`sprite/${key}.webp`);
    image.decode().then(() => {
      [known.w, known.h] = [image.naturalWidth, image.naturalHeight];
      const context = Object.assign(make("canvas"), { width: 32, height: 32 }).getContext("2d");
      context.drawImage(image, 0, 0, 32, 32);
      known.opaque = context.getImageData(0, 0, 32, 32).data;
      paint();
    }).catch(() => art.delete(key));
  }
  return art.get(key);
};
const fetchGround = () => {
  const asked = JSON.stringify({ ...layout, items: [], light: [1, 0] });
  if (ground.asked === asked) return;
  const image = new Image(), mine = (ground = { asked, image: ground.image });
  image.src = from(`ground.webp?layout=${encodeURIComponent(asked)}&size=${size().join("x")}`);
  image.decode().then(() => { mine.image = image; paint(); }).catch(() => { mine.asked = null; });
};
// Width and height of an item, and a point of the scene as seen from it, in pixels of the scene.
const sides = (item) => {
  const { w, h } = sprite(item), scale = item.size * Math.min(...size()) / Math.max(w, h);
  return [w * scale, h * scale];
};
const turned = ([x, y], degrees) => {
  const c = Math.cos(degrees * Math.PI / 180), s = Math.sin(degrees * Math.PI / 180);
  return [x * c - y * s, x * s + y * c];
};
const hit = ([px, py]) => [...items()].reverse().find((item) => {
  const [H, W] = size(), [w, h] = sides(item), { opaque } = sprite(item);
  const [x, y] = turned([px - item.x * W, py - item.y * H], -item.turn);
  const u = Math.floor(32 * ((item.flip ? -x : x) / w + 0.5)), v = Math.floor(32 * (y / h + 0.5));
  return u >= 0 && v >= 0 && u < 32 && v < 32 && (!opaque || opaque[4 * (32 * v + u) + 3] > 127);
});
const paint = () => {
  const [H, W] = size(), { canvas, handle, horizon } = parts, dots = Math.min(2, devicePixelRatio) * (canvas.clientWidth || W) / W;
  canvas.width = Math.round(W * dots);
  canvas.height = Math.round(H * dots);
  const context = canvas.getContext("2d"), [gain, shift] = layout.light;
  context.imageSmoothingQuality = "high";
  if (ground.image) context.drawImage(ground.image, 0, 0, canvas.width, canvas.height);
  nodes().forEach((button, index) => {
    const item = items()[index], [w, h] = sides(item);
    context.setTransform(dots, 0, 0, dots, item.x * W * dots, item.y * H * dots);
    context.rotate(item.turn * Math.PI / 180);
    if (item.flip) context.scale(-1, 1);
    if (sprite(item).opaque) context.drawImage(sprite(item).image, -w / 2, -h / 2, w, h);
    button.style.cssText = `left:${100 * (item.x - w / W / 2)}%;top:${100 * (item.y - h / H / 2)}%;width:${100 * w / W}%;height:${100 * h / H}%;rotate:${item.turn}deg`;
    button.setAttribute("aria-pressed", String(item === chosen));
  });
  for (const part of parts.light) { part.setAttribute("slope", gain); part.setAttribute("intercept", shift / 255); }
  canvas.style.filter = gain === 1 && shift === 0 ? "" : `url(#${lightId})`;
  horizon.hidden = layout.ground.length < 2;
  horizon.style.top = `${clamp(100 * layout.horizon, 4, 96)}%`;
  handle.hidden = !chosen;
  if (!chosen || fingers.size) return;
  const [w, h] = sides(chosen), corners = [[w, h], [-w, h], [w, -h], [-w, -h]].map((corner) => {
    const [x, y] = turned(corner, chosen.turn);
    return [chosen.x + x / 2 / W, chosen.y + y / 2 / H];
  });
  const [x, y] = corners.find(([x, y]) => Math.abs(x - 0.5) < 0.47 && Math.abs(y - 0.5) < 0.47) || corners[0];
  handle.style.cssText = `left:${clamp(100 * x, 3, 97)}%;top:${clamp(100 * y, 4, 96)}%`;
};

// ---- state: what changed is drawn at once, sent when the hand rests, and remembered when it lets go
const say = (text) => { if (text) parts.live.textContent = text; };
const wordsNow = () => [...new Set(items().map((item) => item.thing)), ...layout.ground].join(", ");
const send = () => {
  clearTimeout(waiting);
  const text = write(layout);
  if (text === sent) return;
  sent = text;
  props.value = { ...props.value, layout: text, was: shownWords, words: (shownWords = wordsNow()) };
  trigger("input", { value: text });
};
const later = () => { clearTimeout(waiting); waiting = setTimeout(send, REST); };
const moved = () => { paint(); later(); };
const keep = (words, goesOn) => {
  const text = write(layout);
  if (text !== past[past.length - 1]) { past = [...past.slice(-99), text]; future = []; }
  if (goesOn) later();
  else send();
  arrange();
  say(words);
};
const show = (text) => {
  const index = layout ? items().indexOf(chosen) : -1;
  layout = read(text);
  chosen = items()[index] || null;
  arrange();
  fetchGround();
};
const undo = () => { if (past.length > 1) { future.push(past.pop()); show(past[past.length - 1]); send(); say("Undone"); } };
const redo = () => { if (future.length) { past.push(future.pop()); show(past[past.length - 1]); send(); say("Done again"); } };
const clear = () => { layout.items = []; layout.light = [1, 0]; chosen = null; keep("All things removed"); };
// One button an item, from the back to the front, so that Tab walks through them.
const arrange = () => {
  const count = items().length, { said, hint, above, below, horizon } = parts;
  for (const extra of nodes().slice(count)) extra.remove();
  while (nodes().length < count) parts.items.append(el("button", "ge-item"));
  nodes().forEach((button, i) => {
    const { thing, x, y } = items()[i], where = `${y < 0.35 ? "top" : y > 0.65 ? "bottom" : "middle"} ${x < 0.35 ? "left" : x > 0.65 ? "right" : "centre"}`;
    button.setAttribute("aria-label", `${thing}, ${where}, ${i + 1} of ${count} from the back`);
  });
  for (const name in DEEDS) parts[name].disabled = !chosen;
  if (items()[0] === chosen) parts.back.disabled = true;
  if (items()[count - 1] === chosen) parts.front.disabled = true;
  parts.undo.disabled = past.length < 2;
  parts.redo.disabled = !future.length;
  parts.clear.disabled = !count;
  hint.hidden = count > 0;
  said.textContent = chosen ? chosen.thing : count === 1 ? "1 thing" : `${count} things`;
  for (const [row, name] of [[above, layout.ground[0]], [below, layout.ground[1] || ""]]) {
    for (const button of row.children) {
      button.setAttribute("aria-checked", String(button.value === name));
      button.tabIndex = button.value === name ? 0 : -1;
    }
  }
  horizon.setAttribute("aria-valuenow", Math.round(100 * layout.horizon));
  paint();
};
const choose = (item, focus) => {
  chosen = item;
  arrange();
  if (item && focus) nodes()[items().indexOf(item)].focus({ preventScroll: true });
};
const room = () => {
  if (items().length < AT_MOST) return true;
  say((parts.said.textContent = `A scene holds up to ${AT_MOST} things.`));
  return false;
};
const SPOTS = [[0.5, 0.55], [0.25, 0.6], [0.75, 0.6], [0.25, 0.28], [0.75, 0.28], [0.5, 0.25], [0.5, 0.8]];
const add = (thing, at) => {
  if (!room()) return false;
  const free = ([x, y]) => Math.min(1, ...items().map((i) => Math.hypot(i.x - x, (i.y - y) * 0.75)));
  const [x, y] = at || SPOTS.reduce((best, spot) => (free(spot) > free(best) + 0.01 ? spot : best));
  chosen = { thing, style: parts.style.value, x, y, size: 0.4, turn: 0, flip: 0 };
  items().push(chosen);
  if (at) arrange();
  else keep(`${thing} added`);
  return true;
};
const order = (i, by) => items().splice(clamp(i + by, 0, items().length - 1), 0, ...items().splice(i, 1));
// What can be done to the chosen item, the i-th: words, keys, icon, deed.
const DEEDS = {
  smaller: ["Smaller", ["-", "_"], "M5 12h14", (it) => { it.size = Math.max(SMALLEST, it.size / 1.08); }],
  larger: ["Larger", ["+", "="], "M5 12h14M12 5v14", (it) => { it.size = Math.min(LARGEST, it.size * 1.08); }],
  left: ["Turn left", ["["], "M4 4v6h6M4.5 10a8 8 0 1 1-.5 5", (it) => { it.turn = around(it.turn - 5); }],
  right: ["Turn right", ["]"], "M20 4v6h-6M19.5 10a8 8 0 1 0 .5 5", (it) => { it.turn = around(it.turn + 5); }],
  mirror: ["Mirror", ["f", "m"], "M12 3v18M8 7 3 17h5zM16 7l5 10h-5z", (it) => { it.flip = 1 - it.flip; }],
  back: ["Further back", ["PageDown"], "M12 5v14M6 13l6 6 6-6", (it, i) => { order(i, -1); }],
  front: ["Further to the front", ["PageUp"], "M12 19V5M6 11l6-6 6 6", (it, i) => { order(i, 1); }],
  copy: ["Copy", ["d"], "M9 9h11v11H9zM5 15H4V4h11v1", (it) => { if (room()) items().push((chosen = { ...it, x: clamp(it.x + 0.08, 0, 1), y: clamp(it.y + 0.05, 0, 1) })); }],
  remove: ["Remove", ["Delete", "Backspace"], "m6 6 12 12M18 6 6 18", (it, i) => { items().splice(i, 1); chosen = null; }],
};
const run = (name, goesOn) => {
  const item = chosen, index = items().indexOf(item), held = parts.items.contains(document.activeElement);
  if (!item) return;
  DEEDS[name][3](item, index);
  keep(`${item.thing}: ${DEEDS[name][0]}`, goesOn);
  if (held) (nodes()[items().indexOf(chosen)] || nodes()[index] || nodes().pop() || parts.find).focus();
};

// ---- hands: one finger moves, two (or the handle, against the centre) resize and turn
let start = null; // the item as it was when the number of fingers last changed
const point = (event) => {
  const box = parts.stage.getBoundingClientRect(), [H, W] = size();
  return [(event.clientX - box.left) * W / box.width, (event.clientY - box.top) * H / box.height];
};
const take = (event, item, more = {}) => {
  event.preventDefault();
  parts.stage.setPointerCapture(event.pointerId);
  if (!fingers.size) choose(item, true);
  fingers.set(event.pointerId, point(event));
  start = { ...chosen, ...more, fingers: [...fingers.values()] };
};
const onDown = (event) => {
  if (event.button || event.target === parts.horizon || fingers.size > 1 || start?.pulled) return;
  const item = chosen && (fingers.size || event.target === parts.handle) ? chosen : hit(point(event)) || items()[nodes().indexOf(event.target)];
  if (item) take(event, item, { pulled: event.target === parts.handle });
  else choose(null);
};
const onMove = (event) => {
  if (!fingers.has(event.pointerId)) return;
  fingers.set(event.pointerId, point(event));
  const [H, W] = size(), centre = [start.x * W, start.y * H], pinned = start.pulled ? [centre] : [];
  const [a0, b0] = [...pinned, ...start.fingers], [a, b] = [...pinned, ...fingers.values()];
  if (b) {
    const [dx0, dy0, dx, dy] = [b0[0] - a0[0], b0[1] - a0[1], b[0] - a[0], b[1] - a[1]];
    const degrees = start.turn + (Math.atan2(dy, dx) - Math.atan2(dy0, dx0)) * 180 / Math.PI, upright = Math.round(degrees / 90) * 90;
    chosen.size = clamp(start.size * Math.hypot(dx, dy) / Math.max(1, Math.hypot(dx0, dy0)), SMALLEST, LARGEST);
    chosen.turn = around(Math.abs(degrees - upright) < 3 ? upright : degrees);
  }
  if (!start.pulled) {
    const way = (k) => (b ? (a[k] + b[k] - a0[k] - b0[k]) / 2 : a[k] - a0[k]);
    [chosen.x, chosen.y] = [start.x + way(0) / W, start.y + way(1) / H];
    if (start.fresh) return paint(); // it is sent when it is dropped
    [chosen.x, chosen.y] = [clamp(chosen.x, 0, 1), clamp(chosen.y, 0, 1)];
  }
  moved();
};
const onUp = (event) => {
  if (!fingers.delete(event.pointerId)) return;
  const { fresh } = start;
  start = fingers.size ? { ...chosen, fingers: [...fingers.values()] } : null;
  if (start) return;
  const outside = Math.max(Math.abs(chosen.x - 0.5), Math.abs(chosen.y - 0.5)) > 0.5;
  if (fresh && outside) run("remove");
  else keep(fresh ? `${chosen.thing} added` : "");
};
const onKey = (event) => {
  const item = items()[nodes().indexOf(event.target)], arrow = ARROWS[event.key], step = event.shiftKey ? 0.05 : 0.01;
  const deed = Object.keys(DEEDS).find((name) => DEEDS[name][1].includes(event.key));
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  chosen = item;
  if (arrow) {
    item.x = clamp(item.x + step * arrow[0], 0, 1);
    item.y = clamp(item.y + step * arrow[1], 0, 1);
    keep(`${Math.round(100 * item.x)} % from the left, ${Math.round(100 * item.y)} % from the top`, event.repeat);
  } else if (deed) run(deed, event.repeat);
  else if (event.key === "Escape") choose(null);
  else return;
  event.preventDefault();
};
const setHorizon = (y) => {
  layout.horizon = round(clamp(y, 0.05, 0.95));
  moved();
  clearTimeout(pausing);
  pausing = setTimeout(fetchGround, 40);
};
// Arrow keys walk through the buttons of a box, of which Tab meets only one.
const walk = (box, event, press) => {
  const arrow = ARROWS[event.key], open = [...box.children].filter((node) => node.tagName === "BUTTON" && !node.hidden), at = open.indexOf(event.target);
  if (!arrow || at < 0) return;
  event.preventDefault();
  const columns = press ? 1 : Math.max(1, Math.floor(box.clientWidth / event.target.offsetWidth));
  const next = open[clamp(at + arrow[0] + arrow[1] * columns, 0, open.length - 1)];
  for (const button of open) button.tabIndex = button === next ? 0 : -1;
  next.focus();
  if (press) press(next);
};

// ---- building
const tool = (name, words, path, press) => {
  const icon = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  icon.append(svg("path", { d: path }));
  parts[name] = el("button", "ge-tool", { title: words, "aria-label": words }, icon);
  parts[name].addEventListener("click", press);
  return parts[name];
};
const swatches = (words, names, index) => {
  const row = el("div", "ge-row", { role: "radiogroup", "aria-label": words }), all = catalogue.grounds.map(([name]) => name);
  const press = (button) => {
    const next = index ? [layout.ground[0], button.value] : [button.value, layout.ground[1]];
    layout.ground = [...new Set(next.filter(Boolean))];
    keep();
    fetchGround();
  };
  for (const name of names) {
    const button = el("button", "ge-ground", { value: name, role: "radio", title: name || "none", "aria-label": name || "none" }, name ? "" : "none");
    if (name) button.style.background = `url("${from("grounds.webp")}") ${100 * all.indexOf(name) / (all.length - 1)}% 0 / ${100 * all.length}% 100%`;
    button.addEventListener("click", () => press(button));
    row.append(button);
  }
  row.addEventListener("keydown", (event) => walk(row, event, press));
  return row;
};
const pick = (name) => {
  const button = el("button", "ge-thing", { title: name, "aria-label": name }, make("span"));
  button.addEventListener("click", () => add(name));
  button.addEventListener("pointerdown", (down) => {
    if (down.pointerType === "touch" || down.button) return; // a finger scrolls here
    const drag = (event) => {
      if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < 6) return;
      stop();
      const [H, W] = size(), [x, y] = point(event);
      if (add(name, [x / W, y / H])) take(event, chosen, { fresh: true });
    };
    const stop = () => { removeEventListener("pointermove", drag); removeEventListener("pointerup", stop); };
    addEventListener("pointermove", drag);
    addEventListener("pointerup", stop);
  });
  return button;
};
const palette = () => {
  const { things, styles, columns } = catalogue, none = make("p", "gw-note"), buttons = things.map(([name]) => pick(name));
  const box = el("div", "ge-things", { role: "group", "aria-label": "Things: arrow keys walk, Enter adds one" }, ...buttons, none);
  const find = (parts.find = el("input", "", { type: "search", maxlength: 40, placeholder: `Search ${things.length} things`, "aria-label": "Search things by name" }));
  const style = (parts.style = el("select", "", { "aria-label": "Whose drawings" }));
  for (const use of new Set(styles.map(([, use]) => use))) {
    const same = styles.filter((one) => one[1] === use).map(([name]) => new Option(name.replaceAll("-", " "), name));
    style.append(el("optgroup", "", { label: use }, ...same));
  }
  const first = () => buttons.find((button) => !button.hidden);
  const sift = () => {
    const wanted = find.value.trim().toLowerCase(), drawn = styles.find(([name]) => name === style.value)[2], rows = Math.ceil(drawn.length / columns);
    buttons.forEach((button, i) => {
      const cell = drawn.indexOf(i), [name, also] = things[i];
      button.hidden = cell < 0 || ![name, ...also].some((word) => word.includes(wanted));
      button.tabIndex = -1;
      button.firstChild.style.background = `url("${from(`things/${style.value}.webp`)}") ${100 * (cell % columns) / (columns - 1)}% ${100 * Math.floor(cell / columns) / (rows - 1)}% / ${100 * columns}% ${100 * rows}%`;
    });
    if (first()) first().tabIndex = 0;
    none.hidden = !!first();
    none.textContent = `Nothing here is called “${wanted}”.`;
  };
  find.addEventListener("input", sift);
  find.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); first()?.click(); } });
  style.addEventListener("change", sift);
  box.addEventListener("keydown", (event) => walk(box, event));
  sift();
  return [el("div", "ge-find", {}, find, style), box];
};
const build = () => {
  const light = svg("feComponentTransfer", {}), filter = svg("filter", { id: lightId, "color-interpolation-filters": "sRGB" });
  const hidden = svg("svg", { width: 0, height: 0, "aria-hidden": "true", style: "position: absolute" });
  parts.light = ["R", "G", "B"].map((channel) => svg(`feFunc${channel}`, { type: "linear" }));
  light.append(...parts.light);
  filter.append(light);
  hidden.append(filter);
  parts.canvas = el("canvas", "", { "aria-hidden": "true" });
  parts.items = make("div");
  parts.handle = make("div", "ge-handle");
  parts.hint = make("p", "ge-hint", "Pick things below");
  parts.live = el("p", "gw-hidden", { "aria-live": "polite" });
  parts.said = make("span", "ge-said");
  const horizon = (parts.horizon = el("button", "ge-horizon", { role: "slider", "aria-label": "Horizon", "aria-orientation": "vertical", "aria-valuemin": 5, "aria-valuemax": 95 }));
  horizon.addEventListener("pointerdown", (event) => horizon.setPointerCapture(event.pointerId));
  horizon.addEventListener("pointermove", (event) => { if (horizon.hasPointerCapture(event.pointerId)) setHorizon(point(event)[1] / size()[0]); });
  horizon.addEventListener("lostpointercapture", () => keep());
  horizon.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    setHorizon(layout.horizon + 0.02 * (ARROWS[event.key][1] - ARROWS[event.key][0]));
    keep("", event.repeat);
  });
  const help = "The scene. Arrow keys move a thing, plus and minus resize it, brackets turn it, F mirrors, D copies, Page Up and Page Down order, Delete removes.";
  const stage = (parts.stage = el("div", "gw-stage ge-stage", { role: "group", "aria-label": help }, parts.canvas, parts.items, horizon, parts.handle, parts.hint));
  for (const [name, listener] of Object.entries({ pointerdown: onDown, pointermove: onMove, pointerup: onUp, pointercancel: onUp, keydown: onKey })) stage.addEventListener(name, listener);
  stage.addEventListener("focusin", (event) => {
    const item = items()[nodes().indexOf(event.target)];
    if (item && item !== chosen) choose(item);
  });
  root.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.target === parts.find || !["z", "y"].includes(key)) return;
    event.preventDefault();
    (key === "y" || event.shiftKey ? redo : undo)();
  });
  const head = [tool("undo", "Undo", "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3", undo), tool("redo", "Do again", "m15 14 5-5-5-5M20 9H10a6 6 0 0 0 0 12h3", redo)];
  const bin = tool("clear", "Remove all things", "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13", clear);
  const tools = Object.entries(DEEDS).map(([name, [words, , path]]) => tool(name, words, path, () => run(name)));
  const found = palette(), names = (use) => catalogue.grounds.filter(([, below]) => below || !use).map(([name]) => name);
  parts.above = swatches("Background", names(false), 0);
  parts.below = swatches("Ground below", ["", ...names(true)], 1);
  const grounds = el("div", "ge-grounds", {}, make("span", "", "Behind"), parts.above, make("span", "", "Below"), parts.below);
  root.replaceChildren(hidden, el("div", "ge-bar", {}, parts.said, ...head, bin), stage, el("div", "ge-tools", {}, ...tools), ...found, grounds, parts.live);
  new ResizeObserver(() => { if (layout) paint(); }).observe(stage);
};
const receive = () => {
  const value = props.value;
  if (!catalogue || !value?.layout || (sent && write(read(value.layout)) === sent)) return;
  if (!parts.stage) build();
  parts.stage.style.aspectRatio = `${size()[1]} / ${size()[0]}`;
  show(value.layout);
  sent = write(layout);
  shownWords = wordsNow();
  if (sent !== past[past.length - 1]) past.push(sent);
  arrange();
  for (const row of [parts.above, parts.below]) row.scrollLeft = row.querySelector("[aria-checked='true']")?.offsetLeft - row.offsetLeft - 60;
  root.dataset.ready = "1";
};
const open = async () => {
  root.replaceChildren(skeleton("The palette is on its way."));
  try {
    catalogue = await (await fetch(from("catalogue.json"))).json();
  } catch {
    const again = el("button", "gw-button", {}, "Try again");
    again.addEventListener("click", open);
    return root.replaceChildren(skeleton("The palette did not arrive."), again);
  }
  receive();
};
root.layout = () => write(layout);
root.drawn = () => !!ground.image && items().every((item) => sprite(item).opaque);
watch("value", receive);
open();
