// Masks by block: the word that every patch would have if a block were the last (a logit lens).
import { useRef } from "preact/hooks";
import { fetchArrays } from "./blobs.js";
import { appearText, patchHistory } from "./block-masks.js";
import { useFetched } from "./hooks.js";
import { html } from "./html.js";
import { patchOn } from "./pointing.js";
import { REST, REST_COLOUR } from "./rest.js";
import { Prose } from "./terms/prose.js";

/** @typedef {import("./block-masks.js").Word} Word */
/** @typedef {import("./block-masks.js").BlockMasks} BlockMasks */

/** @type {(name: string) => Promise<import("../widgets/values").BlockMasksArrays>} */
const fetchMasks = fetchArrays;

export const BY_BLOCK = "Masks by block";
const WHAT =
  "Each block’s tokens are labelled as if it were the last (a logit lens). " +
  "Percent: patches with the word of the last block.";

/**
 * The masks, fetched when they are shown; until new ones of the same picture and words are here,
 * the old ones stay.
 * @param {{ by_block: string, picture: string, grid: [number, number], words: { name: string }[] }}
 * value
 * @param {boolean} shown
 */
export const useBlockMasks = (value, shown) => {
  const { data, error, retry } = useFetched(shown ? value.by_block : "", fetchMasks);
  const last = useRef({ of: "", masks: /** @type {BlockMasks | null} */ (null) });
  const of = [value.picture, value.grid, ...value.words.map(({ name }) => name)].join("\n");
  if (data && last.current.masks?.labels !== data.labels) {
    last.current = { of, masks: { labels: data.labels, n: value.grid[0] * value.grid[1] } };
  }
  const masks = shown && last.current.of === of ? last.current.masks : null;
  return { masks, error, retry };
};

/**
 * The words that any block shows, in their colours.
 * @param {{ masks: BlockMasks, words: Word[] }} props
 */
const WordKey = ({ masks, words }) => {
  const seen = new Set(Array.from(masks.labels));
  const shown = words.filter((_, index) => seen.has(index + 1));
  const all = seen.has(0) ? [...shown, { name: REST, colour: REST_COLOUR }] : shown;
  return html`<ul class="gw-word-key">
    ${all.map(
      ({ name, colour }, k) => html`<li key=${k}>
        <span class="gw-swatch" style=${{ background: colour }} />
        <bdi>${name}</bdi>
      </li>`,
    )}
  </ul>`;
};

/**
 * What is seen: the words' colours, when they appear, and the words of a patch block by block.
 * @param {{ masks: BlockMasks, words: Word[], shown: import("./pointing.js").Patches }} props
 */
export const BlockMasksText = ({ masks, words, shown }) => {
  const patch = patchOn(shown);
  const index = patch && patch[0] * shown.grid[1] + patch[1];
  return html`<${WordKey} masks=${masks} words=${words} />
    <p class="gw-note gw-by-block">
      ${index !== null && html`<b>${patchHistory(masks, words, index)}</b>${" "}`}
      <${Prose} text=${`${WHAT} ${appearText(masks, words)}`} />
    </p>`;
};
