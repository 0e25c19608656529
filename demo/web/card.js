// A card: a title, bars and a sentence.
import { make } from "./dom.js";

// A share below 0 has its bar to the left of the zero line.
const barsOf = (bars) => {
  const list = make("ul", "bars");
  const low = Math.min(0, ...bars.map(({ share }) => share));
  const at = (share) => (100 * (share - low)) / (1 - low);
  for (const { name, share, colour, text } of bars) {
    const row = make("li");
    const track = make("span", "track");
    const fill = make("span");
    const [from, to] = [Math.min(0, share), Math.max(0, share)].map(at);
    fill.style.cssText = `left: ${from}%; width: ${to - from}%; background: ${colour}`;
    track.append(fill);
    if (low < 0) {
      const zero = make("i");
      zero.style.left = `${at(0)}%`;
      track.append(zero);
    }
    row.append(make("span", "", name), track, make("span", "", text));
    list.append(row);
  }
  return list;
};

export const card = ({ mount }) =>
  mount(async ({ title, bars, note }) => [
    make("p", "gw-title", title),
    ...(bars.length ? [barsOf(bars)] : []),
    ...(note ? [make("p", "note", note)] : []),
  ]);
