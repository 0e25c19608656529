// A method as a row of the table; a press opens its mask.
import { useHost } from "../gradio.js";
import { html } from "../html.js";

/** @typedef {import("../../widgets/values").MethodRow} MethodRow */
/** @typedef {import("./columns.js").Column} Column */

/** @param {{ row: MethodRow, chosen: boolean, onOpen: () => void }} props */
const Title = ({ row, chosen, onOpen }) => html`<th scope="row">
  <button type="button" class="open" title=${row.citation} aria-pressed=${chosen} onClick=${onOpen}>
    ${row.title}
  </button>
  ${row.summary && html`<p class="summary">${row.summary}</p>`}
</th>`;

/** @param {{ mark: string | undefined }} props */
const Dot = ({ mark }) =>
  mark &&
  html`<span class="dot" title=${mark} aria-hidden="true">●</span>
    <span class="gw-hidden">${mark}</span>`;

/** What a cell shows. @param {Column} column @param {MethodRow} row @param {any} mask */
const contentOf = ({ kind, score, part }, row, mask) => {
  if (kind === "mask") return row.refused ? html`<p>${row.refused}</p>` : mask;
  if (kind === "year") return row.year || "";
  if (kind === "part") return html`<${Dot} mark=${row.marks?.[part ?? 0]} />`;
  return row.scores?.[score ?? 0].text;
};

/** @param {{ row: MethodRow, columns: Column[], chosen: boolean, mask: any }} props */
export const Row = ({ row, columns, chosen, mask }) => {
  const { trigger } = useHost();
  const open = () => {
    trigger("select", { index: row.name, value: row.name });
    document.querySelector("#pair-canvas")?.scrollIntoView({ block: "nearest" });
  };
  const press = (/** @type {MouseEvent & { target: Element }} */ { target }) => {
    if (!target.closest("button")) open();
  };
  return html`<tr data-name=${row.name} class=${chosen ? "chosen" : ""} onClick=${press}>
    ${columns.map((column) => {
      if (column.kind === "title") {
        return html`<${Title} key="title" row=${row} chosen=${chosen} onOpen=${open} />`;
      }
      const best = column.kind === "score" && row.scores?.[column.score ?? 0].best;
      return html`<td key=${column.key} data-column=${column.key} class=${best ? "best" : ""}>
        ${contentOf(column, row, mask)}
      </td>`;
    })}
  </tr>`;
};
