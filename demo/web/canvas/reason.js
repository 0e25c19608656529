// Why the patch that is pressed has its word: one sentence, and numbers behind a fold.
import { useLayoutEffect, useRef } from "preact/hooks";
import { byPointer, isEqual, percent, placeName, still, written } from "../dom.js";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { patchOn, pinnedOn, pointed } from "../pointing.js";
import { squaresOf } from "../squares.js";
import { reasons } from "../store.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../../widgets/values").CanvasValue} CanvasValue */
/** @typedef {import("../blobs.js").Matrix} Matrix */
/** @typedef {import("./best-words.js").Match} Match */
/** @typedef {import("../squares.js").Patch} Patch */

const MEASURE = " (cosines; the bars show the words’ shares of 100 %).";

/** @param {CanvasValue} value @param {Matrix} matrix @param {Patch} patch */
const looksText = (value, matrix, patch) => {
  const squares = squaresOf(value);
  const own = squares.at(patch);
  const list = matrix.strongest(own).map(([i, times]) => {
    const name = i === own ? "itself" : placeName(...squares.patch(i));
    return `${name} (${times.toFixed(1)} ×)`;
  });
  return ` It looks most at ${list.join(", ")}. 1 × is an equal share.`;
};

/** @param {{ title: string, matches: Match[], looks: boolean }} props */
const Sentence = ({ title, matches, looks }) => {
  const what = looks ? "this patch looks mostly at these; their average" : "this patch";
  const place = title.startsWith("With") ? "" : "In "; // "With AMF", "Without CS"
  return html`${place}<${Prose} text=${title} /> ${what} matches${" "}
  ${matches.map(
    ({ name, cosine }, k) =>
      html`${k > 0 && ", "}<b><bdi>${name}</bdi></b>${` ${written(cosine, 2)}`}`,
  )}${MEASURE}`;
};

/** @typedef {import("../../widgets/values").Ranked} Ranked */

/** @param {Ranked} props */
const Word = ({ name, score, colour, label }) => {
  const bar = { width: `${100 * score}%`, ...(colour === null ? {} : { background: colour }) };
  return html`<li class=${label ? "gw-label" : ""}>
    <bdi>${name}</bdi>
    <span class="gw-percent">${percent(score)}</span>
    <span class="gw-share"><span class=${colour === null ? "gw-rest" : ""} style=${bar} /></span>
  </li>`;
};

/** @param {{ why: import("../../widgets/values").WhyValue }} props */
const Variants = ({ why }) => html`<p class="gw-title">${why.title}</p>
  <div class="gw-columns">
    ${why.variants.map(
      ({ title, entries }) => html`<section key=${title}>
        <h2 class="gw-title">${title}</h2>
        <ol>
          ${entries.map((entry) => html`<${Word} key=${entry.name} ...${entry} />`)}
        </ol>
      </section>`,
    )}
  </div>
  <p class="gw-note">${why.note}</p>`;

/**
 * @param {object} props
 * @param {CanvasValue} props.value
 * @param {import("./sides.js").SideAtPatch} props.side
 */
export const Reason = ({ value, side: atPatch }) => {
  const { id } = useHost();
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const patch = patchOn(value);
  const pinned = pinnedOn(value);
  const { byKeys = false, pixel = null, source = "" } = pointed.value ?? {};
  // Who moves by keys reads it without a press.
  const spoken = byKeys && source === id;
  const side = pinned || spoken ? atPatch.value : null;
  const pressed = source === id ? pixel : null;
  // While an answer is awaited, the reasons may be those of an earlier pixel.
  const why = pixel && reasons.value && isEqual(reasons.value.pixel, pixel) ? reasons.value : null;
  useLayoutEffect(() => {
    if (!pressed) return;
    ref.current?.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  }, [pressed]);
  return html`<div class="gw-info" ref=${ref}>
    <p class="gw-sentence" aria-live=${spoken ? "polite" : "off"}>
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
      <div>${pinned && why && html`<${Variants} why=${why} />`}</div>
    </details>
  </div>`;
};
