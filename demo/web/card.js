// A card: a table, bars and a sentence, with a badge at the top.
import { make } from "./dom.js";

export const card = ({ share, mount }) => {
  const tableOf = ({ headers, rows, label }) => {
    const grid = make("table"),
      head = make("tr"),
      wide = make("div", "wide"),
      top = make("thead"),
      body = make("tbody");
    for (const name of headers) {
      const cell = make("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    for (const [name, ...cells] of rows) {
      const line = make("tr"),
        th = make("th"),
        best = Math.max(...cells.map(parseFloat).filter((x) => !isNaN(x)));
      th.scope = "row";
      th.append(make("bdi", "", name));
      line.append(
        th,
        ...cells.map((text) => make("td", parseFloat(text) === best ? "best" : "", text)),
      );
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
  const barsOf = ({ bars, mark }) => {
    const list = make("ul", "bars");
    for (const { name, share, colour, text } of bars) {
      const row = make("li"),
        track = make("span", "track"),
        fill = make("span");
      fill.style.cssText = `width: ${100 * share}%; background: ${colour}`;
      track.append(fill);
      if (mark) {
        const line = make("i");
        line.style.left = `${100 * mark}%`;
        track.append(line);
      }
      row.append(make("span", "", name), track, make("span", "", text));
      list.append(row);
    }
    return list;
  };
  mount(async (value) => {
    const head = make("header", "head"),
      nodes = [head];
    head.append(make("p", "gw-title", value.title));
    if (value.badge) head.append(make("span", "badge", value.badge));
    if (value.table) nodes.push(tableOf(value.table));
    if (value.bars.length) nodes.push(barsOf(value));
    if (value.note) nodes.push(make("p", "note", value.note));
    return nodes;
  });
};
