// The best words of a pixel under every method: the canvas that was pressed shows them.
import { make, percent } from "./dom.js";

const columnOf = ({ title, entries }) => {
  const part = make("section");
  const list = make("ol");
  for (const { name, score, colour, label } of entries) {
    const item = make("li", label ? "gw-label" : "");
    const bar = make("span", "gw-share");
    const fill = make("span", colour === null ? "gw-rest" : "");
    if (colour !== null) fill.style.background = colour;
    fill.style.width = `${100 * score}%`;
    bar.append(fill);
    item.append(make("bdi", "", name), make("span", "gw-percent", percent(score)), bar);
    list.append(item);
  }
  part.append(make("h2", "gw-title", title), list);
  return part;
};

export const columnsOf = (value) => {
  const grid = make("div", "gw-columns");
  grid.append(...value.variants.map(columnOf));
  return [make("p", "gw-title", value.title), grid, make("p", "gw-note", value.note)];
};

// The component itself shows nothing: it sends what it gets to the canvases.
export const why = ({ root, share, hear, arrived, trigger, watch }) => {
  root.hidden = true;
  const send = () => share("why", arrived());
  hear("unpinned", () => trigger("clear"));
  watch("value", send);
};
