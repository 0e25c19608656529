// The methods on one picture as a table: what each changes, its mask, scores and time. A press on a
// heading sorts, a press on a row opens its mask.
import { labelsOf, photo } from "./blobs.js";
import { hex, pack, pixels } from "./colours.js";
import { button, make } from "./dom.js";

const thumb = async (value, mask, image) => {
  const [height, width] = value.shape;
  const labels = await labelsOf(mask);
  const inks = value.colours.map((colour) => pack(...hex(colour)));
  const veil = make("canvas");
  pixels(veil, width, height, (i) => (labels[i] < 0 ? 0 : inks[labels[i]]));
  const canvas = Object.assign(make("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, width, height);
  context.globalAlpha = value.opacity;
  context.drawImage(veil, 0, 0);
  return canvas;
};

export const methods = ({ mount, simulation, trigger }) => {
  let sorted = { key: "year", down: false };

  const columnsOf = (value) => [
    { key: "year", title: "Year", of: (row) => row.order },
    { key: "title", title: "Method", of: (row) => row.title.toLowerCase() },
    { title: "Mask", mask: true },
    ...value.headers.map((title, i) => ({
      ...{ key: `score ${title}`, title, score: i, down: true },
      of: (row) => row.scores?.[i].value ?? -1,
    })),
    ...value.parts
      .map((part, i) => ({ title: part, part: i }))
      .filter(({ part }) => value.rows.some((row) => row.marks?.[part])),
    { key: "time", title: "ms", of: (row) => row.milliseconds ?? Infinity },
  ];

  const cellOf = (column, row, canvas) => {
    if (column.key === "title") {
      const cell = make("th");
      const pick = () => {
        trigger("select", { index: row.name, value: row.name });
        document.querySelector("#pair-canvas").scrollIntoView({ block: "nearest" });
      };
      const open = button(row.title, pick, "open");
      open.title = row.citation ?? "";
      cell.scope = "row";
      cell.append(open);
      if (row.summary) cell.append(make("p", "summary", row.summary));
      return cell;
    }
    const cell = make("td");
    cell.dataset.column = column.key ?? column.title;
    if (column.mask && row.refused) cell.append(make("p", "", row.refused));
    else if (column.mask) cell.append(canvas);
    else if (column.key === "year") cell.textContent = row.year || "";
    else if (column.part !== undefined && row.marks?.[column.part]) {
      const dot = make("span", "dot", "●");
      dot.title = row.marks[column.part];
      dot.setAttribute("aria-hidden", "true");
      cell.append(dot, make("span", "gw-hidden", row.marks[column.part]));
    } else if (column.score !== undefined && row.scores) {
      const { text, best } = row.scores[column.score];
      cell.textContent = text;
      cell.classList.toggle("best", best);
    } else if (column.key === "time" && row.milliseconds !== undefined)
      cell.textContent = Math.round(row.milliseconds);
    return cell;
  };

  mount(async (value) => {
    const image = await photo(value.picture);
    const shown = [...value.rows, ...(value.truth ? [value.truth] : [])];
    const canvases = new Map();
    for (const { name, mask } of shown) {
      if (mask) canvases.set(name, await thumb(value, mask, image));
    }
    const columns = columnsOf(value);
    const box = make("div", "wide");
    const table = make("table");
    const head = make("thead");
    const body = make("tbody");
    table.append(make("caption", "gw-hidden", "Methods on this picture"), head, body);
    box.append(table);
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Methods on this picture");

    const heads = () => {
      const line = make("tr");
      for (const { key, title, part, down = false } of columns) {
        const cell = make("th", part === undefined ? "" : "part");
        cell.scope = "col";
        const text = make("bdi", "", title);
        if (key) {
          const sort = button("", () => {
            sorted = { key, down: sorted.key === key ? !sorted.down : down };
            show();
          });
          sort.className = "sort";
          sort.append(text);
          cell.append(sort);
          if (sorted.key === key) {
            cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
            sort.append(make("span", "", sorted.down ? " ▾" : " ▴"));
          }
        } else cell.append(text);
        line.append(cell);
      }
      return line;
    };

    const lineOf = (row) => {
      const line = make("tr");
      line.dataset.name = row.name;
      line.append(...columns.map((column) => cellOf(column, row, canvases.get(row.name))));
      const chosen = value.pair.includes(row.name);
      line.classList.toggle("chosen", chosen);
      const open = line.querySelector("th button");
      open.setAttribute("aria-pressed", String(chosen));
      line.addEventListener("click", (event) => {
        if (!event.target.closest("button")) open.click();
      });
      return line;
    };

    const show = () => {
      const by = columns.find((column) => column.key === sorted.key) ?? columns[0];
      const way = sorted.down ? -1 : 1;
      const rows = value.rows.toSorted((a, b) => {
        const [x, y] = [by.of(a), by.of(b)];
        return way * (x < y ? -1 : x > y ? 1 : 0);
      });
      const focused = head.contains(document.activeElement) && document.activeElement.textContent;
      head.replaceChildren(heads());
      body.replaceChildren(...rows.map(lineOf), ...(value.truth ? [lineOf(value.truth)] : []));
      const again = [...head.querySelectorAll("button")].find(
        (one) => focused && one.textContent.slice(0, -2) === focused.replace(/ [▾▴]$/, ""),
      );
      again?.focus({ preventScroll: true });
    };
    show();
    return [...(value.simulated ? [simulation(value.simulated)] : []), box];
  });
};
