// One of the maps: a patch's row over the photo, or the whole matrix.
import { useMemo } from "preact/hooks";
import { Figure, Mark, PatchMark } from "../figure.js";
import { html } from "../html.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../blobs.js").Matrix} Matrix */

/**
 * Global tokens and the row that is looked at, over the photo or in the matrix.
 * @param {{ tokens: number[], n: number, columns: number, square: number, view:
 * import("./attention.js").View }} props
 */
const Marks = ({ tokens, n, columns, square, view }) => {
  if (!view.matrix) {
    return html`${tokens.map(
      (i) => html`<${PatchMark} key=${i} i=${i} columns=${columns} kind="gw-token" />`,
    )}
    ${!view.classToken && html`<${PatchMark} i=${square} columns=${columns} kind="gw-here" />`}`;
  }
  return html`${tokens.map(
    (i) => html`<${Mark} key=${i} x=${i} y=${0} height=${n} kind="gw-stripe" />`,
  )}
  ${!view.classToken && html`<${Mark} x=${0} y=${square} width=${n} kind="gw-here" />`}`;
};

/**
 * @param {object} props
 * @param {import("../../widgets/values").AttentionValue} props.value
 * @param {import("../../widgets/values").AttentionMap} props.map
 * @param {HTMLImageElement} props.image
 * @param {Matrix} props.matrix
 * @param {ArrayLike<number>} props.classRow
 * @param {number} props.top the brightest of all maps
 * @param {import("./attention.js").View} props.view
 * @param {number} props.square that the maps show
 * @param {Record<string, any>} props.pointing
 */
export const AttentionMap = (props) => {
  const { value, map, image, matrix, classRow, top, view, square, pointing } = props;
  const times = useMemo(() => {
    if (view.classToken) return classRow;
    return matrix.times.subarray(square * matrix.n, (square + 1) * matrix.n);
  }, [matrix, classRow, square, view.classToken]);
  const label = `${map.title}: where one patch looks. Arrow keys move, Enter pins.`;
  return html`<figure class="gw-map">
    <figcaption class="gw-title"><${Prose} text=${map.title} /></figcaption>
    <${Figure}
      shown=${value}
      image=${image}
      times=${times}
      of=${[times]}
      top=${top}
      matrix=${view.matrix ? matrix : null}
      stage=${{ tabindex: 0, role: "application", "aria-label": label, ...pointing }}
    >
      <${Marks}
        tokens=${map.tokens}
        n=${matrix.n}
        columns=${value.grid[1]}
        square=${square}
        view=${view}
      />
    <//>
    ${map.note && html`<p class="gw-note"><${Prose} text=${map.note} /></p>`}
  </figure>`;
};
