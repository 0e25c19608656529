// A photo with one or two masks on it. The values come from views.py; a word that a person typed
// only ever becomes textContent.
const [stage, pad, why, split] = [".stage", ".pad", ".why", ".split"].map($);
const buttons = $$(".views button");
const SWIPE = 2;
const NONE = 255; // the label of a pixel without a class
const EDGE = abgr(255, 255, 255, 216);
/** What is drawn: a value of the server, and the label of every pixel of each of its masks. */
let [answer, masks] = [null, []];
/** A mask or SWIPE; the label that is alone; the patch, and whether it stays and has its words. */
const chosen = { view: 1, label: null, patch: null, isPinned: false };
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
  if (isNew) {
    chosen.patch = patchOf(value);
    chosen.isPinned = chosen.patch !== null;
  }
  if (isNew || names(answer) !== names(value)) chosen.label = null;
  const title = ({ views, view }) => views[view].title;
  const isOther = isNew || title(answer) !== title(value);
  if (isOther && chosen.view !== SWIPE) chosen.view = value.view;
  if (answer?.looks !== value.looks) stage.classList.remove("looking"); // until the new ones come
  [answer, masks] = [value, decoded];
  const [height, width] = value.views[0].mask.shape;
  stage.style.setProperty("--ratio", width / height);
  if (isNew) $("img").src = value.photo.url;
  write(".banner", value.banner);
  write(".sentence", value.sentence);
  write(".notes", value.notes.join(" "));
  fillLegend();
  refresh();
  const { shares } = answer.views[current()];
  const parts = value.classes.map(({ name }, i) => `${name} ${percent(shares[i])}`);
  $(".live").textContent = `${value.sentence} ${parts.join(", ")}`;
  countAnswer();
}

function write(selector, text) {
  Object.assign($(selector), { textContent: text, hidden: !text });
}

/** Which mask is explained, cut out and listed; of two beside each other the second. */
const current = () => Math.min(chosen.view, 1);

/** The first column of pixels in which the second mask is seen. */
function firstOfSecond(width) {
  if (chosen.view === SWIPE) return Math.ceil((split.value / 100) * width);
  return chosen.view === 1 ? 0 : width;
}

