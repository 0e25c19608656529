// Why the patch that is pressed has its word: one sentence, and numbers behind a fold.
import { useLayoutEffect, useRef } from "preact/hooks";
import { byPointer, placeName, still, written } from "../dom.js";
import { html } from "../html.js";
import { squaresOf } from "../squares.js";
import { patchOn, pointed, reasons } from "../store.js";
import { Prose } from "../terms/prose.js";
import { Variants } from "./variants.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */
/** @typedef {import("./race.js").Match} Match */
/** @typedef {[row: number, column: number]} Place */

const MEASURE = " (cosines; the bars show them after a softmax).";

/** @param {CanvasValue} value @param {Matrix} matrix @param {Place} patch */
const looksText = (value, matrix, patch) => {
  const squares = squaresOf(value);
  const own = squares.at(patch);
  const list = matrix.strongest(own).map(([i, times]) => {
    const [row, column] = squares.middle(i).map(Math.floor);
    return `${i === own ? "itself" : placeName(row, column)} (${times.toFixed(1)} ×)`;
  });
  return ` It looks most at ${list.join(", ")}. 1 × is an equal share.`;
};

/** @param {{ title: string, matches: Match[], looks: boolean }} props */
const Sentence = ({ title, matches, looks }) => {
  const what = looks ? "this patch looks mostly at these; their average" : "this patch";
  return html`In <${Prose} text=${title} /> ${what} matches${" "}
  ${matches.map(
    ({ name, cosine }, k) => html`${k > 0 && ", "}<b>${name}</b>${` ${written(cosine, 2)}`}`,
  )}${MEASURE}`;
};

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {boolean} props.spoken keys move the patch: it is said without a press
 * @param {number} props.presses counted; each brings the sentence into view
 * @param {(patch: Place) => { title: string, matrix: Matrix | null, matches: Match[] }}
 *   props.sideAt
 */
export const Reason = ({ value, spoken, presses, sideAt }) => {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const patch = patchOn(value);
  const pinned = Boolean(patch && pointed.value?.pinned);
  const asked = pinned && pointed.value?.asked && reasons.value;
  const side = patch && (pinned || spoken) ? sideAt(patch) : null;
  useLayoutEffect(() => {
    if (!presses) return;
    ref.current?.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  }, [presses]);
  return html`<div class="gw-info" ref=${ref}>
    <p class="gw-said" aria-live=${spoken ? "polite" : "off"}>
      ${
        side?.matches.length
          ? html`<${Sentence}
              title=${side.title}
              matches=${side.matches}
              looks=${Boolean(side.matrix)}
            />`
          : html`<${Prose} text=${value.notes[0] ?? ""} />`
      }
    </p>
    <details class="gw-more" hidden=${!pinned}>
      <summary>Numbers and other methods</summary>
      ${
        patch &&
        side &&
        html`<p class="gw-note">
          Patch in ${placeName(...patch)}; ${byPointer("click", "tap")} it again to leave it.
          ${side.matrix && looksText(value, side.matrix, patch)}
        </p>`
      }
      <div>${asked && html`<${Variants} why=${asked} />`}</div>
    </details>
  </div>`;
};
