// A photo with its masks. The values come from canvas.py; typed words are only ever set as
// textContent.
import { createBackdrop } from "./backdrop.js";
import { picture, save } from "./downloads.js";
import { copyOf, countAnswer, inside } from "./elements.js";
import { placeLabels } from "./labels.js";
import { drawLegend, isFound, nameOf } from "./legend.js";
import { newestOnly } from "./packed.js";
import { gridOf, NONE, paint } from "./paint.js";
import { createPanel } from "./panel.js";
import { put } from "./pixels.js";
import { made } from "./server.js";
import { bitsOf, change, isUpload, patchesKey, state } from "./state.js";
import { createSwitches } from "./switches.js";
import { createTold } from "./told.js";
/** @import { View } from "./paint.js" */
/** @import { Tools } from "./panel.js" */
/** @import { Canvas, Matrices, Offer } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Tools} [tools] on the tab Segment
 */
export function createCanvas(element, tools) {
  element.append(copyOf("#canvas-parts"));
  const { $, $$ } = inside(element);
  const stage = $(".stage");
  const pad = $(".pad");
  const split = $(".split");
  const photo = $("img");
  const backdrop = createBackdrop(element);
  const opacity = $(".opacity input");
  const plain = $(".plain");
  const rest = $(".rest input");
  const isCompare = !tools;
  /** What is drawn: a value from the server, and the label of every pixel of each mask.
   * @type {Canvas} */
  let answer = null;
  /** @type {Uint8Array[]} */
  let masks = [];
  /** What each patch attends to, or undefined until it is here.
   * @type {Matrices | undefined} */
  let attended;
  /** The state in which the answer was drawn, and what its patches depend on. */
  let drawnFor = { state, patches: "" };
  /** What a visitor has chosen here, which the state does not have. */
  const chosen = {
    mode: "", // how masks are compared: "", "swipe" or "changes"
    idea: 0, // for which idea
    side: 1, // which of two methods' masks is shown
    label: /** @type {?number} */ (null), // which is shown alone
  };
  const drawSwitches = createSwitches($(".ideas"), explainSwitch);
  const drawTold = createTold(element, offer);
  const panel = createPanel(element, () => drawMask(), tools);
  const load = newestOnly();

  // --- a new answer ------------------------------------------------------------------------------

  /**
   * Draw masks, and keep what patches attend to.
   * @param {Canvas} value @param {Matrices} [next]
   */
  function draw(value, next) {
    if (value === answer) {
      attended = next;
      backdrop.restore();
      return refresh();
    }
    const now = { state, patches: patchesKey() };
    load(
      value.masks.map(({ mask }) => mask),
      (labels) => show(value, labels, next, now),
    );
  }

  /** There is no photo: say why, and invite to choose one. @param {string} text */
  function empty(text) {
    $(".empty small").textContent = text;
    element.classList.remove("stale");
    backdrop.clear();
    load([], () => {}); // cancels what is under way
    panel.clear();
    answer = null;
  }

  /** @param {Canvas} value @param {Uint8Array[]} labels
   * @param {Matrices | undefined} next @param {typeof drawnFor} now */
  function show(value, labels, next, now) {
    const isNew = drawnFor.patches !== now.patches;
    if (isNew || namesOf(answer) !== namesOf(value)) chosen.label = null;
    if (isNew) panel.clear();
    const isOther = compares(answer) !== compares(value);
    if (isOther) Object.assign(chosen, { idea: value.idea, side: value.side ?? 1 });
    if (isCompare && isOther) chosen.mode = "swipe";
    [answer, masks, attended, drawnFor] = [value, labels, next, now];
    backdrop.settle(now.state.photo, value.masks[0].mask.shape);
    offer(".idle", {});
    refresh();
    countAnswer(element);
  }

  /** @param {?Canvas} value */
  const namesOf = (value) => value?.classes.map(({ name }) => name).join();
  /** What the masks compare: ideas, or two methods. @param {?Canvas} value */
  const compares = (value) => value?.ideas.join() || value?.masks.map(({ title }) => title).join();

  /** The index of the mask in view: bit i is the switch of idea i. */
  const current = () => (answer.ideas.length ? bitsOf(answer.ideas) : chosen.side);

  // --- texts, and the bar ------------------------------------------------------------------------

  /** A message with a button for what can be done about it.
   * @param {string} selector @param {Offer} offered */
  function offer(selector, { text = "", action = "", settings, opens } = {}) {
    const line = $(selector);
    const button = line.querySelector("button");
    line.hidden = !text;
    line.querySelector("span").textContent = text;
    Object.assign(button, { textContent: action, hidden: !action });
    button.onclick = () => {
      if (opens !== undefined) compare(opens);
      change(settings);
      $(".frame").scrollIntoView({ block: "nearest" });
    };
  }

  /** A press on a switch that changes nothing, or next to nothing, says why in a note beside it.
   * @param {string} idea @param {boolean} isIdle */
  function explainSwitch(idea, isIdle) {
    const { why } = answer.switches.find(({ name }) => name === idea);
    const note = $(".idle");
    const isOpen = !note.hidden && note.dataset.idea === idea;
    offer(".idle", isOpen && isIdle ? {} : why);
    note.dataset.idea = idea;
    const room = $(".bar").clientWidth - note.offsetWidth;
    note.scrollIntoView({ block: "nearest" });
    note.style.left = `${Math.min($(`[data-idea=${idea}]`).offsetLeft, room)}px`;
    if (isIdle) return;
    const index = answer.ideas.indexOf(idea);
    // Swipe shows both masks of its idea: a press asks for one of them.
    if (chosen.mode === "swipe" && chosen.idea === index) chosen.mode = "";
    chosen.idea = index;
  }

  /** The buttons of what is shown: one of two methods, and ways to compare. */
  const sides = $$(".views button:not([data-mode], .plain)");
  const modes = $$(".views [data-mode]");
  sides.forEach((button, side) => {
    button.onclick = () => {
      Object.assign(chosen, { side, mode: "" });
      refresh();
    };
  });
  for (const button of modes)
    button.onclick = () => {
      const { mode } = button.dataset;
      // With two methods, only the button of a method ends a mode.
      compare(chosen.mode === mode && answer.ideas.length ? "" : mode);
      refresh();
    };

  /** Every comparison begins with all words, half of each mask, and no patch, whose attention would
   * hide the masks. @param {string} mode */
  function compare(mode) {
    chosen.mode = mode;
    split.value = 50;
    if (!mode) return;
    chosen.label = null;
    panel.free();
  }

  /** The masks before and after: without and with an idea, or of two methods. */
  function pair() {
    if (!answer.ideas.length) return [0, 1];
    const bit = 1 << chosen.idea;
    return [current() & ~bit, current() | bit];
  }

  /** Redraw after a change of the state, or of what is chosen here. */
  function refresh() {
    const isSwipe = chosen.mode === "swipe";
    const [before, after] = pair();
    element.dataset.mode = chosen.mode;
    split.hidden = !isSwipe;
    pad.hidden = isSwipe;
    drawBar();
    drawTold(answer, chosen, current(), [before, after]);
    const seen = (chosen.mode ? [before, after] : [current()]).map((i) => answer.masks[i]);
    drawLegend($(".legend"), answer.classes, seen, chosen.label, showAlone);
    drawMask();
    const index = current();
    panel.draw({ answer, index, labels: masks[index], attended, mode: chosen.mode });
    drawCut();
  }

  /** A press on a word in the legend. @param {number} label */
  function showAlone(label) {
    chosen.label = chosen.label === label ? null : label;
    panel.free(); // or its attention would hide the word
    refresh();
  }

  function drawBar() {
    plain.setAttribute("aria-pressed", false);
    rest.checked = state.background;
    drawSwitches(answer.switches);
    sides.forEach((button, side) => {
      const { title } = answer.masks[side];
      Object.assign(button, { hidden: answer.ideas.length > 0, textContent: title });
      button.setAttribute("aria-pressed", !chosen.mode && chosen.side === side);
    });
    for (const button of modes)
      button.setAttribute("aria-pressed", chosen.mode === button.dataset.mode);
  }

  // --- the mask ----------------------------------------------------------------------------------

  /** What the canvas shows of both masks. @param {?number} alone
   * @returns {View} */
  function view(alone) {
    const [, width] = answer.masks[0].mask.shape;
    const [before, after] = pair();
    const whole = current() === after ? 0 : width;
    return {
      width,
      classes: answer.classes,
      masks: [before, after].map((i) => ({ labels: masks[i], unsure: answer.masks[i].unsure })),
      seam: chosen.mode === "swipe" ? Math.ceil((split.value / 100) * width) : whole,
      alone,
      isChanges: chosen.mode === "changes",
    };
  }

  /** Draw the mask, or only its outlines over what a patch attends to. */
  function drawMask(isLooking = panel.isLooking()) {
    const seen = view(isLooking ? null : chosen.label);
    const alpha = isLooking ? 0 : Math.round(opacity.value * 2.55);
    const thick = Math.max(1, Math.round(seen.width / (stage.clientWidth || seen.width)));
    put($(".mask"), seen.width, paint(seen, thick, alpha));
    const { cells, columns } = gridOf(seen);
    placeLabels($(".labels"), answer.classes, cells, columns, obstacles());
  }

  /** The boxes that no name may cover: badges, the line of Swipe, and the marks. */
  function obstacles() {
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    const badges = $$(".badge").map(({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) => [
      offsetLeft - 4,
      offsetTop - 4,
      offsetLeft + offsetWidth + 4,
      offsetTop + offsetHeight + 4,
    ]);
    const x = (split.value / 100) * width;
    const line = chosen.mode === "swipe" ? [[x - 4, 0, x + 4, height]] : [];
    const dots = panel.marked().map(({ box: [x, y] }) => {
      const [left, top] = [x * width - 13, y * height - 13];
      return [left, top, left + 26, top + 26];
    });
    return [...badges, ...line, ...dots];
  }

  // --- downloads ---------------------------------------------------------------------------------

  /** The label that is shown alone, that of the pinned patch, or the first known word with a mask,
   * if possible a sure one, and a thing; or null. */
  function labelToCut() {
    const mask = answer.masks[current()];
    const { shares, unsure } = mask;
    if (chosen.label === NONE && isFound(mask, NONE)) return NONE;
    const labels = [...answer.classes.keys()];
    const found = labels.filter((label) => answer.classes[label].isKnown && isFound(mask, label));
    const wanted = [chosen.label, panel.label()].find((label) => found.includes(label));
    const isClear = (/** @type {number} */ label) => !unsure[label] && shares[label] >= 0.02; // no speck
    const isThing = (/** @type {number} */ label) =>
      isClear(label) && answer.classes[label].strength === 1;
    return wanted ?? found.find(isThing) ?? found.find(isClear) ?? found[0] ?? null;
  }

  function drawCut() {
    const label = labelToCut();
    $(".cut").hidden = label === null;
    $(".cut bdi").textContent = nameOf(answer.classes, label);
  }

  /** @param {string} ending */
  const fileName = (ending) =>
    `${isUpload(drawnFor.state.photo) ? "photo" : drawnFor.state.photo}-${ending}.png`;

  $(".cut").onclick = () => {
    const label = labelToCut();
    const { amf, cs } = state;
    const drawn = { ...drawnFor.state, amf, cs }; // a newer state may have other labels
    save($(".cut"), async () => [
      fileName(nameOf(answer.classes, label)),
      (await made("cutout", label === NONE ? -1 : label, drawn))[1],
    ]);
  };
  $(".save").onclick = () =>
    save($(".save"), async () => {
      await photo.decode(); // it may still be loading
      drawMask(false);
      const file = picture(photo, $(".mask"), $$(".labels bdi"), stage);
      drawMask();
      return [fileName("outlined"), await file];
    });

  // --- the rest of the bar -----------------------------------------------------------------------

  rest.onchange = () => change({ background: rest.checked });
  plain.onclick = () =>
    plain.setAttribute("aria-pressed", plain.getAttribute("aria-pressed") !== "true");

  $(".full").hidden = !document.fullscreenEnabled; // iPhones have no full screen
  $(".full").onclick = () =>
    document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen();
  element.onfullscreenchange = () =>
    $(".full").setAttribute("aria-pressed", document.fullscreenElement === element);

  /** Inputs may be faster than frames. */
  let frame = 0;
  const drawSoon = () => {
    cancelAnimationFrame(frame);
    if (answer) frame = requestAnimationFrame(() => drawMask());
  };
  opacity.oninput = drawSoon;
  split.oninput = drawSoon;

  $(".empty").onclick = () => document.getElementById("choose").click();
  new ResizeObserver(() => answer && stage.clientWidth && refresh()).observe(stage);
  return { draw, empty, compare, preview: backdrop.preview, restore: backdrop.restore };
}
