// The methods on one picture as a table: what each changes, its mask, scores and time.
import { useState } from "preact/hooks";
import { fetchPicture, labelsOf } from "../blobs.js";
import { percent } from "../dom.js";
import { html } from "../html.js";
import { Simulation } from "../simulation.js";
import { Prose } from "../terms/prose.js";
import { columnsOf, sortRows } from "./columns.js";
import { SmallMask } from "./mask.js";
import { Row } from "./row.js";

/** @typedef {import("../../widgets/values").MethodsValue} MethodsValue */
/** @typedef {import("../../widgets/values").MethodRow} MethodRow */
/**
 * @typedef {{ image: HTMLImageElement, base: Int32Array, labels: Map<string, Int32Array> }} Loaded
 */

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

/**
 * Over the scores, what all of them are.
 * @param {{ title: string, columns: import("./columns.js").Column[] }} props
 */
const ScoresTitle = ({ title, columns }) => {
  const count = (/** @type {string[]} */ kinds) =>
    columns.filter(({ kind }) => kinds.includes(kind)).length;
  const scores = count(["score"]);
  if (!scores) return null;
  return html`<tr>
    <td />
    <td colspan=${count(["title", "mask"])} />
    <th scope="colgroup" colspan=${scores}><${Prose} text=${title} /></th>
    <td colspan=${count(["part"])} />
  </tr>`;
};

/**
 * A row's mask, or what of it differs, and how much.
 * @param {{ value: MethodsValue, loaded: Loaded, row: MethodRow, difference: boolean }} props
 */
const Thumbnail = ({ value, loaded, row, difference }) => {
  const labels = loaded.labels.get(row.name);
  if (!labels) return null;
  const isBase = row.name === value.base.name;
  const share = isBase ? "compared with" : `${percent(row.differs ?? 0)} differ`;
  const base = difference && !isBase ? loaded.base : null;
  return html`<${SmallMask} value=${value} image=${loaded.image} labels=${labels} base=${base} />
    <span class="share">${share}</span>`;
};

/**
 * What the thumbnails show.
 * @param {{ base: string, difference: boolean, onChoose: (difference: boolean) => void }} props
 */
const Choice = ({ base, difference, onChoose }) => {
  const button = (/** @type {boolean} */ own, /** @type {string} */ label) => html`<button
    type="button"
    class="gw-button"
    aria-pressed=${difference === own}
    onClick=${() => onChoose(own)}
  >
    ${label}
  </button>`;
  return html`<div class="gw-bar" role="group" aria-label="Thumbnails">
    ${button(true, `What differs from ${base}`)} ${button(false, "Masks")}
  </div>`;
};

/** @param {{ value: MethodsValue, loaded: Loaded }} props */
const Methods = ({ value, loaded }) => {
  const [sorted, setSorted] = useState({ key: "year", down: false });
  const [difference, setDifference] = useState(true);
  const columns = columnsOf(value, difference);
  const by = columns.find(({ key }) => key === sorted.key) ?? columns[0];
  const rows = sortRows(value.rows, by, sorted.down);
  const all = value.truth ? [...rows, value.truth] : rows;
  return html`<${Simulation} sentence=${value.simulated} />
    <${Choice} base=${value.base.title} difference=${difference} onChoose=${setDifference} />
    <div class="wide" tabindex="0" role="region" aria-label=${TITLE}>
      <table>
        <caption class="gw-hidden">${TITLE}</caption>
        <thead>
          <${ScoresTitle} title=${value.scores_title} columns=${columns} />
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
              mask=${html`<${Thumbnail} ...${{ value, loaded, row, difference }} />`}
            />`,
          )}
        </tbody>
      </table>
    </div>`;
};

/** @type {import("../gradio.js").Widget<MethodsValue, Loaded>} */
export const methods = {
  load: async ({ picture, base, rows, truth }) => {
    const masked = [...rows, ...(truth ? [truth] : [])].filter(({ mask }) => mask);
    const unpacked = Promise.all(
      masked.map(
        async ({ name, mask = "" }) => /** @type {const} */ ([name, await labelsOf(mask)]),
      ),
    );
    const [image, baseLabels, labels] = await Promise.all([
      fetchPicture(picture),
      labelsOf(base.mask ?? ""),
      unpacked,
    ]);
    return { image, base: baseLabels, labels: new Map(labels) };
  },
  View: Methods,
};
