// The classes of a mask with their shares; a press shows one class alone, a new mask is counted to.
import { make, percent, still } from "./dom.js";
import { CHANGED } from "./mask.js";

const REST_INDEX = -1;
export const REST = "background";
const COUNTING = 600;

// The entries of a value: index, name, colour, shares per side.
export const entriesOf = ({ classes, rest, sides, changed }) => {
  const last = sides.length - 1;
  const found = classes
    .map(({ name, colour, shares }, index) => ({ index, name, colour, shares }))
    .filter(({ shares }) => shares.some((share) => share > 0))
    .sort((a, b) => b.shares[last] - a.shares[last]);
  if (rest.some((share) => share > 0)) found.push({ index: REST_INDEX, name: REST, shares: rest });
  if (changed) found.unshift({ index: CHANGED, name: "Show only what changed", shares: [changed] });
  return found;
};

export class Legend {
  // `peek` and `press` get an index on hover and press; `counted` are the shares shown last.
  constructor(value, counted, { peek, press }) {
    this.counted = counted;
    this.list = make("ul", "gw-legend");
    this.rows = entriesOf(value).map((entry) => {
      const { index, name, colour } = entry;
      const item = make("li", index === CHANGED ? "gw-whole" : "");
      const button = make("button", "gw-entry");
      const kind = { [REST_INDEX]: " gw-rest", [CHANGED]: " gw-changed" }[index] ?? "";
      const swatch = make("span", `gw-swatch${kind}`);
      const number = make("span", "gw-percent");
      if (colour) swatch.style.background = colour;
      button.append(swatch, make("bdi", "gw-name", name), number);
      button.addEventListener("pointerenter", ({ pointerType }) => {
        if (pointerType !== "touch") peek(index);
      });
      button.addEventListener("pointerleave", () => peek());
      button.addEventListener("focus", () => button.matches(":focus-visible") && peek(index));
      button.addEventListener("blur", () => peek());
      button.addEventListener("click", () => press(index));
      item.append(button);
      this.list.append(item);
      return { ...entry, button, number };
    });
  }

  mark(index) {
    for (const row of this.rows)
      row.button.setAttribute("aria-pressed", String(row.index === index));
  }

  // Shows the shares of one side, counted from those before, or of both with an arrow between.
  show(mode) {
    const both = ([a, b]) =>
      percent(a) === percent(b) ? percent(b) : `${percent(a).replace(" %", "")} → ${percent(b)}`;
    const goals = this.rows.map(({ shares }) => (mode === "before" ? shares[0] : shares.at(-1)));
    const from = this.rows.map(({ name }, k) => this.counted.get(name) ?? goals[k]);
    const write = (t) => {
      for (const [k, { shares, number }] of this.rows.entries()) {
        const share = from[k] + (goals[k] - from[k]) * t;
        const pair = mode === "swipe" && shares.length > 1;
        number.textContent = pair ? both(shares) : percent(share);
      }
    };
    this.list.classList.toggle("gw-pairs", mode === "swipe");
    this.counted.clear();
    for (const [k, { name }] of this.rows.entries()) this.counted.set(name, goals[k]);
    const begun = performance.now();
    this.turn = begun;
    const step = (time) => {
      if (this.turn !== begun) return;
      const t = still() ? 1 : Math.min(1, Math.max(0, (time - begun) / COUNTING));
      write(t);
      if (t < 1 && this.list.isConnected) requestAnimationFrame(step);
      else write(1);
    };
    write(still() ? 1 : 0);
    requestAnimationFrame(step);
  }
}