/** After a change of the view, or of what is shown alone. */
function refresh() {
  const isSwipe = chosen.view === SWIPE;
  const titles = answer.views.map(({ title, score }) =>
    score === null ? title : `${title} · mIoU ${percent(score)}`,
  );
  buttons.forEach((button, i) => {
    if (i !== SWIPE) button.textContent = answer.views[i].title;
    button.setAttribute("aria-pressed", i === chosen.view);
  });
  $(".chip").textContent = titles[isSwipe ? 0 : current()];
  write(".chip.right", isSwipe ? titles[1] : "");
  split.hidden = !isSwipe;
  pad.hidden = isSwipe;
  $(".hint").hidden = isSwipe;
  const seen = isSwipe ? answer.views : [answer.views[current()]];
  for (const entry of $$(".entry")) {
    const label = Number(entry.dataset.label);
    const [swatch, , doubt, share] = entry.firstChild.children;
    const shares = seen.map(({ shares }) => (label === NONE ? shares.at(-1) : shares[label]));
    const isUnsure = seen.some(({ unsure }) => unsure[label]);
    share.textContent = shares.map(percent).join(" → ");
    doubt.hidden = !isUnsure;
    swatch.classList.toggle("unsure", isUnsure);
    entry.firstChild.setAttribute("aria-pressed", chosen.label === label);
    entry.lastChild.hidden = chosen.label !== label || shares.every((part) => part < 0.0005);
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
    chosen.label = chosen.label === label ? null : label;
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
  const [stripe, second] = [7 * thick, firstOfSecond(width)];
  const pixels = new Uint32Array(width * height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const labels = masks[x < second ? 0 : 1];
      const label = labels[i];
      const right = x + thick < width ? labels[i + thick] : label;
      const below = y + thick < height ? labels[i + thick * width] : label;
      if ((right !== label || below !== label) && hasEdge(label, right, below)) pixels[i] = EDGE;
      else {
        const { full, striped } = inks[x < second ? 0 : 1];
        pixels[i] = (x + y) % (2 * stripe) < stripe ? full[label] : striped[label];
      }
    }
  put($(".mask"), width, pixels);
  nameClasses(width, height, second);
}

/** Edges are drawn between all words, or around the one that is alone. */
function hasEdge(...labels) {
  return chosen.label === null || labels.includes(chosen.label);
}

/** A view's colour of each label, and the one between them where the label is a weak fit. */
function inksOf({ unsure }) {
  const alpha = Math.round($(".opacity input").value * 2.55);
  const full = new Uint32Array(256);
  if (chosen.label !== null) {
    full.fill(abgr(12, 14, 18, Math.max(alpha, 150)));
    full[chosen.label] = 0;
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

function nameClasses(width, height, second) {
  const step = Math.ceil(Math.max(width, height) / 100);
  const [columns, rows] = [Math.floor(width / step), Math.floor(height / step)];
  const half = Math.floor(step / 2);
  const cells = Uint8Array.from({ length: rows * columns }, (_, cell) => {
    const [y, x] = [Math.floor(cell / columns) * step + half, (cell % columns) * step + half];
    const label = masks[x < second ? 0 : 1][y * width + x];
    return chosen.label === null || label === chosen.label ? label : NONE;
  });
  const taken = $$(".chip").map(({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) => [
    offsetLeft - 4,
    offsetTop - 4,
    offsetLeft + offsetWidth + 4,
    offsetTop + offsetHeight + 4,
  ]);
  placeLabels($(".labels"), answer.classes, cells, columns, taken);
}

/**
 * Where the chosen patch looks and, if it is pinned, its words: of the view that is shown. They are
 * announced if the visitor chose the patch just now.
 */
function look(isNew = false) {
  const { looks } = props;
  const { view, patch, isPinned } = chosen;
  const isOn = patch !== null && view !== SWIPE;
  const isKnown = isOn && looks?.of === answer.looks; // in Compare it never is
  const packed = [
    isKnown ? looks.matrices[current()] : null,
    isOn && isPinned ? answer.views[current()].reasons : null,
  ];
  loadPatch(packed, ([matrix, reasons]) => {
    stage.classList.toggle("looking", isKnown);
    $(".patch").hidden = !isOn;
    why.hidden = !reasons;
    if (!isOn) return;
    const [rows, columns] = answer.grid;
    const n = rows * columns;
    if (matrix) heat($(".heat"), matrix.subarray(patch * n, (patch + 1) * n), columns);
    const [row, column] = [Math.floor(patch / columns), patch % columns];
    for (const [name, place] of Object.entries({ row, column, rows, columns }))
      stage.style.setProperty(`--${name}`, place);
    const text = reasons && explain(reasons, patch, row / rows, column / columns);
    if (text && isNew) announce(text);
  });
}

/** Show the best words, the background and all others: whole percents that add up to 100. Returns them. */
function explain(reasons, patch, top, left) {
  const { classes } = answer;
  const n = reasons.length / (classes.length + 1);
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
  const close = Object.assign(make("button", "", "×"), { type: "button", onclick: free });
  close.setAttribute("aria-label", "Free this patch");
  why.replaceChildren(make("strong", "", "Share of each word here"), close, ...rows);
  placeBeside(top * stage.clientHeight, left * stage.clientWidth);
  return lines.map(({ name }, i) => `${name} ${percents[i]} %`).join(", ");
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
  $(".live").textContent = `Patch in ${placeOf(chosen.patch, answer.grid)}: ${text}`;
}

/** Save the photo as it is shown, clear but where it is this class. */
async function cutOut(label, name) {
  const [photo, { name: file, views }, labels] = [$("img"), answer, masks[current()]];
  try {
    await photo.decode(); // it may still be on its way
  } catch {
    return write(".notes", "The photo could not be loaded: load the page again.");
  }
  const most = Math.max(photo.naturalWidth, photo.naturalHeight);
  const scale = Math.min(1, 4096 / most); // more is a blank picture on some phones
  const [width, height] = [photo.naturalWidth, photo.naturalHeight].map((n) =>
    Math.round(n * scale),
  );
  const [rows, columns] = views[0].mask.shape;
  const [stencil, picture] = [make("canvas"), Object.assign(make("canvas"), { width, height })];
  draw(stencil, columns, rows, (i) => (labels[i] === label ? abgr(0, 0, 0, 255) : 0));
  const context = picture.getContext("2d");
  context.drawImage(stencil, 0, 0, width, height);
  context.globalCompositeOperation = "source-in";
  context.drawImage(photo, 0, 0, width, height);
  picture.toBlob((blob) => {
    const href = URL.createObjectURL(blob);
    Object.assign(make("a"), { href, download: `${file}-${name}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  });
}

/** Choose a patch, or null for none; a pinned one is that of all drawings. */
function choose(patch, isPinned = chosen.isPinned) {
  if (patch === chosen.patch && isPinned === chosen.isPinned) return;
  const isOfAll = isPinned || chosen.isPinned;
  Object.assign(chosen, { patch, isPinned });
  look(true);
  if (isOfAll) pin(answer.of, isPinned ? patch : null);
}
watchPin(({ of, patch }) => {
  if (of !== answer?.of || patch === (chosen.isPinned ? chosen.patch : null)) return;
  Object.assign(chosen, { patch, isPinned: patch !== null });
  look();
});

const free = () => choose(null, false);

/** The word in the middle of a patch. */
function nameAt(patch) {
  const [[rows, columns], [height, width]] = [answer.grid, answer.views[0].mask.shape];
  const y = Math.floor(((Math.floor(patch / columns) + 0.5) * height) / rows);
  const x = Math.floor((((patch % columns) + 0.5) * width) / columns);
  return answer.classes[masks[current()][y * width + x]]?.name ?? "background";
}

const isFree = () => answer && !chosen.isPinned;
pad.onpointermove = (event) => {
  if (isFree() && event.pointerType === "mouse") choose(patchUnder(event, pad, answer.grid));
};
pad.onpointerleave = () => isFree() && choose(null);
pad.onblur = () => isFree() && choose(null);
pad.onclick = (event) => {
  if (!answer) return;
  const pressed = patchUnder(event, pad, answer.grid);
  choose(pressed, isFree() || pressed !== chosen.patch);
};
pad.onkeydown = (event) => {
  const { key } = event;
  if (!answer || !(key in ARROWS || ["Enter", " ", "Escape"].includes(key))) return;
  event.preventDefault();
  const from = chosen.patch ?? middle(answer.grid);
  if (key === "Escape") free();
  else if (key in ARROWS) {
    choose(chosen.patch === null ? from : patchBeside(from, key, answer.grid));
    announce(nameAt(chosen.patch));
  } else choose(from, isFree());
};

buttons.forEach((button, i) => {
  button.onclick = () => {
    chosen.view = i;
    refresh();
  };
});
/** Inputs come faster than frames. */
let frame = 0;
const paintSoon = () => {
  cancelAnimationFrame(frame);
  if (answer) frame = requestAnimationFrame(paint);
};
$(".opacity input").oninput = paintSoon;
split.oninput = paintSoon;
new ResizeObserver(() => answer && stage.clientWidth && refresh()).observe(stage);
watch("value", update);
watch("looks", () => answer && look());
update();
