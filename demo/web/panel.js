// A patch or a box of the photo: what the patch attends to and, once it is pressed, its scores and the
// question what is there, whose answers are marks.
import { inside, setProperties } from "./elements.js";
import { cellOf, centreOf, patchAt, placeOf } from "./grid.js";
import { nameOf } from "./legend.js";
import * as marks from "./marks.js";
import { newestOnly } from "./packed.js";
import { createPad } from "./pad.js";
import { putValues } from "./pixels.js";
import { explain } from "./reasons.js";
import { change, FACTS, pinnedIn, state } from "./state.js";
/** @import { Canvas, Matrices } from "./types.js" */

/**
 * What a canvas shows: an answer, which of its masks, the labels of its pixels, what patches attend
 * to, once that is here, and how masks are compared.
 * @typedef {{ answer: Canvas, index: number, labels: Uint8Array,
 *   attended?: Matrices, mode: string }} View
 *
 * What can be done with a word of a patch, on the tab Segment.
 * @typedef {{ addWord: (word: string) => void, keepExemplar: (word: string) => void }} Tools
 */

/**
 * `redraw` is called when the mask becomes outlines over what a patch attends to, or a mask again;
 * `tools` are those of the canvas.
 * @param {HTMLElement} element
 * @param {() => void} redraw
 * @param {Tools} [tools]
 */
