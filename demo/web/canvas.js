// A photo with one or two masks on it. The values come from views.py; a word that a person typed
// only ever becomes textContent.
const [stage, pad, labels, why, split] = [".stage", ".pad", ".labels", ".why", ".split"].map($);
const buttons = $$(".views button");
const SWIPE = 2;
const NONE = 255; // the label of a pixel without a class
const EDGE = abgr(255, 255, 255, 216);
/** What is drawn: a value, and the labels of its masks. */
let answer = null;
let masks = [];
/** Which mask; which label is shown alone; which patch, and whether its words are shown. */
let [view, only, patch, isPinned] = [1, null, null, false];
let [turn, glance] = [0, 0];

async function update() {
  const { value } = props;
  if (!value?.views) return;
  const mine = ++turn;
  const decoding = Promise.all(value.views.map(({ mask }) => numbers(mask)));
  const decoded = await decoding.catch(() => null);
  if (mine !== turn) return; // a newer answer came meanwhile
  if (decoded) show(value, decoded);
  else setTimeout(() => mine === turn && update(), 2000); // the connection was lost: try again
}

function show(value, decoded) {
  const names = ({ classes }) => JSON.stringify(classes.map(({ name }) => name));
  const isNew = answer?.of !== value.of;
  if (isNew) [patch, isPinned] = [value.patch ?? null, Number.isInteger(value.patch)];
  if (isNew || names(answer) !== names(value)) only = null;
  if (isNew || answer.view !== value.view) view = view === SWIPE && answer ? SWIPE : value.view;
  [answer, masks] = [value, decoded];
  const [height, width] = value.views[0].mask.shape;
  stage.style.setProperty("--ratio", width / height);
  if (isNew) $("img").src = value.photo.url;
  write(".banner", value.banner);
  write(".sentence", value.sentence);
  write(".notes", value.notes.join(" "));
  fillLegend();
  refresh();
  keepAddress(value.link);
  const { shares } = shown();
  const parts = value.classes.map(({ name }, i) => `${name} ${percent(shares[i])}`);
  $(".live").textContent = `${value.sentence} ${parts.join(", ")}`;
  element.dataset.turn = turn;
}

/** After a lost connection Gradio loads the page again: its address then has the settings. */
function keepAddress(link) {
  if (link.length > 4000) return; // every request repeats the address, and has a limit
  const theme = new URLSearchParams(location.search).get("__theme");
  history.replaceState(null, "", theme ? `${link}&__theme=${theme}` : link);
}

const shown = () => answer.views[Math.min(view, answer.views.length - 1)];
function write(selector, text) {
  Object.assign($(selector), { textContent: text, hidden: !text });
}

/** After a change of the view, or of what is shown alone. */
function refresh() {
  const titles = answer.views.map(({ title, score, score_name }) =>
    score === null ? title : `${title} · ${score_name} ${percent(score)}`,
  );
  buttons.forEach((button, i) => {
    if (i !== SWIPE) button.textContent = answer.views[i]?.title;
    button.hidden = answer.views.length === 1;
    button.setAttribute("aria-pressed", i === view);
  });
  $(".chip").textContent = titles[view % SWIPE];
  write(".chip.right", view === SWIPE ? titles[1] : "");
  split.hidden = view !== SWIPE;
  pad.hidden = view === SWIPE;
  const { shares, unsure } = shown();
  for (const entry of $$(".entry")) {
    const label = Number(entry.dataset.label);
    const [swatch, , doubt, share] = entry.firstChild.children;
    share.textContent = percent(label === NONE ? shares.at(-1) : shares[label]);
    doubt.hidden = !unsure[label];
    swatch.classList.toggle("unsure", Boolean(unsure[label]));
    entry.firstChild.setAttribute("aria-pressed", only === label);
    entry.lastChild.hidden = only !== label;
  }
  paint();
  look();
}

