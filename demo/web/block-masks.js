// Masks by block, as numbers and words; nothing here draws.
import { hex, pack } from "./colours.js";
import { REST, REST_COLOUR, REST_INDEX } from "./rest.js";

/** @typedef {{ name: string, colour: string }} Word by the class's index; there may be gaps */
/**
 * Labels of n patches, block after block: 0 is the background, i + 1 the word i.
 * @typedef {{ labels: ArrayLike<number>, n: number }} BlockMasks
 */

const HALF = 0.5;
const LISTED = 6;

/** @param {BlockMasks} masks */
const depthOf = ({ labels, n }) => labels.length / n;

/**
 * The share of patches that have the label of the last block in block k already.
 * @param {BlockMasks} masks
 * @param {number} k from 0
 */
export const shareAsLast = ({ labels, n }, k) => {
  let same = 0;
  for (let i = 0; i < n; i++) same += Number(labels[k * n + i] === labels[labels.length - n + i]);
  return same / n;
};

/**
 * Intersection over union of a label's mask in block k and in the last.
 * @param {BlockMasks} masks
 * @param {number} k
 * @param {number} label
 */
const overlap = ({ labels, n }, k, label) => {
  let [both, either] = [0, 0];
  for (let i = 0; i < n; i++) {
    const [now, last] = [labels[k * n + i], labels[labels.length - n + i]];
    both += Number(now === label && last === label);
    either += Number(now === label || last === label);
  }
  return both / either;
};

/**
 * The words of the last mask, the largest first, each with the block (from 1) from which on its
 * mask is half or more of the last one's, by intersection over union.
 * @param {BlockMasks} masks
 * @returns {[label: number, block: number][]}
 */
export const firstBlocks = (masks) => {
  const { labels, n } = masks;
  const last = Array.from({ length: n }, (_, i) => labels[labels.length - n + i]);
  const area = (/** @type {number} */ label) => last.filter((own) => own === label).length;
  const shown = [...new Set(last)].filter((label) => label > 0);
  return shown
    .sort((a, b) => area(b) - area(a) || a - b)
    .map((label) => {
      let block = depthOf(masks);
      while (block > 1 && overlap(masks, block - 2, label) >= HALF) block--;
      return [label, block];
    });
};

/** Words of visitors, quoted. @param {string[]} names */
const quoted = (names) => {
  const listed = names.slice(0, LISTED).map((name) => `“${name}”`);
  const more = names.length - listed.length;
  return more ? `${listed.join(", ")} and ${more} more` : listed.join(", ");
};

/**
 * From which block on which words are there.
 * @param {BlockMasks} masks
 * @param {{ name: string }[]} words
 */
export const appearText = (masks, words) => {
  const depth = depthOf(masks);
  const firsts = firstBlocks(masks);
  if (!firsts.length) return "The last block gives no patch a word.";
  const blocks = [...new Set(firsts.map(([, block]) => block))].sort((a, b) => a - b);
  const parts = blocks.map((block) => {
    const named = firsts.filter(([, first]) => first === block);
    const names = quoted(named.map(([label]) => words[label - 1]?.name ?? "another word"));
    return block === depth ? `${names} only in block ${depth}` : `${names} from block ${block} on`;
  });
  const early = blocks.length === 1 && blocks[0] === 1 && depth > 1;
  if (early) return "Every word is there from block 1 on, with half of its last mask by IoU.";
  return `Words appear, with half of their last mask by IoU: ${parts.join("; ")}.`;
};

/**
 * The words of one patch, block by block.
 * @param {BlockMasks} masks
 * @param {{ name: string }[]} words
 * @param {number} patch
 */
export const patchHistory = (masks, words, patch) => {
  const { labels, n } = masks;
  /** @type {{ label: number, from: number, to: number }[]} */
  const runs = [];
  for (let k = 0; k < depthOf(masks); k++) {
    const label = labels[k * n + patch];
    const run = runs[runs.length - 1];
    if (run?.label === label) run.to = k + 1;
    else runs.push({ label, from: k + 1, to: k + 1 });
  }
  const parts = runs.map(({ label, from, to }) => {
    const name = label ? `“${words[label - 1]?.name ?? "another word"}”` : REST;
    return `${name} ${from === to ? from : `${from} to ${to}`}`;
  });
  return `By block: ${parts.join(", ")}.`;
};

/**
 * The colour of patch i of block k.
 * @param {BlockMasks} masks
 * @param {number} k from 0
 * @param {Word[]} words
 * @param {number | null} [only] the word that is shown alone, -1 for the background
 */
export const inkOfBlock = ({ labels, n }, k, words, only = null) => {
  const alpha = (/** @type {number} */ index) => (only === null || only === index ? 255 : 50);
  const rest = pack(...hex(REST_COLOUR), alpha(REST_INDEX));
  const inks = words.map(({ colour }, index) => pack(...hex(colour), alpha(index)));
  return (/** @type {number} */ i) => inks[labels[k * n + i] - 1] ?? rest;
};
