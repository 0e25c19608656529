// What each patch receives in the blocks that AMF reads, and the last block's matrices.
import { useMemo, useState } from "preact/hooks";
import { fetchMatrix, fetchPicture, unpackText } from "../blobs.js";
import { placeIn } from "../dom.js";
import { Failed } from "../failed.js";
import { useHost } from "../gradio.js";
import { useFetched } from "../hooks.js";
import { html } from "../html.js";
import { squaresOf } from "../squares.js";
import { patchOn, point, pointed } from "../store.js";
import { Prose } from "../terms/prose.js";
import { LastBlock } from "./last-block.js";
import { Thumb } from "./thumb.js";

/** @typedef {import("../../widgets/values").MapsValue} MapsValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */
/** @typedef {[row: number, column: number]} Place */

/** Equal matrices are drawn once. @param {Matrix | null} a @param {Matrix | null} b */
const isEqual = (a, b) => Boolean(a && b && a.times.every((x, i) => x === b.times[i]));

/** Both matrices, as they come. @param {MapsValue} value */
const useMatrices = ({ sides }) => {
  const fetched = [
    useFetched(sides[0]?.matrix ?? "", fetchMatrix),
    useFetched(sides[1]?.matrix ?? "", fetchMatrix),
  ];
  const [first, second] = fetched.map(({ data }) => data);
  const equal = useMemo(() => isEqual(first, second), [first, second]);
  const lost = fetched.filter(({ error }) => error);
  const retry = () => {
    for (const matrix of lost) matrix.retry();
  };
  const top = Math.max(...fetched.map(({ data }) => data?.top ?? 0)) || 1;
  return { matrices: [first, second], equal, top, error: lost[0]?.error ?? null, retry };
};

/**
 * Handlers of one map; `patchAt` has the patch at a place of it.
 * @param {MapsValue} value
 * @param {(inside: boolean) => void} setInside
 */
const usePointing = (value, setInside) => {
  const { id } = useHost();
  return (/** @type {(place: Place) => Place} */ patchAt, inside = false) => {
    const move = (/** @type {PointerEvent & { currentTarget: Element }} */ event) => {
      if (pointed.value?.pinned && pointed.value.picture === value.picture) return;
      const patch = patchAt(placeIn(event.currentTarget, event));
      setInside(inside);
      if (String(patch) !== String(patchOn(value))) point(id, value.picture, patch);
    };
    const leave = (/** @type {PointerEvent} */ { pointerType }) => {
      if (pointerType !== "touch" && !pointed.value?.pinned) point(id, value.picture, null);
    };
    return { onPointerMove: move, onPointerDown: move, onPointerLeave: leave };
  };
};

/**
 * @param {{ value: MapsValue, loaded: { image: HTMLImageElement, received: ArrayLike<number>[] } }}
 * props
 */
const Maps = ({ value, loaded: { image, received } }) => {
  const { id } = useHost();
  const [rows, columns] = value.grid;
  const squares = squaresOf(value);
  const [inside, setInside] = useState(false);
  const { matrices, equal, top, error, retry } = useMatrices(value);
  const pointing = usePointing(value, setInside);
  const patch = patchOn(value);
  const onPhoto = pointing(([y, x]) => [Math.floor(y * rows), Math.floor(x * columns)]);
  const sides = equal ? value.sides.slice(0, 1) : value.sides;
  const titleOf = (/** @type {number} */ k) =>
    equal ? `${value.sides[0].title}: the same as ${value.sides[1].title}` : value.sides[k].title;
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
    <div class="gw-pair">
      ${sides.map((_, k) => {
        const n = matrices[k]?.n ?? 1;
        return html`<${LastBlock}
          key=${k}
          value=${value}
          image=${image}
          title=${titleOf(k)}
          matrix=${matrices[k]}
          top=${top}
          patch=${patch}
          whole=${inside && pointed.value?.source === id}
          pointing=${pointing(([y]) => squares.first(Math.floor(y * n)), true)}
        />`;
      })}
    </div>
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
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
