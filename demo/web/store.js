// What the widgets of the page share, beside the patch that is pointed at (`pointing.js`). Each is
// a signal: a component that reads one follows it.
import { signal } from "@preact/signals";
import { REST_INDEX } from "./rest.js";

/** A word shown alone, or what no word has. @typedef {{ name: string } | "rest"} Isolated */

/** @type {import("@preact/signals").Signal<Isolated | null>} */
export const isolated = signal(null);

/** Of all masks over photos, 0 to 1; the machine's diagram has its own. */
export const opacity = signal(0.6);

/**
 * A channel that was pressed in the machine.
 * @type {import("@preact/signals").Signal<{ index: number, block: number } | null>}
 */
export const channel = signal(null);

/**
 * The best words at the pixel that was asked for.
 * @type {import("@preact/signals").Signal<import("../widgets/values").WhyValue | null>}
 */
export const reasons = signal(null);

/** Whether the page, not only its lesson, has a planted fault. */
export const planted = signal(false);

/**
 * Which of a mask's words is shown alone, null for none of them; -1 is what no word has.
 * @param {{ index: number, name: string }[]} words
 */
export const isolatedIn = (words) => {
  const word = isolated.value;
  if (word === null) return null;
  const isIt = (/** @type {{ index: number, name: string }} */ { index, name }) =>
    word === "rest" ? index === REST_INDEX : index >= 0 && name === word.name;
  return words.find(isIt)?.index ?? null;
};

/** @param {{ index: number, name: string }} word */
export const isolate = ({ index, name }) => {
  isolated.value = index === REST_INDEX ? "rest" : { name };
};

let given = Number.NaN;

/**
 * The opacity that an answer has; of an answer to an earlier one, the visitor's own stays.
 * @param {number} value
 */
export const giveOpacity = (value) => {
  if (value === given) return;
  given = value;
  opacity.value = value;
};
