// A photo with one or two masks on it. The values come from views.py; a word that a person typed
// only ever becomes textContent.
const [stage, pad, why, split] = [".stage", ".pad", ".why", ".split"].map($);
const buttons = $$(".views button");
const SWIPE = 2;
const NONE = 255; // the label of a pixel without a class
const EDGE = abgr(255, 255, 255, 216);
/** What is drawn: a value, and the label of every pixel of each of its masks. */
let answer = null;
let masks = [];
/** Which mask, or SWIPE and the share of the width left of the split. */
let [view, splitAt] = [1, 0.5];
/** Which label is shown alone; which patch, and whether its words are shown. */
let [isolated, patch, isPinned] = [null, null, false];
const [loadMasks, loadPatch] = [newestOnly(), newestOnly()];

function update() {
  const { value } = props;
  if (value?.views)
    loadMasks(
      value.views.map(({ mask }) => mask),
      (decoded) => show(value, decoded),
    );
}

function show(value, decoded) {
  const names = ({ classes }) => JSON.stringify(classes.map(({ name }) => name));
  const isNew = answer?.of !== value.of;
  if (isNew) [patch, isPinned] = [value.patch ?? null, Number.isInteger(value.patch)];
  if (isNew || names(answer) !== names(value)) isolated = null;
  const isSwipe = view === SWIPE && value.views.length > 1;
  if (!isSwipe && (isNew || view === SWIPE || answer.view !== value.view)) view = value.view;
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
  const { shares } = answer.views[current()];
  const parts = value.classes.map(({ name }, i) => `${name} ${percent(shares[i])}`);
  $(".live").textContent = `${value.sentence} ${parts.join(", ")}`;
  countAnswer();
}

/** After a lost connection Gradio loads the page again: its address then has the settings. */
function keepAddress(link) {
  const theme = new URLSearchParams(location.search).get("__theme");
  history.replaceState(null, "", theme ? `${link}&__theme=${theme}` : link);
}

function write(selector, text) {
  Object.assign($(selector), { textContent: text, hidden: !text });
}

/** Which mask is explained, cut out and listed; of two beside each other the second. */
const current = () => Math.min(view, answer.views.length - 1);

/** Which mask is seen in a column of pixels. */
function maskAt(x, width) {
  return view === SWIPE ? Number(x >= splitAt * width) : current();
}

/** After a change of the view, or of what is shown alone. */
function refresh() {
  const isSwipe = view === SWIPE;
  const titles = answer.views.map(({ title, score, score_name }) =>
    score === null ? title : `${title} · ${score_name} ${percent(score)}`,
  );
  buttons.forEach((button, i) => {
    if (i !== SWIPE) button.textContent = answer.views[i]?.title;
    button.hidden = answer.views.length === 1;
    button.setAttribute("aria-pressed", i === view);
  });
  $(".chip").textContent = titles[isSwipe ? 0 : current()];
  write(".chip.right", isSwipe ? titles[1] : "");
  split.hidden = !isSwipe;
  pad.hidden = isSwipe;
  const seen = isSwipe ? answer.views : [answer.views[current()]];
  for (const entry of $$(".entry")) {
    const label = Number(entry.dataset.label);
    const [swatch, , doubt, share] = entry.firstChild.children;
    const shares = seen.map(({ shares }) => (label === NONE ? shares.at(-1) : shares[label]));
    const isUnsure = seen.some(({ unsure }) => unsure[label]);
    share.textContent = shares.map(percent).join(" → ");
    doubt.hidden = !isUnsure;
    swatch.classList.toggle("unsure", isUnsure);
    entry.firstChild.setAttribute("aria-pressed", isolated === label);
    entry.lastChild.hidden = isolated !== label;
  }
  paint();
  look();
}

function fillLegend() {
  const background = { name: "background", colour: "transparent", label: NONE };
  const entries = [...answer.classes.map((named, label) => ({ ...named, label })), background];
  const key = JSON.stringify(entries.map(({ name, colour }) => [name, colour]));
  if ($(".legend").dataset.key === key) return; // keeps the focus where it is
  $(".legend").dataset.key = key;
  $(".legend").replaceChildren(...entries.map(entryOf));
}

function entryOf({ name, colour, label }) {
  const entry = make("div", label === NONE ? "entry none" : "entry");
  const button = Object.assign(make("button"), { type: "button", title: "Show it alone" });
  const swatch = make("i", "swatch");
  swatch.style.setProperty("--colour", colour);
  button.append(swatch, make("bdi", "", name), make("em", "", "not sure"), make("b"));
  button.onclick = () => {
    isolated = isolated === label ? null : label;
    refresh();
  };
  const save = Object.assign(make("button", "save", "Cut out"), { type: "button" });
  save.setAttribute("aria-label", `Save a cut-out of ${name}`);
  save.onclick = () => cutOut(label, name);
  entry.append(button, save);
  entry.dataset.label = label;
  return entry;
}

function paint() {
  const [height, width] = answer.views[0].mask.shape;
  const inks = answer.views.map(inksOf);
  const thick = Math.max(1, Math.round(width / (stage.clientWidth || width)));
  const stripe = 7 * thick;
  draw($(".mask"), width, height, (i) => {
    const x = i % width;
    const shown = maskAt(x, width);
    const labels = masks[shown];
    const label = labels[i];
    const right = x + thick < width ? labels[i + thick] : label;
    const below = labels[i + thick * width] ?? label;
    const isEdge = right !== label || below !== label;
    if (isEdge && (isolated === null || [label, right, below].includes(isolated))) return EDGE;
    const { full, striped } = inks[shown];
    return ((i - x) / width + x) % (2 * stripe) < stripe ? full[label] : striped[label];
  });
  nameClasses(width, height);
}

