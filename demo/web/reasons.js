// Why a patch has its word: the share of each word, as bars in a box beside the patch.
import { behindText, clamp, GREY, MOST_WORDS, make } from "./shared.js";

/**
 * Show the best words, the background and all others as whole percents that add up to 100.
 * `shares` are (classes + 1, patches), the background's last; `behind` is the background's best
 * word there, which `onAdd` adds to the words. Returns the percentages as text.
 */
export function explain(box, { classes, shares, patch, behind, onAdd, free }) {
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
  const percents = wholePercents(lines.map((line) => line.share));
  const rows = lines.flatMap((line, i) => {
    const bar = make("i");
    Object.assign(bar.style, {
      background: line.colour ?? GREY,
      width: `${100 * line.share}%`,
    });
    return [make(line.isOwn ? "em" : "bdi", "", line.name), bar, make("b", "", `${percents[i]} %`)];
  });
  const close = Object.assign(make("button", "close", "×"), { type: "button", onclick: free });
  close.setAttribute("aria-label", "Release this patch");
  box.replaceChildren(make("strong", "", "Share of each word here"), close, ...rows);
  if (behind && onAdd && share > 0.005) {
    const add = Object.assign(make("button", "add", `+ ${behind}`), { type: "button" });
    add.onclick = onAdd;
    box.append(add);
  }
  return lines.map(({ name }, i) => `${name} ${percents[i]} %`).join(", ");
}

function wholePercents(shares) {
  const whole = shares.map((share) => Math.floor(100 * share));
  const lost = (i) => 100 * shares[i] - whole[i];
  const order = [...shares.keys()].sort((a, b) => lost(b) - lost(a));
  const missing = 100 - whole.reduce((sum, share) => sum + share, 0);
  for (const i of order.slice(0, missing)) whole[i] += 1;
  return whole;
}

/** Put a box beside a patch; on a narrow picture above or below it. */
export function placeBeside(box, stage, top, left) {
  const { clientWidth: width, clientHeight: height } = stage;
  const y = top * height;
  const x = left * width;
  const right = x + 44;
  const start = x - box.offsetWidth - 14;
  const lowest = height - box.offsetHeight - 6;
  const isRight = right + box.offsetWidth + 6 < width;
  const fits = isRight || start > 6;
  const beside = fits ? y - 20 : y < height / 2 ? lowest : 6;
  Object.assign(box.style, {
    left: `${fits ? (isRight ? right : start) : 6}px`,
    top: `${clamp(beside, 6, lowest)}px`,
  });
}
