// A card: a table, bars and a sentence, with a badge at the top.
import { make } from "./dom.js";

const tableOf = ({ headers, rows, label }) => {
  const grid = make("table");
  const head = make("tr");
  const wide = make("div", "wide");
  const top = make("thead");
  const body = make("tbody");
  const cell = (tag, scope, node) => {
    const one = make(tag);
    one.scope = scope;
    one.append(node);
    return one;
  };
  head.append(...headers.map((name) => cell("th", "col", name)));
  for (const [name, ...cells] of rows) {
    const line = make("tr");
    const numbers = cells.map(Number.parseFloat);
    const best = Math.max(...numbers.filter((x) => !Number.isNaN(x)));
    // A best of 0 is no distinction.
    const kind = (k) => (numbers[k] === best && best > 0 ? "best" : "");
    line.append(cell("th", "row", make("bdi", "", name)));
    line.append(...cells.map((text, k) => make("td", kind(k), text)));
    body.append(line);
  }
  top.append(head);
  grid.append(top, body);
  wide.tabIndex = 0;
  wide.setAttribute("role", "region");
  wide.setAttribute("aria-label", label);
  wide.append(grid);
  return wide;
};

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
    if (value.table) nodes.push(tableOf(value.table));
    if (value.bars.length) nodes.push(barsOf(value));
    if (value.note) nodes.push(make("p", "note", value.note));
    return nodes;
  });
};