/** A view's colour of each label, and the one between them where the label is a weak fit. */
function inksOf({ unsure }) {
  const alpha = Math.round($(".opacity input").value * 2.55);
  const full = new Uint32Array(256);
  if (isolated !== null) {
    full.fill(abgr(12, 14, 18, Math.max(alpha, 150)));
    full[isolated] = 0;
    return { full, striped: full };
  }
  answer.classes.forEach(({ colour }, label) => {
    full[label] = ink(colour, alpha);
  });
  const striped = full.map((colour, label) =>
    unsure[label] ? ink(answer.classes[label].colour, alpha / 4) : colour,
  );
  return { full, striped };
}

function nameClasses(width, height) {
  const step = Math.ceil(Math.max(width, height) / 100);
  const [columns, rows] = [Math.floor(width / step), Math.floor(height / step)];
  const half = Math.floor(step / 2);
  const cells = Uint8Array.from({ length: rows * columns }, (_, cell) => {
    const [y, x] = [Math.floor(cell / columns) * step + half, (cell % columns) * step + half];
    const label = masks[maskAt(x, width)][y * width + x];
    return isolated === null || label === isolated ? label : NONE;
  });
  const taken = $$(".chip").map(({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) => [
    offsetLeft - 4,
    offsetTop - 4,
    offsetLeft + offsetWidth + 4,
    offsetTop + offsetHeight + 4,
  ]);
  placeLabels($(".labels"), answer.classes, cells, columns, taken);
}

/** Where the chosen patch looks and, if it is pinned, its words: of the view that is shown. */
function look() {
  const { looks } = props;
  const isOn = patch !== null && view !== SWIPE && looks?.of === answer.of;
  const packed = isOn ? [looks.matrices[current()]] : [];
  if (isOn && isPinned) packed.push(answer.views[current()].reasons);
  loadPatch(packed, ([matrix, reasons]) => {
    stage.classList.toggle("looking", isOn);
    $(".patch").hidden = !isOn;
    why.hidden = !reasons;
    if (!isOn) return;
    const [rows, columns] = answer.grid;
    const n = rows * columns;
    heat($(".heat"), matrix.subarray(patch * n, (patch + 1) * n), columns);
    const [row, column] = [Math.floor(patch / columns), patch % columns];
    for (const [name, place] of Object.entries({ row, column, rows, columns }))
      stage.style.setProperty(`--${name}`, place);
    if (reasons) explain(reasons, n, row / rows, column / columns);
  });
}

/** The best words, the background and all others: whole percents that add up to 100. */
function explain(reasons, n, top, left) {
  const { classes } = answer;
  const levels = Array.from({ length: classes.length + 1 }, (_, c) => reasons[c * n + patch]);
  const total = levels.reduce((sum, level) => sum + level, 0);
  const lines = classes
    .map(({ name, colour }, c) => ({ name, colour, share: levels[c] / total }))
    .sort((a, b) => b.share - a.share);
  const others = lines.length > 4 ? lines.splice(3) : [];
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
  placeBeside(top * stage.clientHeight, left * stage.clientWidth);
  announce(lines.map(({ name }, i) => `${name} ${percents[i]} %`).join(", "));
}

/** Put the words to the right of the patch or to its left; on a narrow picture above or below. */
function placeBeside(y, x) {
  const { clientWidth: width, clientHeight: height } = stage;
  const [right, left] = [x + 44, x - why.offsetWidth - 14];
  const lowest = height - why.offsetHeight - 6;
  const isRight = right + why.offsetWidth + 6 < width;
  const fits = isRight || left > 6;
  const top = fits ? y - 20 : y < height / 2 ? lowest : 6;
  Object.assign(why.style, {
    left: `${fits ? (isRight ? right : left) : 6}px`,
    top: `${clamp(top, 6, lowest)}px`,
  });
}

function wholePercents(shares) {
  const whole = shares.map((share) => Math.floor(100 * share));
  const lost = (i) => 100 * shares[i] - whole[i];
  const order = [...shares.keys()].sort((a, b) => lost(b) - lost(a));
  const missing = 100 - whole.reduce((sum, share) => sum + share, 0);
  for (const i of order.slice(0, missing)) whole[i] += 1;
  return whole;
}

function announce(text) {
  $(".live").textContent = `Patch in ${placeOf(patch, answer.grid)}: ${text}`;
}

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
  const labels = masks[current()];
  draw(stencil, columns, rows, (i) => (labels[i] === label ? abgr(0, 0, 0, 255) : 0));
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

/** The word in the middle of a patch. */
function nameAt(patch) {
  const [[rows, columns], [height, width]] = [answer.grid, answer.views[0].mask.shape];
  const y = Math.floor(((Math.floor(patch / columns) + 0.5) * height) / rows);
  const x = Math.floor((((patch % columns) + 0.5) * width) / columns);
  return answer.classes[masks[current()][y * width + x]]?.name ?? "background";
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

buttons.forEach((button, i) => {
  button.onclick = () => {
    view = i;
    refresh();
  };
});
$(".opacity input").oninput = () => answer && paint();
split.oninput = () => {
  splitAt = split.value / 100;
  paint();
};
new ResizeObserver(() => answer && stage.clientWidth && refresh()).observe(stage);
watch("value", update);
watch("looks", () => answer && look());
update();