function fillLegend() {
  const background = { name: "background", colour: "transparent", label: NONE };
  const entries = [...answer.classes.map((one, label) => ({ ...one, label })), background];
  const key = JSON.stringify(entries.map(({ name, colour }) => [name, colour]));
  if ($(".legend").dataset.key === key) return; // keeps the focus where it is
  $(".legend").dataset.key = key;
  const made = entries.map(({ name, colour, label }) => {
    const entry = make("div", label === NONE ? "entry none" : "entry");
    const button = Object.assign(make("button"), { type: "button", title: "Show it alone" });
    const swatch = make("i", "swatch");
    swatch.style.setProperty("--colour", colour);
    button.append(swatch, make("bdi", "", name), make("em", "", "not sure"), make("b"));
    button.onclick = () => {
      only = only === label ? null : label;
      refresh();
    };
    const save = Object.assign(make("button", "save", "Cut out"), { type: "button" });
    save.setAttribute("aria-label", `Save a cut-out of ${name}`);
    save.onclick = () => cutOut(label, name);
    entry.append(button, save);
    entry.dataset.label = label;
    return entry;
  });
  $(".legend").replaceChildren(...made);
}

/** The labels that are seen: of one mask, or of the first one left of the split. */
function labelsSeen(width) {
  if (view !== SWIPE) return masks[Math.min(view, masks.length - 1)];
  const cut = Math.round((split.value / 100) * width);
  const labels = masks[1].slice();
  for (let start = 0; start < labels.length; start += width)
    labels.set(masks[0].subarray(start, start + cut), start);
  return labels;
}

function paint() {
  const [height, width] = answer.views[0].mask.shape;
  const seen = labelsSeen(width);
  const alpha = Math.round($(".opacity input").value * 2.55);
  const [inks, stripes] = [new Uint32Array(256), new Uint32Array(256)];
  const veil = abgr(12, 14, 18, Math.max(alpha, 150));
  if (only !== null) inks.fill(veil).fill(0, only, only + 1);
  answer.classes.forEach(({ colour }, i) => {
    if (only === null) inks[i] = ink(colour, alpha);
    stripes[i] = only === null && shown().unsure[i] ? ink(colour, alpha / 4) : inks[i];
  });
  stripes[NONE] = inks[NONE];
  const thick = Math.max(1, Math.round(width / (stage.clientWidth || width)));
  const stripe = 7 * thick;
  draw($(".mask"), width, height, (i) => {
    const x = i % width;
    const label = seen[i];
    const right = x + thick < width ? seen[i + thick] : label;
    const below = seen[i + thick * width] ?? label;
    const isEdge = right !== label || below !== label;
    if (isEdge && (only === null || [label, right, below].includes(only))) return EDGE;
    return ((i - x) / width + x) % (2 * stripe) < stripe ? inks[label] : stripes[label];
  });
  split.style.setProperty("--at", `${split.value}%`);
  placeLabels(seen, width, height);
}

/** Each class's name where it lies deepest, but over no other name and inside the picture. */
function placeLabels(seen, width, height) {
  const step = Math.ceil(Math.max(width, height) / 100);
  const [columns, rows] = [Math.floor(width / step), Math.floor(height / step)];
  const half = Math.floor(step / 2);
  const cells = Uint8Array.from({ length: rows * columns }, (_, i) => {
    const [y, x] = [Math.floor(i / columns), i % columns];
    return seen[(y * step + half) * width + x * step + half];
  });
  const depth = depths(cells, columns);
  const byClass = answer.classes.map(() => []);
  cells.forEach((label, i) => {
    byClass[label]?.push(i);
  });
  const [right, bottom] = [stage.clientWidth, stage.clientHeight];
  const taken = $$(".chip").map((chip) => [
    chip.offsetLeft - 4,
    chip.offsetTop - 4,
    chip.offsetLeft + chip.offsetWidth + 4,
    chip.offsetTop + chip.offsetHeight + 4,
  ]);
  labels.replaceChildren();
  const order = [...byClass.keys()].sort((a, b) => byClass[b].length - byClass[a].length);
  for (const c of order) {
    if (byClass[c].length < cells.length / 400 || (only !== null && only !== c)) continue;
    const { name, colour, ink } = answer.classes[c];
    const label = make("bdi", "", name);
    Object.assign(label.style, { background: colour, color: ink });
    labels.append(label);
    const [w, h] = [label.offsetWidth / 2 + 3, label.offsetHeight / 2 + 3];
    const place = byClass[c]
      .sort((a, b) => depth[b] - depth[a])
      .map((i) => {
        const x = clamp((((i % columns) + 0.5) * right) / columns, w, right - w);
        const y = clamp(((Math.floor(i / columns) + 0.5) * bottom) / rows, h, bottom - h);
        return [x - w, y - h, x + w, y + h];
      })
      .find((a) => taken.every((b) => a[0] > b[2] || a[2] < b[0] || a[1] > b[3] || a[3] < b[1]));
    if (!place) {
      label.remove();
      continue;
    }
    taken.push(place);
    Object.assign(label.style, { left: `${place[0] + 3}px`, top: `${place[1] + 3}px` });
  }
}

