// A card: bars and a sentence, with a badge at the top.
import { make } from "./dom.js";

// A share below 0 has its bar to the left of the zero line.
const barsOf = ({ bars, mark }) => {
  const list = make("ul", "bars");
  const low = Math.min(0, ...bars.map(({ share }) => share));
  const at = (share) => (100 * (share - low)) / (1 - low);
  const line = (track, share, className) => {
    const one = make("i", className);
    one.style.left = `${at(share)}%`;
    track.append(one);
  };
  for (const { name, share, colour, text } of bars) {
    const row = make("li");
    const track = make("span", "track");
    const fill = make("span");
    const [from, to] = [Math.min(0, share), Math.max(0, share)].map(at);
    fill.style.cssText = `left: ${from}%; width: ${to - from}%; background: ${colour}`;
    track.append(fill);
    if (low < 0) line(track, 0, "zero");
    if (mark) line(track, mark, "");
    row.append(make("span", "", name), track, make("span", "", text));
    list.append(row);
  }
  return list;
};

export const card = ({ mount }) => {
  mount(async (value) => {
    const head = make("header", "head");
    const nodes = [head];
    head.append(make("p", "gw-title", value.title));
    if (value.badge) head.append(make("span", "badge", value.badge));
    if (value.bars.length) nodes.push(barsOf(value));
    if (value.note) nodes.push(make("p", "note", value.note));
    return nodes;
  });
};
