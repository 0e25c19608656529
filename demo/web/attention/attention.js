// Where each patch looks, in several maps that follow one pointer.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { fetchMatrix, fetchPicture, unpackText } from "../blobs.js";
import { clamp, placeName } from "../dom.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { point, pointed } from "../store.js";
import { Prose } from "../terms/prose.js";
import { AttentionMap } from "./map.js";
import { usePointing } from "./pointing.js";

/** @typedef {import("../../widgets/values").AttentionValue} AttentionValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */
/**
 * @typedef {{ image: HTMLImageElement, matrices: Matrix[], classRows: ArrayLike<number>[] }} Loaded
 */
/**
 * @typedef {{ matrix: boolean, classToken: boolean }} View what is shown: whole matrices; the class
 * token's row
 */

/**
 * The square of patches that the maps show, and whether it is pinned: that which is pointed at on
 * the page, else the last one.
 * @param {AttentionValue} value
 */
const useSquare = (value) => {
  const { id } = useHost();
  const [height, width] = value.grid;
  const { pooled, picture, patch } = value;
  const last = useRef({ picture, square: (height >> 1) * width + (width >> 1) });
  const shared = pointed.value?.picture === picture ? pointed.value : null;
  useLayoutEffect(() => {
    if (!patch || pointed.value?.picture === picture) return;
    point(id, picture, [patch[0] * pooled, patch[1] * pooled], { pinned: true });
  }, [value]);
  if (shared) {
    const row = clamp(Math.floor(shared.row / pooled), 0, height - 1);
    const column = clamp(Math.floor(shared.column / pooled), 0, width - 1);
    last.current = { picture, square: row * width + column };
  }
  const { square } = last.current;
  const known = last.current.picture === picture && square < height * width;
  return {
    square: known ? square : (height >> 1) * width + (width >> 1),
    pinned: Boolean(shared?.pinned),
  };
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
  const width = value.grid[1];
  const nameOf = (/** @type {number} */ i) =>
    placeName(Math.floor(i / width) * value.pooled, (i % width) * value.pooled);
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
 * @param {{ square: number, pinned: boolean, classToken: boolean }} at
 */
const sentenceOf = (value, loaded, { square, pinned, classToken }) => {
  const width = value.grid[1];
  const place = placeName(
    Math.floor(square / width) * value.pooled,
    (square % width) * value.pooled,
  );
  const who = classToken ? "The class token" : `Patch in ${place}${pinned ? " (pinned)" : ""}`;
  const looks = value.maps.map(({ title }, k) => {
    const most = mostOf(value, loaded, k, square, classToken);
    return value.maps.length > 1 ? `${title}: ${most}` : most;
  });
  return `${who} looks most at these patches: ${looks.join("; ")}. 1 × is an equal share.`;
};

/** @param {{ value: AttentionValue, loaded: Loaded }} props */
const Attention = ({ value, loaded }) => {
  const { square, pinned } = useSquare(value);
  const [view, setView] = useState({ matrix: false, classToken: false });
  const at = pointed.value;
  // Who points at a patch wants to see its row.
  useLayoutEffect(() => {
    if (at) setView((now) => (now.classToken ? { ...now, classToken: false } : now));
  }, [at]);
  const pointing = usePointing(value, { square, pinned, asMatrix: view.matrix });
  const top = Math.max(...loaded.matrices.map((matrix) => matrix.top));
  const sentence = sentenceOf(value, loaded, { square, pinned, classToken: view.classToken });
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
          square=${square}
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