/** How many steps each cell is from another class or from the edge. */
function depths(cells, columns) {
  const depth = new Uint16Array(cells.length);
  const next = (i, j, isInside) => (isInside && cells[i] === cells[j] ? depth[j] : 0);
  for (let i = 0; i < cells.length; i++)
    depth[i] = 1 + Math.min(next(i, i - columns, true), next(i, i - 1, i % columns > 0));
  for (let i = cells.length - 1; i >= 0; i--) {
    const right = next(i, i + 1, (i + 1) % columns > 0);
    depth[i] = Math.min(depth[i], 1 + Math.min(next(i, i + columns, true), right));
  }
  return depth;
}

/** Where the chosen patch looks and, if it is pinned, its words: of the view that is shown. */
async function look() {
  const mine = ++glance;
  const { looks } = props;
  const isOn = patch !== null && view !== SWIPE && looks?.of === answer.of;
  const [matrix, reasons] = await Promise.all([
    isOn && numbers(looks.matrices[view]),
    isOn && isPinned && numbers(shown().reasons),
  ]).catch(() => []);
  if (mine !== glance) return;
  stage.classList.toggle("looking", Boolean(matrix));
  $(".patch").hidden = !matrix;
  why.hidden = !reasons;
  if (!matrix) return;
  const [rows, columns] = answer.grid;
  const n = rows * columns;
  heat($(".heat"), matrix.subarray(patch * n, (patch + 1) * n), columns);
  const [row, column] = [Math.floor(patch / columns), patch % columns];
  for (const [name, is] of Object.entries({ row, column, rows, columns }))
    stage.style.setProperty(`--${name}`, is);
  if (reasons) explain(reasons, n, row / rows, column / columns);
}

/** The three best words, the background and all others: whole percents that add up to 100. */
function explain(reasons, n, top, left) {
  const { classes } = answer;
  const levels = Array.from({ length: classes.length + 1 }, (_, c) => reasons[c * n + patch]);
  const total = levels.reduce((sum, level) => sum + level, 0);
  const lines = classes
    .map(({ name, colour }, c) => ({ name, colour, share: levels[c] / total }))
    .sort((a, b) => b.share - a.share);
  const others = lines.splice(3);
  lines.push({ name: "background", share: levels.at(-1) / total, isOwn: true });
  if (others.length) {
    const share = others.reduce((sum, other) => sum + other.share, 0);
    lines.push({ name: `${others.length} more`, share, isOwn: true });
  }
  const percents = wholePercents(lines.map(({ share }) => share));
  const rows = lines.flatMap(({ name, colour = "#9aa0aa", share, isOwn }, i) => {
    const bar = make("i");
    Object.assign(bar.style, { background: colour, width: `${100 * share}%` });
    return [make(isOwn ? "em" : "bdi", "", name), bar, make("b", "", `${percents[i]} %`)];
  });
  why.replaceChildren(make("strong", "", "How well words fit here"), ...rows);
  const [width, height] = [stage.clientWidth, stage.clientHeight];
  const beside = left * width + 44;
  const fits = beside + why.offsetWidth + 6 < width;
  Object.assign(why.style, {
    left: `${clamp(fits ? beside : left * width - why.offsetWidth - 14, 6, width)}px`,
    top: `${clamp(top * height - 20, 6, height - why.offsetHeight - 6)}px`,
  });
  announce(lines.map(({ name }, i) => `${name} ${percents[i]} %`).join(", "));
}

