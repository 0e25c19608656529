// The words of a mask with their shares of the photo, as buttons that show one of them alone.

import { make, makeButton, setText } from "./elements.js";
import * as marks from "./marks.js";
import { NONE } from "./paint.js";
import { state } from "./state.js";
import { percent } from "./words.js";

const LEAST_SHARE = 0.0005; // smaller shares round to 0.0 %
const MOST_ABSENT = 8; // as many words without a pixel are named

const shareOf = ({ shares }, label) => (label === NONE ? shares.at(-1) : shares[label]);

/** Whether a mask has more than a speck of a label. */
export const isFound = (mask, label) => shareOf(mask, label) >= LEAST_SHARE;

/** The word of a label. */
export const nameOf = (classes, label) => classes[label]?.name ?? "background";

/** Draw an entry for each word and for the background; a press calls `choose(label)`. */
export function fillLegend(box, classes, choose) {
  const key = JSON.stringify(classes);
  if (box.dataset.key === key) return; // keeps the focus where it is
  box.dataset.key = key;
  const entries = classes.map((entry, label) => entryOf(entry, () => choose(label)));
  const background = { name: "background", colour: "transparent" };
  const none = entryOf(background, () => choose(NONE));
  none.classList.add("none");
  box.replaceChildren(...entries, none, make("p", "absent"));
}

const named = ({ name, as }) => (as ? `${name} (as ${as})` : name);

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

/** Write the shares in the masks that are seen; known words without a pixel are named in one line. */
export function refreshLegend(box, classes, masks, alone) {
  const absent = [];
  box.querySelectorAll(".entry").forEach((entry, i) => {
    const label = i < classes.length ? i : NONE;
    const [swatch, , , doubt, share] = entry.children;
    const shares = masks.map((mask) => shareOf(mask, label));
    const isUnsure = masks.at(-1).unsure[label]; // of the mask after a change
    const isKnown = classes[label]?.isKnown;
    doubt.textContent = isUnsure ? (isKnown ? "not sure" : "not known") : "";
    swatch.classList.toggle("unsure", isUnsure);
    entry.setAttribute("aria-pressed", alone === label);
    share.textContent = shares.map(percent).join(" → ").replace(" % →", " →");
    entry.hidden = shares.every((part) => part < LEAST_SHARE) && alone !== label;
    if (entry.hidden && isKnown) absent.push(named(classes[label]));
  });
  const more = absent.length > MOST_ABSENT ? ` and ${absent.length - MOST_ABSENT} more` : "";
  const text = `Not found: ${absent.slice(0, MOST_ABSENT).join(", ")}${more}`;
  const pressed = marks.read(state.marks).map(({ word }) => word);
  const weak = absent.find((name) => pressed.includes(name));
  const advice = `Too little is like the mark of ${weak}. Press another part of it, or draw a box.`;
  const isStriped = classes.some(
    ({ isKnown }, label) => isKnown && masks.some(({ unsure }) => unsure[label]),
  );
  const stripes = isStriped ? "Striped words fit only weakly." : "";
  const lines = [stripes, weak ? advice : absent.length ? text : ""].filter(Boolean);
  setText(box.querySelector(".absent"), lines.join(" "));
}
