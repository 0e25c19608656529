// A card: figures with captions, a table, a plot and a sentence, with a badge at the top.
const figureOf = (f) => {
  const box = make("figure", "fig"), image = make("img", f.pixels ? "pixels" : "");
  image.src = f.src;
  image.alt = f.alt;
  image.style.aspectRatio = f.ratio;
  box.append(image, make("figcaption", "", f.caption));
  return box;
};
const tableOf = ({ headers, rows, label }) => {
  const grid = make("table"), head = make("tr"), wide = make("div", "wide"), top = make("thead"), body = make("tbody");
  for (const name of headers) {
    const cell = make("th", "", name);
    cell.scope = "col";
    head.append(cell);
  }
  for (const [name, ...cells] of rows) {
    const line = make("tr"), th = make("th"), best = Math.max(...cells.map(parseFloat).filter((x) => !isNaN(x)));
    th.scope = "row";
    th.append(make("bdi", "", name));
    line.append(th, ...cells.map((text) => make("td", parseFloat(text) === best ? "best" : "", text)));
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
mount(async (value) => {
  const head = make("header", "head"), nodes = [head];
  head.append(make("h4", "", value.title));
  if (value.badge) head.append(make("span", "badge", value.badge));
  if (value.figures.length) {
    const grid = make("div", "figs");
    grid.style.setProperty("--columns", value.columns);
    grid.append(...value.figures.map(figureOf));
    nodes.push(grid);
  }
  if (value.table) nodes.push(tableOf(value.table));
  if (value.plot) {
    const plot = make("div", "plot");
    plot.innerHTML = value.plot; // SVG of our own: numbers and titles of backbones
    nodes.push(plot);
  }
  if (value.note) nodes.push(make("p", "note", value.note));
  return nodes;
});
