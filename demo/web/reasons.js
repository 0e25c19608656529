// Why a patch has its word: the share of each word, as bars in a box beside the patch.
import { behindText } from "./words.js";

/** The colour of the background's bars, and how many words have bars. */
export const GREY = "#9aa0aa";
export const MOST_WORDS = 4;

import { make, makeButton } from "./elements.js";

/**
 * Show the best words, the background and all others in percent.
 * `shares` are (classes + 1, patches), the background's last; `behind` is the background's best
 * word there, which `addWord` can add to the words; `label` is the mask’s, if its edges are refined.
 * Returns the percentages as text.
 */
export function explain(box, { classes, shares, patch, label, behind, addWord }) {
  const n = shares.length / (classes.length + 1);
  const levels = Array.from({ length: classes.length + 1 }, (_, c) => shares[c * n + patch]);
  const total = levels.reduce((sum, level) => sum + level, 0);
  const lines = classes
    .map(({ name, colour }, c) => ({ name, colour, share: levels[c] / total }))
    .sort((a, b) => b.share - a.share);
  const others = lines.length > MOST_WORDS ? lines.splice(MOST_WORDS - 1) : [];
  const share = levels.at(-1) / total;
  lines.push({ name: behindText(behind), share, isOwn: true });
  lines.sort((a, b) => b.share - a.share);
  if (others.length) {
    const rest = others.reduce((sum, other) => sum + other.share, 0);
    lines.push({ name: `${others.length} more`, share: rest, isOwn: true });
  }
  const partOf = (line) => `${Math.round(100 * line.share)} %`;
  const rows = lines.flatMap((line) => {
    const bar = make("i");
    Object.assign(bar.style, {
      background: line.colour ?? GREY,
      width: `${100 * line.share}%`,
    });
    return [make(line.isOwn ? "em" : "bdi", "", line.name), bar, make("b", "", partOf(line))];
  });
  box.replaceChildren(make("strong", "", "Scores of this patch"), ...rows);
  const seen = classes[label]?.name;
  if (seen && seen !== lines[0].name)
    box.append(make("p", "", `With refined edges, the mask says “${seen}” here.`));
  if (behind && addWord && share > 0.005)
    box.append(makeButton("pill add", `+ ${behind}`, () => addWord(behind)));
  return lines.map((line) => `${line.name} ${partOf(line)}`).join(", ");
}
