// The methods on one picture as a table: what each changes, its mask, scores and time.
import { useState } from "preact/hooks";
import { fetchPicture, labelsOf } from "../blobs.js";
import { html } from "../html.js";
import { Simulation } from "../simulation.js";
import { Prose } from "../terms/prose.js";
import { columnsOf, sortRows } from "./columns.js";
import { SmallMask } from "./mask.js";
import { Row } from "./row.js";

/** @typedef {import("../../widgets/values").MethodsValue} MethodsValue */
/** @typedef {import("../../widgets/values").MethodRow} MethodRow */
/** @typedef {{ image: HTMLImageElement, labels: Map<string, Int32Array> }} Loaded */

const TITLE = "Methods on this picture";

/**
 * @param {{ column: import("./columns.js").Column, sorted: { key: string, down: boolean }, onSort:
 * () => void }} props
 */
const Heading = ({ column, sorted, onSort }) => {
  const { key, title, of } = column;
  const here = sorted.key === key;
  const order = sorted.down ? "descending" : "ascending";
  const text = html`<bdi><${Prose} text=${title} /></bdi>`;
  return html`<th
    scope="col"
    class=${column.kind === "part" ? "part" : ""}
    aria-sort=${here ? order : undefined}
  >
    ${
      of
        ? html`<button type="button" class="sort" onClick=${onSort}>
            <bdi>${title}</bdi>${here && html`<span>${sorted.down ? " ▾" : " ▴"}</span>`}
          </button>`
        : text
    }
  </th>`;
};

/** @param {{ value: MethodsValue, loaded: Loaded }} props */
const Methods = ({ value, loaded }) => {
  const [sorted, setSorted] = useState({ key: "year", down: false });
  const columns = columnsOf(value);
  const by = columns.find(({ key }) => key === sorted.key) ?? columns[0];
  const rows = sortRows(value.rows, by, sorted.down);
  const all = value.truth ? [...rows, value.truth] : rows;
  const maskOf = (/** @type {MethodRow} */ { name }) => {
    const labels = loaded.labels.get(name);
    return labels && html`<${SmallMask} value=${value} image=${loaded.image} labels=${labels} />`;
  };
  return html`<${Simulation} sentence=${value.simulated} />
    <div class="wide" tabindex="0" role="region" aria-label=${TITLE}>
      <table>
        <caption class="gw-hidden">${TITLE}</caption>
        <thead>
          <tr>
            ${columns.map((column) => {
              const down = sorted.key === column.key ? !sorted.down : Boolean(column.down);
              const sort = () => setSorted({ key: column.key, down });
              return html`<${Heading}
                key=${column.key}
                column=${column}
                sorted=${sorted}
                onSort=${sort}
              />`;
            })}
          </tr>
        </thead>
        <tbody>
          ${all.map(
            (row) => html`<${Row}
              key=${row.name}
              row=${row}
              columns=${columns}
              chosen=${value.pair.includes(row.name)}
              mask=${maskOf(row)}
            />`,
          )}
        </tbody>
      </table>
    </div>`;
};

/** @type {import("../gradio.js").Widget<MethodsValue, Loaded>} */
export const methods = {
  load: async ({ picture, rows, truth }) => {
    const masked = [...rows, ...(truth ? [truth] : [])].filter(({ mask }) => mask);
    const unpacked = Promise.all(
      masked.map(
        async ({ name, mask = "" }) => /** @type {const} */ ([name, await labelsOf(mask)]),
      ),
    );
    const [image, labels] = await Promise.all([fetchPicture(picture), unpacked]);
    return { image, labels: new Map(labels) };
  },
  View: Methods,
};
