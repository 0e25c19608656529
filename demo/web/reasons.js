// Why a patch has its word: the share of each word, as bars in a box beside the patch.
import { make, makeButton } from "./elements.js";
import { behindText } from "./words.js";
/** @import { Word } from "./types.js" */

/** The colour of the background's bars, and how many words have bars. */
export const GREY = "#9aa0aa";
export const MOST_WORDS = 4;

/**
 * Show the best words, the background and all others in percent, and return that as text.
 * `shares` are (classes + 1, patches), the background's last; `behind` is the background's best
 * word there, which `addWord` can add to the words; `label` is the mask’s, if its edges are refined.
 * @param {HTMLElement} box
 * @param {{ classes: Word[], shares: Uint8Array, patch: number,
 *   label: ?number, behind: string, addWord?: (word: string) => void }} reasons
 */
export function explain(box, { classes, shares, patch, label, behind, addWord }) {
  const n = shares.length / (classes.length + 1);
  const levels = [...classes, null].map((_, c) => shares[c * n + patch]);
  const total = levels.reduce((sum, level) => sum + level, 0);
  const share = levels.at(-1) / total;
  /** Lines without a colour are not of a visitor's word.
   * @type {{ name: string, share: number, colour?: string }[]} */
  const lines = classes
    .map(({ name, colour }, c) => ({ name, colour, share: levels[c] / total }))
    .sort((a, b) => b.share - a.share);
  const others = lines.length > MOST_WORDS ? lines.splice(MOST_WORDS - 1) : [];
  lines.push({ name: behindText(behind), share });
  lines.sort((a, b) => b.share - a.share);
  if (others.length) {
    const rest = others.reduce((sum, other) => sum + other.share, 0);
    lines.push({ name: `${others.length} more`, share: rest });
  }
  const percentOf = (/** @type {{ share: number }} */ { share }) => `${Math.round(100 * share)} %`;
  const rows = lines.flatMap((line) => {
    const bar = make("i");
    Object.assign(bar.style, {
      background: line.colour ?? GREY,
      width: `${100 * line.share}%`,
    });
    return [make(line.colour ? "bdi" : "em", "", line.name), bar, make("b", "", percentOf(line))];
  });
  box.replaceChildren(make("strong", "", "Scores of this patch"), ...rows);
  const seen = classes[label]?.name;
  if (seen && seen !== lines[0].name)
    box.append(make("p", "", `With refined edges, the mask says “${seen}” here.`));
  if (behind && addWord && share > 0.005)
    box.append(makeButton("pill add", `+ ${behind}`, () => addWord(behind)));
  return lines.map((line) => `${line.name} ${percentOf(line)}`).join(", ");
}
