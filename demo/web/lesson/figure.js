// A figure of the lesson: a picture, a table, or every channel's norm.
import { addressOf } from "../blobs.js";
import { html } from "../html.js";
import { BEFORE, DASHED, Label, Line, Plot, STANDS_OUT, scale, stemsOf } from "../plot.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../../widgets/values").LessonFigure} LessonFigure */
/** @typedef {import("../plot.js").Space} Space */

const HEIGHT = 140;
const BASE = 136;
const TICKS = [1, 10, 100];

/** Every channel's norm as a stem, in medians. @param {{ norms: number[], high: number }} props */
const Norms = ({ norms, high }) => {
  const most = Math.max(...norms);
  const top = norms.indexOf(most);
  const words = `channel ${top}: ${most.toFixed(most < 99.5 ? 1 : 0)} ×`;
  const y = scale(0.1, high, BASE, 22);
  const draw = (/** @type {Space} */ { left, right }) => {
    const { stem: rise } = stemsOf(norms.length, left, right, BASE);
    const stem = (/** @type {number} */ i) => rise(i, y(norms[i]));
    const stems = norms.map((_, i) => stem(i)).join("");
    return html`<${Line} d=${stems} stroke=${BEFORE} width=${0.8} />
      <${Line} d=${stem(top)} stroke=${STANDS_OUT} width=${3} />
      ${TICKS.map(
        (tick) => html`<${Line}
            d=${`M${left} ${y(tick)}H${right}`}
            stroke="currentColor"
            width=${0.5}
            ...${DASHED}
          />
          <${Label} x=${left - 4} y=${y(tick) + 4} anchor="end">${tick}×<//>`,
      )}
      <${Label} x=${right} y=${14} anchor="end">${words}<//>`;
  };
  return html`<${Plot} height=${HEIGHT} label=${`${words} the median`}>${draw}<//>`;
};

/** @param {{ rows: string[][] }} props */
const Table = ({ rows }) => html`<table>
  <tbody>
    ${rows.map(
      ([head, ...cells]) => html`<tr key=${head}>
        <th><${Prose} text=${head} /></th>
        ${cells.map((cell) => html`<td>${cell}</td>`)}
      </tr>`,
    )}
  </tbody>
</table>`;

/** @param {{ figure: LessonFigure, high: number }} props `high` is the largest norm of the step */
export const LessonFigureView = ({
  figure: { picture, norms, rows, caption },
  high,
}) => html`<figure>
  ${
    rows
      ? html`<${Table} rows=${rows} />`
      : norms
        ? html`<${Norms} norms=${norms} high=${high} />`
        : html`<img src=${addressOf(picture ?? "")} alt=${caption} />`
  }
  <figcaption><${Prose} text=${caption} /></figcaption>
</figure>`;
