// Where each patch looks, in several maps that follow one pointer.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { fetchMatrix, fetchPicture, unpackText } from "../blobs.js";
import { placeName } from "../dom.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import {
  isSame,
  middleOf,
  patchIn,
  patchOn,
  pinnedOn,
  placeOf,
  point,
  pointed,
  usePointing,
} from "../pointing.js";
import { squaresOf } from "../squares.js";
import { Prose } from "../terms/prose.js";
import { AttentionMap } from "./map.js";

/** @typedef {import("../../widgets/values").AttentionValue} AttentionValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */
/** @typedef {import("../squares.js").Patch} Patch */
/**
 * @typedef {{ image: HTMLImageElement, matrices: Matrix[], classRows: ArrayLike<number>[] }} Loaded
 */
/**
 * @typedef {{ matrix: boolean, classToken: boolean }} View what is shown: whole matrices; the class
 * token's row
 */

/**
 * Writes the pinned patch into the page's address.
 * @param {ReturnType<typeof useHost>} host
 * @param {Patch} patch
 */
const keepPatch = ({ trigger }, patch) => trigger("select", { index: patch, value: patch });

/**
 * The patch whose row the maps show: that which is pointed at on the page, else the last one.
 * @param {AttentionValue} value
 */
const usePatchShown = (value) => {
  const { picture, grid, patch } = value;
  const host = useHost();
  const middle = placeOf(grid)(middleOf(grid));
  const last = useRef({ picture, place: middle });
  useLayoutEffect(() => {
    if (!patch) return;
    const now = patchOn(value);
    if (!now) point("", picture, placeOf(grid)(patch), { pinned: true });
    // In a new grid the same place is another patch.
    else if (pinnedOn(value) && !isSame(now, patch)) keepPatch(host, now);
  }, [value]);
  const at = pointed.value;
  if (at?.picture === picture) last.current = { picture, place: at.place };
  if (last.current.picture !== picture) last.current = { picture, place: middle };
  return patchIn(grid)(last.current.place);
};

/**
 * Where one map looks most, in words.
 * @param {AttentionValue} value
 * @param {Loaded} loaded
 * @param {number} k
 * @param {number} square
 * @param {boolean} classToken
 */
const mostOf = (value, { matrices, classRows }, k, square, classToken) => {
  const squares = squaresOf(value);
  const nameOf = (/** @type {number} */ i) => placeName(...squares.patch(i));
  if (classToken) {
    const { best } = value.maps[k].class_row;
    return `${nameOf(best)} (${classRows[k][best].toFixed(1)} ×)`;
  }
  const strongest = matrices[k].strongest(square);
  const count = strongest[0][0] === square ? 2 : 1;
  return strongest
    .slice(0, count)
    .map(([i, times]) => `${i === square ? "itself" : nameOf(i)} (${times.toFixed(1)} ×)`)
    .join(", ");
};

/**
 * The sentence under the maps.
 * @param {AttentionValue} value
 * @param {Loaded} loaded
 * @param {Patch} patch
 * @param {boolean} classToken
 */
const sentenceOf = (value, loaded, patch, classToken) => {
  const square = squaresOf(value).at(patch);
  const own = `Patch in ${placeName(...patch)}${pinnedOn(value) ? " (pinned)" : ""}`;
  const looks = value.maps.map(({ title }, k) => {
    const most = mostOf(value, loaded, k, square, classToken);
    return value.maps.length > 1 ? `${title}: ${most}` : most;
  });
  const subject = classToken ? "The class token" : own;
  return `${subject} looks most at these patches: ${looks.join("; ")}. 1 × is an equal share.`;
};

/**
 * Handlers of the maps; what is pinned is in the page's address.
 * @param {AttentionValue} value
 * @param {Patch} patch that is shown
 * @param {boolean} asMatrix
 */
const useMapPointing = (value, patch, asMatrix) => {
  const host = useHost();
  const squares = squaresOf(value);
  const ofMatrix = (/** @type {[y: number, x: number]} */ [y]) =>
    squares.patch(Math.floor(y * squares.count));
  const pin = (/** @type {Patch} */ at) => {
    point(host.id, value.picture, placeOf(value.grid)(at), { pinned: true });
    keepPatch(host, at);
  };
  const own = { at: patch, step: value.pooled, pin };
  return usePointing(value, asMatrix ? { ...own, patchAt: ofMatrix } : own);
};

/** @param {{ value: AttentionValue, loaded: Loaded }} props */
const Attention = ({ value, loaded }) => {
  const patch = usePatchShown(value);
  const [view, setView] = useState({ matrix: false, classToken: false });
  const at = pointed.value;
  // Who points at a patch wants to see its row.
  useLayoutEffect(() => {
    if (at) setView((now) => (now.classToken ? { ...now, classToken: false } : now));
  }, [at]);
  const pointing = useMapPointing(value, patch, view.matrix);
  const top = Math.max(...loaded.matrices.map((matrix) => matrix.top));
  const sentence = sentenceOf(value, loaded, patch, view.classToken);
  const room = `${sentence.replace(/\d+/g, "88")} (pinned)`;
  const toggle = (/** @type {keyof View} */ name, /** @type {string} */ label) => html`<button
    type="button"
    class="gw-button"
    aria-pressed=${view[name]}
    onClick=${() => setView({ ...view, [name]: !view[name] })}
  >
    ${label}
  </button>`;
  const squares = `squares of ${value.pooled} × ${value.pooled} patches`;
  return html`<div class="gw-row">
      ${value.maps.map(
        (map, k) => html`<${AttentionMap}
          key=${map.title}
          value=${value}
          map=${map}
          image=${loaded.image}
          matrix=${loaded.matrices[k]}
          classRow=${loaded.classRows[k]}
          top=${top}
          view=${view}
          patch=${patch}
          pointing=${pointing}
        />`,
      )}
    </div>
    <div class="gw-bar">
      ${toggle("matrix", "Show as matrix")} ${toggle("classToken", "Class token's row")}
    </div>
    <p class="gw-note gw-info gw-room" aria-live="polite" data-room=${room}>
      <span>${sentence}</span>
    </p>
    ${
      value.pooled > 1 &&
      html`<p class="gw-note">
        <${Prose} text=${`Averaged over ${squares}, to keep the page light.`} />
      </p>`
    }`;
};

/** @type {import("../gradio.js").Widget<AttentionValue, Loaded>} */
export const attention = {
  load: async ({ picture, maps }) => {
    const [image, matrices, rows] = await Promise.all([
      fetchPicture(picture),
      Promise.all(maps.map(({ matrix }) => fetchMatrix(matrix))),
      Promise.all(maps.map((map) => unpackText(map.class_row.row))),
    ]);
    return { image, matrices, classRows: rows.map(({ row }) => row) };
  },
  View: Attention,
};
