// The last block's attention as a matrix; where a patch is pointed at, its row over the photo.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Figure, Mark } from "../figure.js";
import { html } from "../html.js";
import { squaresOf } from "../squares.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../blobs.js").Matrix} Matrix */

const LABEL = "the last block's attention as a matrix, a row per patch that looks";

/**
 * @param {object} props
 * @param {import("../../widgets/values").MapsValue} props.value
 * @param {HTMLImageElement} props.image
 * @param {string} props.title
 * @param {Matrix | null} props.matrix
 * @param {number} props.top the brightest of all matrices
 * @param {import("../squares.js").Patch | null} props.patch
 * @param {boolean} props.whole the pointer is in a matrix, which then stays one
 * @param {Record<string, any>} props.onPhoto handlers of a photo in patches
 * @param {Record<string, any>} props.onMatrix handlers of a matrix
 */
export const LastBlock = (props) => {
  const { value, image, title, matrix, top, patch, whole, onPhoto, onMatrix } = props;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [tall, setTall] = useState(0);
  const squares = squaresOf(value);
  const row = patch ? squares.at(patch) : -1;
  const isPhoto = Boolean(patch && matrix && !whole);
  const times = useMemo(
    () => (isPhoto && matrix ? squares.spread(matrix.row(row)) : []),
    [isPhoto, matrix, row],
  );
  const pointing = isPhoto ? onPhoto : onMatrix;
  // A photo may be lower than the matrix: its title and what is below stay in place.
  useLayoutEffect(() => {
    if (!isPhoto && matrix) setTall(box.current?.offsetHeight ?? 0);
  }, [isPhoto, matrix]);
  const style = isPhoto && tall ? { minHeight: `${tall}px` } : {};
  return html`<figure class=${`gw-map ${isPhoto ? "gw-as-photo" : ""}`} ref=${box} style=${style}>
    <${Figure}
      shown=${value}
      image=${image}
      times=${times}
      top=${top}
      matrix=${isPhoto ? null : (matrix ?? EMPTY)}
      stage=${{ role: "img", "aria-label": `${title}: ${LABEL}`, ...pointing }}
    >
      ${isPhoto && patch && html`<${Mark} x=${patch[1]} y=${patch[0]} kind="gw-here" />`}
      ${
        !isPhoto &&
        matrix &&
        patch &&
        html`<${Mark} x=${0} y=${row} width=${matrix.n} kind="gw-here" />`
      }
    <//>
    <figcaption class="gw-caption"><${Prose} text=${title} /></figcaption>
  </figure>`;
};

/** Before the matrix is here. @type {Matrix} */
const EMPTY = {
  n: 1,
  times: new Float32Array(1),
  top: 1,
  strongest: () => [],
  row: () => new Float32Array(1),
};
