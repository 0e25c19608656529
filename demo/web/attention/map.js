// One of the maps: a patch's row over the photo, or the whole matrix.
import { useMemo } from "preact/hooks";
import { Figure, Mark, PatchMark } from "../figure.js";
import { html } from "../html.js";
import { squaresOf } from "../squares.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../blobs.js").Matrix} Matrix */

/** @typedef {import("../squares.js").Patch} Patch */
/** @typedef {import("../../widgets/values").AttentionValue} AttentionValue */

/**
 * Global tokens and the patch that looks, over the photo or in the matrix.
 * @param {{ value: AttentionValue, tokens: number[], patch: Patch, view:
 * import("./attention.js").View }} props
 */
const Marks = ({ value, tokens, patch, view }) => {
  const columns = value.grid[1];
  const squares = squaresOf(value);
  if (!view.matrix) {
    return html`${tokens.map(
      (i) => html`<${PatchMark} key=${i} i=${i} columns=${columns} kind="gw-token" />`,
    )}
    ${!view.classToken && html`<${Mark} x=${patch[1]} y=${patch[0]} kind="gw-here" />`}`;
  }
  const n = squares.count;
  const stripes = new Set(tokens.map((i) => squares.at([Math.floor(i / columns), i % columns])));
  return html`${[...stripes].map(
    (i) => html`<${Mark} key=${i} x=${i} y=${0} height=${n} kind="gw-stripe" />`,
  )}
  ${!view.classToken && html`<${Mark} x=${0} y=${squares.at(patch)} width=${n} kind="gw-here" />`}`;
};

/**
 * @param {object} props
 * @param {AttentionValue} props.value
 * @param {import("../../widgets/values").AttentionMap} props.map
 * @param {HTMLImageElement} props.image
 * @param {Matrix} props.matrix
 * @param {ArrayLike<number>} props.classRow
 * @param {number} props.top the brightest of all maps
 * @param {import("./attention.js").View} props.view
 * @param {Patch} props.patch that looks
 * @param {Record<string, any>} props.pointing
 */
export const AttentionMap = (props) => {
  const { value, map, image, matrix, classRow, top, view, patch, pointing } = props;
  const squares = squaresOf(value);
  const square = squares.at(patch);
  const times = useMemo(() => {
    return squares.spread(view.classToken ? classRow : matrix.row(square));
  }, [matrix, classRow, square, view.classToken]);
  const label = `${map.title}: where one patch looks. Arrow keys move, Enter pins.`;
  return html`<figure class="gw-map">
    <figcaption class="gw-title"><${Prose} text=${map.title} /></figcaption>
    <${Figure}
      shown=${value}
      image=${image}
      times=${times}
      top=${top}
      matrix=${view.matrix ? matrix : null}
      stage=${{ tabindex: 0, role: "application", "aria-label": label, ...pointing }}
    >
      <${Marks} value=${value} tokens=${map.tokens} patch=${patch} view=${view} />
    <//>
    ${map.note && html`<p class="gw-note"><${Prose} text=${map.note} /></p>`}
  </figure>`;
};
