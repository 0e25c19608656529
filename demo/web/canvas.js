// A photo with its masks. The values come from segment.py; typed words are only ever set as
// textContent.
import { change, FACTS, state, urlOf } from "./app.js";
import { fillSwitches, isOn, refreshSwitches } from "./ideas.js";
import { placeLabels } from "./labels.js";
import { fillLegend, LEAST_SHARE, refreshLegend, shareOf } from "./legend.js";
import { gridOf, NONE, paint } from "./paint.js";
import { explain } from "./reasons.js";
import {
  ARROWS,
  countAnswer,
  fill,
  heat,
  inside,
  isCalm,
  make,
  middle,
  newestOnly,
  patchBeside,
  patchUnder,
  percent,
  placeOf,
  put,
} from "./shared.js";
import { cutOut, picture, saveAs } from "./take.js";

export function drawCanvas(element) {
  fill(element, "#canvas-parts");
  const { $, $$ } = inside(element);
  const stage = $(".stage");
  const pad = $(".pad");
  const why = $(".why");
  const split = $(".split");
  const photo = $("img");
  const opacity = $(".opacity input");
  const isCompare = element.id === "large";
  /** What is drawn: a value from the server, and the label of every pixel of each mask. */
  /** @type {import("./types.js").Canvas} */
  let answer = null;
  /** @type {Uint8Array[]} */
  let masks = [];
  /** What each patch attends to, or undefined until it is here. */
  /** @type {import("./types.js").Looks | undefined} */
  let looks;
  /**
   * The mask; how it is compared ("", "swipe" or "changes"), and for which idea; the label that is
   * shown alone; the patch, and whether it is pinned and shows its scores.
   */
  const chosen = { mask: 0, mode: "", idea: 0, label: null, patch: null, isPinned: false };
  const loadMasks = newestOnly();
  const loadPatch = newestOnly();
  // --- a new answer ------------------------------------------------------------------------------

  /**
   * Draw masks, and keep what patches attend to.
   * @param {import("./types.js").Canvas} value
   * @param {import("./types.js").Looks} [next]
   */
  function draw(value, next) {
    looks = next;
    $(".empty").hidden = true;
    element.classList.remove("blank");
    const pinned = isCompare ? null : state.patch;
    if (value === answer) {
      if (!timer && pinned !== (chosen.isPinned ? chosen.patch : null))
        Object.assign(chosen, { patch: pinned, isPinned: pinned !== null });
      if (value.ideas.length && chosen.mask !== maskOf(value)) {
        chosen.mask = maskOf(value);
        $(".live").textContent = sentence();
      }
      return refresh();
    }
    const files = value.masks.map(({ mask }) => mask);
    loadMasks(files, (decoded) => show(value, decoded));
  }

  /** There is no photo: say why, and invite to choose one. */
  function empty(text) {
    $(".empty small").textContent = text;
    $(".empty").hidden = false;
    element.classList.add("blank");
    element.classList.remove("stale", "coming");
    loadMasks([], () => {}); // cancels what is under way
    loadPatch([], () => {});
    answer = null;
    previewed = "";
  }

  function show(value, decoded) {
    const isNew = answer?.of !== value.of;
    const { patch } = state;
    if (isNew) {
      chosen.patch = isCompare || !(patch < value.grid[0] * value.grid[1]) ? null : patch;
      chosen.isPinned = chosen.patch !== null;
    }
    const hasOtherWords = !isNew && namesOf(answer) !== namesOf(value);
    if (isNew || hasOtherWords) chosen.label = null;
    if (hasOtherWords && chosen.isPinned) choose(null, false); // or its attention hides the mask
    const isOther = kindOf(answer) !== kindOf(value);
    if (isOther) chosen.idea = value.idea;
    if (isOther && isCompare) chosen.mode = "swipe";
    if (value.ideas.length || isOther) chosen.mask = maskOf(value);
    if (answer?.methods !== value.methods) stage.classList.remove("looking"); // until new ones arrive
    if (answer?.photo !== value.photo) showPhoto(value.photo);
    answer = value;
    masks = decoded;
    previewed = "";
    element.classList.remove("coming");
    setRatio(value.masks[0].mask.shape);
    offer(".idle", value.idle);
    $(".take").hidden = false;
    fillBar();
    fillLegend($(".legend"), value.classes, (label) => {
      chosen.label = chosen.label === label ? null : label;
      free(); // or its attention would hide the word
      refresh();
    });
    refresh();
    $(".live").textContent = sentence();
    countAnswer(element);
  }

  /** A photo of the server is shown as a small preview, until the sharp one has come. */
  async function showPhoto(name) {
    const url = urlOf(name);
    const isHere = !url.startsWith("photos/");
    photo.dataset.name = name;
    if (previewed !== url) photo.src = isHere ? url : `${url}?preview`;
    if (isHere && previewed !== url) return;
    await new Promise(requestAnimationFrame); // the mask first
    const sharp = Object.assign(make("img"), { src: url });
    try {
      await sharp.decode();
    } catch {
      if (isHere && photo.dataset.name === name) photo.src = `photos/${name}`; // not for browsers
      return;
    }
    if (photo.dataset.name === name) photo.src = url;
  }

  /** Show a photo alone until its mask is there. */
  let previewed = "";
  async function preview(name, url = urlOf(name)) {
    if (previewed === url || (answer?.photo === name && photo.dataset.name === name)) return;
    previewed = url;
    const src = url.startsWith("photos/") ? `${url}?preview` : url;
    const image = Object.assign(make("img"), { src });
    try {
      await image.decode();
    } catch {
      return; // the server says why
    }
    if (previewed !== url || !stage.clientWidth) return; // answered or refused meanwhile
    $(".empty").hidden = true;
    element.classList.add("coming");
    element.classList.remove("blank");
    setRatio([image.naturalHeight, image.naturalWidth]);
    photo.dataset.name = name;
    photo.src = image.src;
  }

  /** Show what was there before a photo that was refused. */
  function restore() {
    previewed = "";
    element.classList.remove("coming");
    if (!answer) return;
    showPhoto(answer.photo);
    setRatio(answer.masks[0].mask.shape);
  }

  /** @param {number[]} size */
  const setRatio = ([height, width]) => element.style.setProperty("--ratio", width / height);

  const namesOf = (value) => JSON.stringify(value?.classes.map(({ name }) => name));

  /** What the masks compare: ideas, or two methods. */
  const kindOf = (value) =>
    JSON.stringify(value && (value.ideas.length ? value.ideas : value.masks.map((m) => m.title)));

  /** The mask for the current state of the switches. */
  const maskOf = ({ ideas, shown = 1 }) =>
    ideas.length ? ideas.reduce((mask, idea, bit) => mask | (isOn(idea) << bit), 0) : shown;

  function write(selector, text) {
    Object.assign($(selector), { textContent: text, hidden: !text });
  }

  /** A message with a button for what can be done about it.
   * @param {string} selector @param {import("./types.js").Offer} offered */
  function offer(selector, { text = "", action = "", settings, opens } = {}) {
    const line = $(selector);
    const button = line.querySelector("button");
    line.hidden = !text;
    line.querySelector("span").textContent = text;
    Object.assign(button, { textContent: action, hidden: !action });
    button.onclick = () => {
      if (opens !== undefined) compare(opens);
      change(settings);
      $(".bar").scrollIntoView({ block: "nearest" });
    };
  }

  $(".elsewhere").onclick = () => {
    compare("changes");
    change({ photo: "teddy" });
    $(".bar").scrollIntoView({ block: "nearest" });
  };

  /** Draw attention to a part. */
  const point = (part) => {
    part.scrollIntoView({ block: "center" });
    if (!isCalm) part.animate([{ background: "var(--tint)" }, {}], { duration: 2500 });
  };

  // --- the bar -----------------------------------------------------------------------------------

  function fillBar() {
    const { ideas, masks: both } = answer;
    fillSwitches($(".ideas"), answer.switches, (idea, isIdle) => {
      if (isIdle) return point($(".idle button")); // beside it stands why
      const index = answer.ideas.indexOf(idea);
      // Swipe shows both masks of its idea: a press asks for one of them.
      if (chosen.mode === "swipe" && chosen.idea === index) chosen.mode = "";
      chosen.idea = index;
    });
    const titles = ideas.length ? [] : both.map(({ title }) => title);
    const buttons = [
      ...titles.map((title, mask) =>
        viewOf(title, () => Object.assign(chosen, { mask, mode: "" })),
      ),
      viewOf("Swipe", () => toggle("swipe")),
      viewOf("Changes", () => toggle("changes")),
    ];
    if ($(".views").dataset.key !== titles.join()) $(".views").replaceChildren(...buttons);
    $(".views").dataset.key = titles.join();
  }

  /** A button that chooses what is shown. */
  function viewOf(text, choose) {
    const button = Object.assign(make("button", "", text), { type: "button" });
    button.onclick = () => {
      choose();
      refresh();
    };
    return button;
  }

  function toggle(mode) {
    // With two methods, only the button of a method ends a mode.
    compare(chosen.mode === mode && answer.ideas.length ? "" : mode);
  }

  /** Every comparison begins with all words, half of each mask, and no patch, whose attention would
   * hide the masks. */
  function compare(mode) {
    chosen.mode = mode;
    split.value = 50;
    if (!mode) return;
    chosen.label = null;
    free();
  }

  /** The masks before and after: without and with an idea, or of two methods. */
  function pair() {
    if (!answer.ideas.length) return [0, 1];
    const bit = 1 << chosen.idea;
    return [chosen.mask & ~bit, chosen.mask | bit];
  }

  const sentence = () =>
    labelToCut() === null
      ? "None of these words was found in this photo."
      : answer.sentences[chosen.idea][chosen.mask];

  /** Redraw after a change of the view, or of the label that is shown alone. */
  function refresh() {
    showMask();
    const isSwipe = chosen.mode === "swipe";
    const [before, after] = pair();
    refreshSwitches($(".ideas"));
    const pressed = answer.ideas.length ? [] : [0, 1].map((i) => !chosen.mode && chosen.mask === i);
    const states = [...pressed, isSwipe, chosen.mode === "changes"];
    $$(".views button").forEach((button, i) => {
      button.setAttribute("aria-pressed", states[i]);
    });
    stage.classList.toggle("changes", chosen.mode === "changes");
    stage.classList.toggle("swiping", isSwipe);
    $(".at-changes span").hidden = chosen.mode !== "changes" || !hasLost(pair());
    const left = chipOf(isSwipe ? before : chosen.mask);
    $(".chip.left").hidden = !left;
    $(".chip.left span").textContent = left;
    $(".chip dfn").hidden = isSwipe || !left.includes("IoU"); // the line is in its way
    write(".chip.right", isSwipe ? chipOf(after) : "");
    const isNone = labelToCut() === null;
    const { banner } = answer;
    const text = [isNone ? sentence() : "", banner.text].filter(Boolean).join(" ");
    offer(".banner", { ...banner, text }); // above the photo, so in view on any screen
    $(".sentence").hidden = isNone;
    write(".notes", answer.masks[chosen.mask].notes.join(" "));
    for (const place of $$(".sentence span, .finding")) place.textContent = sentence();
    const { ideas, photo: name } = answer;
    $(".elsewhere").hidden = ideas[chosen.idea] !== "AMF" || name === "teddy" || changed() >= 0.01;
    split.hidden = !isSwipe;
    pad.hidden = isSwipe;
    $(".legend").classList.toggle("pair", chosen.mode !== "");
    const seen = (chosen.mode ? [before, after] : [chosen.mask]).map((i) => answer.masks[i]);
    refreshLegend($(".legend"), answer.classes, seen, chosen.label);
    drawMask();
    look();
  }

  /** Whether a pixel of the mask that is shown has no class, but has one in the other mask. */
  /** @param {number[]} indices */
  function hasLost([before, after]) {
    const other = masks[chosen.mask === after ? before : after];
    return masks[chosen.mask].some((label, i) => label === NONE && other[i] !== NONE);
  }

  /** The share of the pixels that the idea changes. */
  function changed() {
    const [before, after] = pair().map((i) => masks[i]);
    return before.filter((label, i) => label !== after[i]).length / before.length;
  }

  function chipOf(mask) {
    const { title, score } = answer.masks[mask];
    const preposition = mask & (1 << chosen.idea) ? "With" : "Without";
    const name = answer.ideas.length ? `${preposition} ${answer.ideas[chosen.idea]}` : title;
    const [metric, words] = chosen.mode === "swipe" ? ["", ""] : answer.metric; // for two on a phone
    const text = score === null ? "" : [metric, percent(score), words].filter(Boolean).join(" ");
    return chosen.mode || !answer.ideas.length ? [name, text].filter(Boolean).join(" · ") : text;
  }

  // --- the mask ----------------------------------------------------------------------------------

  /** What the canvas shows of both masks; see paint.js. */
  function view() {
    const [, width] = answer.masks[0].mask.shape;
    const [before, after] = pair();
    const whole = chosen.mask === after ? 0 : width;
    return {
      width,
      classes: answer.classes,
      masks: [before, after].map((i) => ({ labels: masks[i], unsure: answer.masks[i].unsure })),
      seam: chosen.mode === "swipe" ? Math.ceil((split.value / 100) * width) : whole,
      alone: chosen.label,
      isChanges: chosen.mode === "changes",
    };
  }

  function drawMask() {
    const seen = view();
    const thick = Math.max(1, Math.round(seen.width / (stage.clientWidth || seen.width)));
    put($(".mask"), seen.width, paint(seen, thick, Math.round(opacity.value * 2.55)));
    const { cells, columns } = gridOf(seen);
    const chips = $$(".chip").map(({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) => [
      offsetLeft - 4,
      offsetTop - 4,
      offsetLeft + offsetWidth + 4,
      offsetTop + offsetHeight + 4,
    ]);
    const line = (split.value / 100) * stage.clientWidth;
    const seam = chosen.mode === "swipe" ? [[line - 4, 0, line + 4, stage.clientHeight]] : [];
    placeLabels($(".labels"), answer.classes, cells, columns, [...chips, ...seam]);
  }

  // --- a patch -----------------------------------------------------------------------------------

  /**
   * Show what the chosen patch attends to and, if it is pinned, its scores, in the mask that is
   * shown. The scores are announced if the visitor has just chosen the patch.
   */
  function look(isChosenNow = false) {
    const { mask, mode, patch, isPinned } = chosen;
    const toCut = labelToCut();
    $(".cut").hidden = toCut === null;
    $(".cut bdi").textContent = nameOf(toCut);
    const isShown = patch !== null && mode !== "swipe";
    const isKnown = isShown && looks?.methods === answer.methods; // in Compare it never is
    const { reasons, background } = answer.masks[mask];
    const files = [
      isKnown ? looks.matrices[mask] : null,
      isShown && isPinned ? reasons : null,
      isShown && isPinned ? background.best : null,
    ];
    loadPatch(files, ([matrix, shares, best]) => {
      stage.classList.toggle("looking", isKnown);
      $(".patch").hidden = !isShown;
      why.hidden = !shares;
      if (!isShown) return;
      const [rows, columns] = answer.grid;
      if (matrix) showAttention(matrix, looks.grid, patch);
      const row = Math.floor(patch / columns);
      const column = patch % columns;
      for (const [name, place] of Object.entries({ row, column, rows, columns }))
        stage.style.setProperty(`--${name}`, place);
      if (!shares) return;
      const behind = best ? background.names[best[patch]] : "";
      const canAdd = answer.switches.length > 0; // not in Compare
      const text = explain(why, { classes: answer.classes, shares, patch, behind, canAdd, free });
      // Not over the patch, nor over what is beside it.
      why.classList.toggle("at-left", column > columns / 2);
      why.classList.toggle("at-top", row > rows / 2);
      if (isChosenNow) announce(text);
    });
  }

  /** Show a row of attention, whose grid may be coarser than that of the patches. */
  function showAttention(matrix, [rows, columns], patch) {
    const n = rows * columns;
    heat($(".heat"), matrix.subarray(patch * n, (patch + 1) * n), columns);
  }

  function announce(text) {
    $(".live").textContent = `Patch in ${placeOf(chosen.patch, answer.grid)}: ${text}`;
  }

  /** Choose a patch, or null for none; all drawings share a pinned one. */
  let timer = 0;
  function choose(patch, isPinned = chosen.isPinned) {
    if (patch === chosen.patch && isPinned === chosen.isPinned) return;
    const isOfAll = isPinned || chosen.isPinned;
    Object.assign(chosen, { patch, isPinned });
    look(true);
    // In the state, but not at every step while a key is held.
    if (!isOfAll || isCompare) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      change({ patch: chosen.isPinned ? chosen.patch : null });
    }, 300);
  }

  const free = () => choose(null, false);

  /** The label at the centre of a patch. */
  function labelAt(patch) {
    const [rows, columns] = answer.grid;
    const [height, width] = answer.masks[0].mask.shape;
    const y = Math.floor(((Math.floor(patch / columns) + 0.5) * height) / rows);
    const x = Math.floor((((patch % columns) + 0.5) * width) / columns);
    return masks[chosen.mask][y * width + x];
  }

  const nameOf = (label) => answer.classes[label]?.name ?? "background";

  const isFree = () => answer && !chosen.isPinned;
  // The mask stays while the pointer only crosses it.
  let resting = 0;
  pad.onpointermove = (event) => {
    if (!isFree() || event.pointerType !== "mouse") return;
    const patch = patchUnder(event, pad, answer.grid);
    clearTimeout(resting);
    if (chosen.patch !== null) choose(patch);
    else resting = setTimeout(() => isFree() && choose(patch), 200);
  };
  pad.onpointerleave = () => {
    clearTimeout(resting);
    if (isFree()) choose(null);
  };
  pad.onclick = (event) => {
    if (!answer) return;
    clearTimeout(resting);
    const patch = patchUnder(event, pad, answer.grid);
    if (chosen.isPinned && patch === chosen.patch) free();
    else choose(patch, true);
  };
  pad.onkeydown = (event) => {
    const { key } = event;
    if (!answer || (!(key in ARROWS) && !["Enter", " ", "Escape"].includes(key))) return;
    event.preventDefault();
    const from = chosen.patch ?? middle(answer.grid);
    if (key === "Escape") free();
    else if (key in ARROWS) {
      choose(chosen.patch === null ? from : patchBeside(from, key, answer.grid));
      announce(nameOf(labelAt(chosen.patch)));
    } else choose(from, isFree());
  };

  // --- downloads ---------------------------------------------------------------------------------

  /** The label that is shown alone, that of the pinned patch, or the first word with a mask, if
   * possible a sure one; or null. */
  function labelToCut() {
    const { shares, unsure } = answer.masks[chosen.mask];
    const isFound = (label) => shareOf({ shares }, label) >= LEAST_SHARE;
    if (chosen.label !== null && isFound(chosen.label)) return chosen.label;
    const found = [...answer.classes.keys()].filter(isFound);
    const pinned = chosen.isPinned ? labelAt(chosen.patch) : null;
    if (found.includes(pinned)) return pinned;
    const isClear = (label) => !unsure[label] && shares[label] >= 0.02; // no speck
    return found.find(isClear) ?? found.find((label) => !unsure[label]) ?? found[0] ?? null;
  }

  async function take(button, paintFile, ending) {
    try {
      await photo.decode(); // it may still be loading
    } catch {
      return write(".notes", "The photo could not be loaded. Reload the page.");
    }
    const name = FACTS.photos.includes(answer.photo) ? answer.photo : "photo";
    saveAs(await paintFile(), `${name}-${ending}.png`);
    button.classList.add("saved");
    setTimeout(() => button.classList.remove("saved"), 3000);
  }

  $(".cut").onclick = () => {
    const label = labelToCut();
    const [, columns] = answer.masks[0].mask.shape;
    const labels = masks[chosen.mask];
    take($(".cut"), () => cutOut(photo, labels, columns, label), nameOf(label));
  };
  $(".save").onclick = () =>
    take($(".save"), () => picture(photo, $(".mask"), $$(".labels bdi"), stage), "outlined");

  // --- the rest of the bar -----------------------------------------------------------------------

  // The plain photo: while the button is held, or after a short press until the next one.
  const plain = $(".plain");
  let pressedAt = 0;
  plain.onpointerdown = () => {
    pressedAt = Date.now();
    plain.setAttribute("aria-pressed", stage.classList.toggle("photo-only"));
  };
  plain.onpointerup = () => {
    if (Date.now() - pressedAt > 400) showMask();
  };
  plain.onkeydown = ({ key, repeat }) => {
    if (["Enter", " "].includes(key) && !repeat) plain.onpointerdown();
  };
  function showMask() {
    stage.classList.remove("photo-only");
    plain.setAttribute("aria-pressed", false);
  }

  $(".full").hidden = !document.fullscreenEnabled; // iPhones have no full screen
  $(".full").onclick = () =>
    document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen();
  document.addEventListener("fullscreenchange", () => {
    const title = document.fullscreenElement ? "Leave full screen" : "Full screen";
    $(".full").title = title;
    $(".full").setAttribute("aria-label", title);
  });

  /** Inputs may be faster than frames. */
  let frame = 0;
  const drawSoon = () => {
    cancelAnimationFrame(frame);
    if (answer) frame = requestAnimationFrame(drawMask);
  };
  opacity.oninput = drawSoon;
  split.oninput = drawSoon;

  $(".empty").onclick = () => document.getElementById("choose").click();
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && chosen.isPinned && element.isConnected) free();
  });
  new ResizeObserver(() => answer && stage.clientWidth && refresh()).observe(stage);
  return { draw, empty, preview, restore, compare };
}
