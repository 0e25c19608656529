// The pad over a photo: pointer and keys choose a patch or, once a box is asked for, draw one.
//
//   pointing ─ aim ─► aiming ─ a corner ─► drawing ─ pointer up ─► drawn ─ its click ─► pointing
//
// A tap draws no box and leads back to aiming. Enter ends a box that keys draw, and `stop` ends
// everything: both lead to pointing.
import { ARROWS, centreOf, middle, patchAt, patchBeside, placeUnder } from "./grid.js";

const REST = 200; // milliseconds, so that the mask stays while the pointer only crosses it

const TAP = 0.02; // of the photo's sides: a smaller box is a tap, which draws none

/** @typedef {"pointing" | "aiming" | "drawing" | "drawn"} Doing */

/**
 * `on.grid` is undefined without patches; `on.patch` is the chosen one, or null; while `isHeld`,
 * the pointer chooses no other. `draw` is called with each box on the way, or with null after a
 * tap, and `end` after the last.
 * @param {HTMLElement} pad
 * @param {{ grid: () => [number, number] | undefined, patch: () => ?number, isHeld: () => boolean,
 *   hover: (patch: ?number) => void, move: (patch: number) => void,
 *   press: (patch: number) => void, draw: (box: ?number[]) => void, end: () => void }} on
 */
export function createPad(pad, on) {
  /** @type {Doing} */
  let doing = "pointing";
  /** Where the box began, in shares of the photo's sides. @type {number[]} */
  let corner = [];
  let resting = 0;

  const isDrawing = () => doing === "aiming" || doing === "drawing";

  /** @param {Doing} next */
  function become(next) {
    doing = next;
    pad.classList.toggle("drawing", isDrawing());
  }

  /** The box reaches to a place; the first one is its corner. @param {number[]} place */
  function reach([x, y]) {
    if (doing === "aiming") corner = [x, y];
    become("drawing");
    const [left, right] = [corner[0], x].sort((a, b) => a - b);
    const [top, bottom] = [corner[1], y].sort((a, b) => a - b);
    on.draw([left, top, right, bottom]);
  }

  /** @param {Doing} next */
  function finish(next) {
    become(next);
    on.end();
  }

  pad.onpointerdown = (event) => {
    if (doing === "drawn") become("pointing"); // no click has followed
    if (!isDrawing()) return;
    pad.setPointerCapture(event.pointerId);
    reach(placeUnder(event, pad));
  };
  pad.onpointermove = (event) => {
    if (doing === "drawing") return reach(placeUnder(event, pad));
    const grid = on.grid();
    if (doing === "aiming" || !grid || on.isHeld() || event.pointerType !== "mouse") return;
    const patch = patchAt(placeUnder(event, pad), grid);
    clearTimeout(resting);
    if (on.patch() !== null) on.hover(patch);
    else resting = setTimeout(() => on.hover(patch), REST);
  };
  pad.onpointerup = (event) => {
    if (doing !== "drawing") return;
    const place = placeUnder(event, pad);
    if (place.some((at, i) => Math.abs(at - corner[i]) > TAP)) return finish("drawn");
    on.draw(null);
    become("aiming");
  };
  pad.onpointerleave = () => {
    clearTimeout(resting);
    on.hover(null);
  };
  pad.onclick = (event) => {
    const grid = on.grid();
    if (doing === "drawn") return become("pointing");
    if (!grid || isDrawing()) return;
    clearTimeout(resting);
    on.press(patchAt(placeUnder(event, pad), grid));
  };
  pad.onkeydown = (event) => {
    const { key } = event;
    const grid = on.grid();
    if (!grid || (!(key in ARROWS) && !["Enter", " "].includes(key))) return;
    event.preventDefault();
    const patch = on.patch();
    const from = patch ?? middle(grid);
    if (key in ARROWS) {
      const next = patch === null ? from : patchBeside(from, key, grid);
      on.move(next);
      if (doing === "drawing") reach(centreOf(next, grid));
    } else if (doing === "aiming") reach(centreOf(from, grid));
    else if (doing === "drawing") finish("pointing");
    else on.press(from);
  };

  return {
    aim() {
      become("aiming");
      pad.focus();
    },
    stop: () => become("pointing"),
    isDrawing,
  };
}
