// What each patch receives in the blocks that AMF reads, and the last block's matrices.
import { useMemo } from "preact/hooks";
import { fetchMatrix, fetchPicture, unpackText } from "../blobs.js";
import { isEqual } from "../dom.js";
import { Failed } from "../failed.js";
import { Figure, Mark, PatchMark } from "../figure.js";
import { useHost } from "../gradio.js";
import { useBothFetched } from "../hooks.js";
import { html } from "../html.js";
import { patchOn, pointed, usePointing } from "../pointing.js";
import { squaresOf } from "../squares.js";
import { Prose } from "../terms/prose.js";
import { LastBlock } from "./last-block.js";

/** @typedef {import("../../widgets/values").MapsValue} MapsValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */

/** Equal matrices are drawn once. @param {Matrix | null} a @param {Matrix | null} b */
const areSame = (a, b) => Boolean(a && b && isEqual(a.times, b.times));

/** Both matrices, as they come. @param {MapsValue} value */
const useMatrices = ({ sides }) => {
  const { data: matrices, ...fetched } = useBothFetched(
    sides.map(({ matrix }) => matrix),
    fetchMatrix,
  );
  const equal = useMemo(() => areSame(matrices[0], matrices[1]), matrices);
  const top = Math.max(...matrices.map((matrix) => matrix?.top ?? 0)) || 1;
  return { matrices, equal, top, ...fetched };
};

/**
 * What each patch receives in one block, over the photo.
 * @param {object} props
 * @param {MapsValue} props.value
 * @param {HTMLImageElement} props.image
 * @param {import("../../widgets/values").Thumb} props.thumb
 * @param {ArrayLike<number>} props.received
 * @param {number} props.top drawn brightest
 * @param {import("../squares.js").Patch | null} props.patch
 * @param {Record<string, any>} props.pointing
 */
const Thumb = ({ value, image, thumb, received, top, patch, pointing }) => {
  const label = `${thumb.title}: attention that each patch receives`;
  return html`<figure class="gw-map">
    <${Figure}
      shown=${value}
      image=${image}
      times=${received}
      top=${top}
      stage=${{ role: "img", "aria-label": label, ...pointing }}
    >
      ${thumb.tokens.map(
        (i) => html`<${PatchMark} key=${i} i=${i} columns=${value.grid[1]} kind="gw-token" />`,
      )}
      ${patch && html`<${Mark} x=${patch[1]} y=${patch[0]} kind="gw-here" />`}
    <//>
    <figcaption class="gw-caption"><${Prose} text=${thumb.title} /></figcaption>
  </figure>`;
};

/**
 * The last block's matrices; a pointer in one shows it whole, and points at the patch of its row.
 * @param {{ value: MapsValue, image: HTMLImageElement, onPhoto: Record<string, any> }} props
 */
const LastBlocks = ({ value, image, onPhoto }) => {
  const { id } = useHost();
  const squares = squaresOf(value);
  const { matrices, equal, top, error, retry } = useMatrices(value);
  const patch = patchOn(value);
  // A matrix stays one while the pointer is in it.
  const inMatrix = `${id} matrix`;
  const onMatrix = usePointing(value, {
    source: inMatrix,
    patchAt: ([y]) => squares.patch(Math.floor(y * squares.count)),
  });
  const sides = equal ? value.sides.slice(0, 1) : value.sides;
  const titleOf = (/** @type {number} */ k) =>
    equal ? `${value.sides[0].title}: the same as ${value.sides[1].title}` : value.sides[k].title;
  return html`<div class="gw-pair">
      ${sides.map(
        (_, k) => html`<${LastBlock}
          key=${k}
          value=${value}
          image=${image}
          title=${titleOf(k)}
          matrix=${matrices[k]}
          top=${top}
          patch=${patch}
          whole=${pointed.value?.source === inMatrix}
          onPhoto=${onPhoto}
          onMatrix=${onMatrix}
        />`,
      )}
    </div>
    ${error && html`<${Failed} error=${error} retry=${retry} />`}`;
};

/**
 * @param {{ value: MapsValue, loaded: { image: HTMLImageElement, received: ArrayLike<number>[] } }}
 * props
 */
const Maps = ({ value, loaded: { image, received } }) => {
  const patch = patchOn(value);
  const onPhoto = usePointing(value);
  return html`<div class="gw-title"><${Prose} text=${value.title} /></div>
    <div class="gw-pair">
      ${value.thumbs.map(
        (thumb, k) => html`<${Thumb}
          key=${thumb.title}
          value=${value}
          image=${image}
          thumb=${thumb}
          received=${received[k]}
          top=${value.brightest}
          patch=${patch}
          pointing=${onPhoto}
        />`,
      )}
    </div>
    <${LastBlocks} value=${value} image=${image} onPhoto=${onPhoto} />
    <p class="gw-note"><${Prose} text=${value.note} /></p>
    ${
      value.why &&
      html`<details class="gw-more">
        <summary>Why these blocks</summary>
        <p class="gw-note"><${Prose} text=${value.why} /></p>
      </details>`
    }`;
};

/**
 * @type {import("../gradio.js").Widget<MapsValue, { image: HTMLImageElement, received:
 * ArrayLike<number>[] }>}
 */
export const maps = {
  load: async ({ picture, thumbs }) => {
    const arrays = Promise.all(thumbs.map((thumb) => unpackText(thumb.received)));
    const [image, unpacked] = await Promise.all([fetchPicture(picture), arrays]);
    return { image, received: unpacked.map(({ received }) => received) };
  },
  View: Maps,
};
