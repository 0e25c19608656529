// The words of a mask with their shares of the photo, as buttons that show one of them alone.
import { inside, make, makeButton, setText } from "./elements.js";
import * as marks from "./marks.js";
import { NONE } from "./paint.js";
import { state } from "./state.js";
import { percent } from "./words.js";

/** @import { Mask, Word } from "./types.js" */

const LEAST_SHARE = 0.0005; // smaller shares round to 0.0 %
const MOST_ABSENT = 8; // as many words without a pixel are named

/** @param {Mask} mask @param {number} label */
const shareOf = ({ shares }, label) => (label === NONE ? shares.at(-1) : shares[label]);

/** Whether a mask has more than a speck of a label. @param {Mask} mask @param {number} label */
export const isFound = (mask, label) => shareOf(mask, label) >= LEAST_SHARE;

/** The word of a label. @param {Word[]} classes @param {number} label */
export const nameOf = (classes, label) => classes[label]?.name ?? "background";

/** @param {Word} word */
const named = ({ name, as }) => (as ? `${name} (as ${as})` : name);

/** The entries are only replaced with their words, or they would lose the focus.
 * @param {HTMLElement} box @param {Word[]} classes @param {(label: number) => void} choose */
function fill(box, classes, choose) {
  const key = JSON.stringify(classes);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const entries = classes.map((entry, label) => entryOf(entry, () => choose(label)));
  const none = entryOf({ name: "background", colour: "transparent" }, () => choose(NONE));
  none.classList.add("none");
  box.replaceChildren(...entries, none, make("p", "absent"));
}

/** @param {{ name: string, as?: string, colour: string }} word @param {() => void} onclick */
function entryOf({ name, as, colour }, onclick) {
  const button = makeButton("pill entry", "", onclick);
  button.title = "Show it alone";
  const swatch = make("i", "swatch");
  swatch.style.setProperty("--colour", colour);
  button.append(
    swatch,
    make("bdi", "", name),
    make("em", "", as ? `as ${as}` : ""),
    make("em"),
    make("b"),
  );
  return button;
}

/**
 * Draw the words and the background with their shares in the masks that are seen; known words without
 * a pixel are named in one line. A press calls `choose` with a label.
 * @param {HTMLElement} box @param {Word[]} classes @param {Mask[]} masks @param {?number} alone
 * @param {(label: number) => void} choose
 */
export function drawLegend(box, classes, masks, alone, choose) {
  const { $, $$ } = inside(box);
  fill(box, classes, choose);
  /** @type {string[]} */
  const absent = [];
  $$(".entry").forEach((entry, i) => {
    const label = i < classes.length ? i : NONE;
    const isKnown = classes[label]?.isKnown;
    const isUnsure = masks.at(-1).unsure[label]; // of the mask after a change
    const shares = masks.map((mask) => shareOf(mask, label));
    const [swatch, , , doubt, share] = entry.children;
    swatch.classList.toggle("unsure", isUnsure);
    doubt.textContent = isUnsure ? (isKnown ? "not sure" : "not known") : "";
    share.textContent = shares.map(percent).join(" → ").replace(" % →", " →");
    entry.setAttribute("aria-pressed", alone === label);
    entry.hidden = shares.every((part) => part < LEAST_SHARE) && alone !== label;
    if (entry.hidden && isKnown) absent.push(named(classes[label]));
  });
  const isStriped = classes.some(
    ({ isKnown }, label) => isKnown && masks.some(({ unsure }) => unsure[label]),
  );
  const stripes = isStriped ? "Striped words fit only weakly." : "";
  setText($(".absent"), [stripes, notFound(absent)].filter(Boolean).join(" "));
}

/** A sentence on the words without a pixel. @param {string[]} absent */
function notFound(absent) {
  const marked = marks.read(state.marks).map(({ word }) => word);
  const weak = absent.find((name) => marked.includes(name));
  if (weak)
    return `Too little is like the mark of ${weak}. Press another part of it, or draw a box.`;
  const more = absent.length > MOST_ABSENT ? ` and ${absent.length - MOST_ABSENT} more` : "";
  return absent.length ? `Not found: ${absent.slice(0, MOST_ABSENT).join(", ")}${more}` : "";
}