function wholePercents(shares) {
  const whole = shares.map((share) => Math.floor(100 * share));
  const lost = (i) => 100 * shares[i] - whole[i];
  const order = [...shares.keys()].sort((a, b) => lost(b) - lost(a));
  const missing = 100 - whole.reduce((sum, one) => sum + one, 0);
  for (const i of order.slice(0, missing)) whole[i] += 1;
  return whole;
}

const announce = (text) => {
  $(".live").textContent = `Patch in ${placeOf(patch, answer.grid)}: ${text}`;
};

/** Save the photo at its own size, clear but where it is this class. */
function cutOut(label, name) {
  const photo = $("img");
  const most = Math.max(photo.naturalWidth, photo.naturalHeight);
  const scale = Math.min(1, 4096 / most); // more is a blank picture on some phones
  const [width, height] = [photo.naturalWidth, photo.naturalHeight].map((n) =>
    Math.round(n * scale),
  );
  const [rows, columns] = answer.views[0].mask.shape;
  const [stencil, picture] = [make("canvas"), Object.assign(make("canvas"), { width, height })];
  const seen = masks[Math.min(view, masks.length - 1)];
  draw(stencil, columns, rows, (i) => (seen[i] === label ? abgr(0, 0, 0, 255) : 0));
  const context = picture.getContext("2d");
  context.drawImage(stencil, 0, 0, width, height);
  context.globalCompositeOperation = "source-in";
  context.drawImage(photo, 0, 0, width, height);
  picture.toBlob((blob) => {
    const href = URL.createObjectURL(blob);
    Object.assign(make("a"), { href, download: `${answer.name}-${name}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  });
}

/** Choose a patch, or null for none; a visitor's pin goes into the link. */
function choose(next, pin = isPinned) {
  if (next === patch && pin === isPinned) return;
  const pins = pin || isPinned;
  [patch, isPinned] = [next, pin];
  look();
  if (pins) trigger("select", { index: pin ? patch : -1, value: "patch" });
}

pad.onpointermove = (event) => {
  if (answer && event.pointerType === "mouse" && !isPinned)
    choose(patchUnder(event, pad, answer.grid));
};
pad.onpointerleave = () => isPinned || choose(null);
pad.onblur = () => isPinned || choose(null);
pad.onclick = (event) => {
  if (!answer) return;
  const pressed = patchUnder(event, pad, answer.grid);
  choose(pressed, !(isPinned && pressed === patch));
};
pad.onkeydown = (event) => {
  const { key } = event;
  if (!answer || !(key in ARROWS || ["Enter", " ", "Escape"].includes(key))) return;
  event.preventDefault();
  if (key === "Escape") choose(null, false);
  else if (key in ARROWS) {
    choose(patch === null ? middle(answer.grid) : patchBeside(patch, key, answer.grid));
    announce(nameAt(patch));
  } else choose(patch ?? middle(answer.grid), !isPinned);
};

/** The word in the middle of a patch. */
function nameAt(patch) {
  const [[rows, columns], [height, width]] = [answer.grid, answer.views[0].mask.shape];
  const y = Math.floor(((Math.floor(patch / columns) + 0.5) * height) / rows);
  const x = Math.floor((((patch % columns) + 0.5) * width) / columns);
  return answer.classes[labelsSeen(width)[y * width + x]]?.name ?? "background";
}

buttons.forEach((button, i) => {
  button.onclick = () => {
    view = i;
    refresh();
  };
});
$(".opacity input").oninput = () => answer && paint();
split.oninput = () => answer && paint();
new ResizeObserver(() => answer && stage.clientWidth && refresh()).observe(stage);
watch("value", update);
watch("looks", () => answer && look());
update();
