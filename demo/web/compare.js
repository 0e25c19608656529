// The tab Compare: every method's mask of this photo, one of them large beside GCLIP's.
import { createCanvas } from "./canvas.js";
import { save } from "./downloads.js";
import { inside, make } from "./elements.js";
import { made } from "./server.js";
import { change, state } from "./state.js";
import { createStrip } from "./strip.js";
/** @import { Canvas, Methods } from "./types.js" */

/** @param {HTMLElement} section */
export function createCompare(section) {
  const { $ } = inside(section);
  const large = createCanvas($("#large"));
  /** Whether a method has been pressed whose masks are not here yet. */
  let isOpening = false;
  const strip = createStrip($("#masks"), ({ name }) => {
    isOpening = name !== state.enlarged;
    change({ enlarged: isOpening ? name : "" });
  });
  $("#grid").onclick = () => save($("#grid"), () => made("grid"));

  /** @param {Methods} methods @param {?Canvas} canvas */
  function draw({ text, scores, remark, items, classes, columns }, canvas) {
    $(".text").replaceChildren(text);
    if (scores) $(".text").append(make("br"), make("strong", "", scores));
    $("#large").hidden = !canvas;
    if (canvas) large.draw(canvas);
    const selected = items.findIndex(({ name }) => name === state.enlarged);
    strip({ items, columns, classes: canvas ? [] : classes, selected });
    if (canvas && isOpening) $("#large").scrollIntoView();
    isOpening = false;
    $("#table").replaceChildren(make("p", "", remark), tableOf(items, scores !== ""));
  }
  return { draw };
}

const COLUMNS = ["Method", "mIoU, %", "Attention compares", "Paper"];

/** The methods as a table; without ground truth it has no scores.
 * @param {Methods["items"]} items @param {boolean} hasScores */
function tableOf(items, hasScores) {
  const isShown = (/** @type {string} */ _, /** @type {number} */ column) =>
    hasScores || column !== 1;
  const table = make("table");
  const head = table.createTHead().insertRow();
  for (const title of COLUMNS.filter(isShown)) head.append(make("th", "", title));
  const body = table.createTBody();
  for (const { row: values, isOurs } of items) {
    const row = body.insertRow();
    row.classList.toggle("ours", isOurs);
    for (const value of values.filter(isShown)) row.insertCell().append(...linked(value));
  }
  return table;
}

/** A text in which a paper of arXiv is a link. @param {string} text */
function linked(text) {
  const [, before, number] = text.match(/^(.*)arXiv:([\d.]+)$/) ?? [];
  if (!number) return [text];
  const link = make("a", "", `arXiv:${number}`);
  Object.assign(link, {
    href: `https://arxiv.org/abs/${number}`,
    target: "_blank",
    rel: "noopener",
  });
  return [before, link];
}