export function createPanel(element, redraw, tools) {
  const { $, $$ } = inside(element);
  const stage = $(".stage");
  const pad = $(".pad");
  const why = $(".why");
  const rectangle = $(".rectangle");
  const glow = $(".glow");
  /** @type {?View} */
  let view = null;
  /** The patch under the pointer. @type {?number} */
  let hovered = null;
  /** The box that is drawn, or opened. @type {?number[]} */
  let box = null;
  /** Whether it is seen what a patch attends to. */
  let isLooking = false;
  /** The place that the panel is about; "" while it is closed. */
  let about = "";
  /** What the question that is shown depends on; "" if there is none. */
  let asked = "";
  const load = newestOnly();

  const pinned = () => pinnedIn(view.answer.grid);
  const patchNow = () => pinned() ?? hovered;
  /** Whether a pinned patch, too, shows what it attends to, which hides the colours of the mask. */
  const isGlowing = () => glow.getAttribute("aria-pressed") === "true";
  const marked = () => (tools ? marks.read(state.marks) : []);
  /** A typed word that the model does not know and nothing shows: a press shows it. */
  const awaited = () => {
    const known = new Set(marked().map(({ word }) => word));
    const { classes } = view.answer;
    const isServed = tools && FACTS.takesInput;
    return isServed && classes.find(({ name, isKnown }) => !isKnown && !known.has(name))?.name;
  };
  /** @param {?number} patch */
  const pin = (patch) => change({ patch });

  /** @param {View} next */
  function draw(next) {
    view = next;
    drawMarks();
    look();
  }

  /** Other patches, or none, take the place of these. */
  function clear() {
    view = hovered = box = null;
    pointer.stop();
    load([], () => {}); // cancels what is under way
  }

  function free() {
    if (why.contains(document.activeElement)) pad.focus();
    hovered = box = null;
    $(".idle").hidden = true;
    glow.setAttribute("aria-pressed", false);
    pointer.stop();
    if (state.patch !== null) pin(null);
    else if (view) look();
  }
  document.addEventListener("keydown", ({ key }) => key === "Escape" && view && free());

  // --- a patch -----------------------------------------------------------------------------------

  /** Show what the chosen patch attends to and, if it is pinned, its scores. */
  function look() {
    const { answer, index, attended, mode } = view;
    const { reasons, background } = answer.masks[index];
    const patch = patchNow();
    const isShown = patch !== null && mode !== "swipe";
    const isScored = isShown && pinned() !== null;
    const isKnown = isShown && attended !== undefined; // in Compare it never is
    const isSeen = isKnown && (!isScored || isGlowing());
    const scores = isScored ? [reasons, background.best] : [];
    rectangle.hidden = !box;
    load([isKnown && attended.matrices[index], ...scores], ([matrix, shares, best]) => {
      if (isLooking !== isSeen) {
        isLooking = isSeen;
        stage.classList.toggle("looking", isLooking);
        redraw();
      }
      drawHint();
      glow.hidden = !isKnown;
      $(".patch").hidden = !isShown;
      if (isShown) {
        const [rows, columns] = answer.grid;
        const [row, column] = cellOf(patch, answer.grid);
        setProperties(stage, { rows, columns, row, column });
      }
      if (matrix) {
        const [rows, columns] = attended.grid; // may be coarser than the patches
        const n = rows * columns;
        putValues($(".heat"), columns, matrix.subarray(patch * n, (patch + 1) * n));
      }
      drawWhy(patch, shares, best && background.names[best[patch]]);
    });
  }

  function drawHint() {
    const name = awaited();
    const editing = name ? "name" : marked().length ? "marks" : "";
    const calm = view.mode || (tools ? editing : "compare");
    $(".awaited").textContent = name || "";
    const drawn = pointer.isDrawing() ? "draw" : box ? "box" : calm;
    for (const hint of $$(".hint [data-at]"))
      hint.hidden = hint.dataset.at !== (isLooking ? "look" : drawn);
    $(".outline").hidden = !tools || view.mode !== "" || pointer.isDrawing();
  }

  /** The question what is there and, of a patch, its scores.
   * @param {?number} patch @param {Uint8Array | undefined} shares */
  function drawWhy(patch, shares, behind = "") {
    const isAsked = tools && (pinned() !== null || (box !== null && !pointer.isDrawing()));
    why.hidden = !shares && !isAsked;
    const place = why.hidden ? "" : `${box ?? patch}`;
    const isNew = place !== about;
    about = place;
    drawQuestion(isAsked ? `${place} ${state.marks} ${JSON.stringify(view.answer.classes)}` : "");
    if (why.hidden) return;
    const label = shares && state.refine !== "none" ? labelAt(patch) : null;
    const { classes } = view.answer;
    const addWord = tools?.addWord;
    if (!shares) $(".scores").replaceChildren();
    const text =
      shares && explain($(".scores"), { classes, shares, patch, label, behind, addWord });
    if (isNew && isAsked && pad.matches(":focus")) why.scrollIntoView({ block: "nearest" });
    if (isNew && shares) announce(text);
  }

  /** A question stays as it is while nothing has changed: somebody may be typing the answer.
   * @param {string} next */
  function drawQuestion(next) {
    if (next === asked) return;
    asked = next;
    $(".question").replaceChildren(...(next ? [question()] : []));
  }

  /** @param {string} text */
  function announce(text) {
    $(".live").textContent = `Patch in ${placeOf(patchNow(), view.answer.grid)}: ${text}`;
  }

  /** @param {?number} patch */
  function hover(patch) {
    if (!view || patch === hovered) return;
    hovered = patch;
    look();
  }

  /** The label at the centre of a patch. @param {number} patch */
  function labelAt(patch) {
    const { grid, masks } = view.answer;
    const [height, width] = masks[0].mask.shape;
    const [x, y] = centreOf(patch, grid);
    return view.labels[Math.floor(y * height) * width + Math.floor(x * width)];
  }

  const pointer = createPad(pad, {
    grid: () => view?.answer.grid,
    patch: patchNow,
    isHeld: () => pinned() !== null || box !== null,
    hover,
    move(patch) {
      if (pinned() === null) hover(patch);
      else pin(patch);
      announce(nameOf(view.answer.classes, labelAt(patch)));
    },
    press(patch) {
      const word = view.mode ? "" : awaited();
      if (word) setMarks([...marked(), { box: centreOf(patch, view.answer.grid), word }]);
      else if (patch === pinned()) free();
      else pin(patch);
    },
    draw(next) {
      box = next;
      rectangle.hidden = !box;
      if (box) marks.putAt(rectangle, box);
    },
    end: look,
  });

  // --- marks -------------------------------------------------------------------------------------

  /** @param {marks.Mark[]} all */
  function setMarks(all) {
    if (why.contains(document.activeElement)) pad.focus();
    hovered = box = null;
    change({ marks: marks.write(all), patch: null });
  }
  $(".undo").onclick = () => setMarks(marked().slice(0, -1));

  function drawMarks() {
    const { classes } = view.answer;
    const colourOf = (/** @type {string} */ word) =>
      classes.find(({ name }) => name === word)?.colour ?? "white";
    marks.drawMarks($(".marks"), marked(), colourOf, setMarks, ({ box: place }) => {
      box = place.length > 2 ? place : null;
      pin(box ? null : patchAt(place, view.answer.grid));
    });
    $(".undo").hidden = !marked().length;
  }

  /** The question what is in the box, or at the pinned patch; an older mark there is replaced. */
  function question() {
    const { classes, grid } = view.answer;
    const place = box ?? centreOf(pinned(), grid);
    /** A box by its corners, a point by its patch. @param {number[]} at */
    const keyOf = (at) => (at.length > 2 ? at.join() : patchAt(at, grid));
    const isThere = (/** @type {marks.Mark} */ mark) => keyOf(mark.box) === keyOf(place);
    const others = marked().filter((mark) => !isThere(mark));
    const there = marked().find(isThere);
    const named = new Set(others.map(({ word }) => word));
    /** @param {Canvas["classes"][number]} word */
    const rank = ({ name, isKnown }) => (named.has(name) ? 2 : Number(isKnown));
    return marks.ask(
      classes.toSorted((a, b) => rank(b) - rank(a)).map(({ name }) => name),
      box ? undefined : classes[labelAt(pinned())]?.name,
      (word) => setMarks([...others, { box: place, word }]),
      there && {
        word: there.word,
        remove: () => setMarks(others),
        keep: () => {
          tools.keepExemplar(there.word);
          free();
        },
      },
    );
  }

  // A box is drawn after its button is pressed, so that no other drag or scrolling is one.
  $(".outline").onclick = () => {
    free();
    pointer.aim();
    look();
  };
  $(".cancel").onclick = free;
  $(".close").onclick = free;
  glow.onclick = () => {
    glow.setAttribute("aria-pressed", !isGlowing());
    look();
  };

  /** The label of the pinned patch, or null. */
  const label = () => (pinned() === null ? null : labelAt(pinned()));
  return { draw, clear, free, marked, label, isLooking: () => isLooking };
}
