// The best words at one pixel, a column per variant.
mount(async (value) => {
  const row = make("div", "gw-columns");
  for (const variant of value.variants) {
    const table = make("table"), caption = make("caption", "gw-title", variant.title), body = make("tbody");
    const head = make("thead"), line = make("tr");
    for (const words of ["word", "score"]) { const cell = make("th", "", words); cell.scope = "col"; line.append(cell); }
    head.append(line);
    for (const entry of variant.top) {
      const tr = make("tr"), word = make("th"), score = make("td"), swatch = make("span", "gw-swatch"), bar = make("span", "gw-share"), fill = make("span");
      word.scope = "row";
      swatch.style.background = fill.style.background = entry.colour;
      fill.style.width = `${100 * entry.score}%`;
      bar.append(fill);
      const name = make("bdi", "gw-name", entry.name);
      name.title = entry.name;
      word.append(swatch, name);
      score.append(bar, make("span", "gw-percent", percent(entry.score)));
      tr.append(word, score);
      body.append(tr);
    }
    table.append(caption, head, body);
    row.append(table);
  }
  return [make("p", "gw-note", value.note), row];
});
