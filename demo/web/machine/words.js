// What the machine says: what a switch did, a block, and the patch that is pointed at.
import { LEAST } from "../blobs.js";
import { percent, placeName } from "../dom.js";
import { REST } from "../rest.js";
import { fitsAt, rounded, sharesAt, signed, times } from "./scores.js";
import { unchanged } from "./state.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("../../widgets/values").MachineBlock} MachineBlock */
/** @typedef {import("../../widgets/values").MachineValue} MachineValue */

const NAMES = /** @type {const} */ ({
  picture: "the picture",
  blocks: "all blocks",
  heads: "queries, keys and Values",
  mask: "the mask",
});

const REPAIRED = "CS repairs it: switch CS off to see the fault.";

/** What one switch did. @param {State} from @param {State} to @param {string} name of the switch */
export const effectOf = (from, to, name) => {
  const differ = from.labels.reduce((sum, label, i) => sum + Number(label !== to.labels[i]), 0);
  const [before, after] = [from.value.miou, to.value.miou];
  const stayed = unchanged(from, to);
  /** @type {Record<string, string>} */
  const states = {
    amf: `AMF is ${to.value.amf ? "on" : "off"}`,
    cs: `CS is ${to.value.cs ? "on" : "off"}`,
    fault: to.value.fault ? "With the fault" : "Without the fault",
  };
  const scored = before !== null && after !== null;
  const score = scored ? `; mIoU goes from ${percent(before)} to ${percent(after)}` : "";
  const same = /** @type {(keyof typeof NAMES)[]} */ (Object.keys(NAMES))
    .filter((part) => stayed[part])
    .map((part) => {
      const words = stayed[part] ?? "";
      return /\d/.test(words) ? words.replace(" unchanged", "") : NAMES[part];
    });
  const changed = percent(differ / to.labels.length);
  const what = states[name] ?? "Another last block";
  const effect = `${what}: ${changed} of the mask changes${score}. Unchanged: ${same.join(", ")}.`;
  const repaired = name === "fault" && to.value.fault && to.value.blocks.some((b) => b.repaired);
  return repaired ? `${effect} ${REPAIRED}` : effect;
};

/** A block in words. @param {MachineBlock} block @param {MachineValue} value */
export const blockText = (block, value) => {
  const channel = [
    `largest channel ${block.channel}, ${times(block.ratio)} the median`,
    block.planted ? ", a simulated fault" : "",
    block.repaired ? `, brought back by CS to ${times(block.after)}` : "",
    block.idle ? ", unused: the last block's FFN is left out" : "",
  ];
  const parts = [
    `Block ${block.number}: most looked-at patch ${times(block.score)} uniform, ` +
      `${block.tokens.length} global tokens`,
    channel.join(""),
  ];
  if (block.agreement !== null) {
    parts.push(`they look where the class token looks by ${block.agreement.toFixed(2)} of 1`);
  }
  if (value.fused.includes(block.number)) parts.push("AMF takes it");
  return parts.join("; ");
};

/**
 * A patch in words.
 * @param {State} state
 * @param {[row: number, column: number]} place
 * @param {boolean} pinned
 */
export const patchText = (state, [row, column], pinned) => {
  const { words, threshold } = state.value;
  const patch = row * state.w + column;
  const nameAt = (/** @type {number} */ i) => placeName(Math.floor(i / state.w), i % state.w);
  const list = sharesAt(state, patch);
  const round = rounded(list.map(({ share }) => share));
  const nameOf = (/** @type {number} */ index) => {
    if (index < 0) return REST;
    return words.find((word) => word.index === index)?.name ?? "another word";
  };
  const fits = fitsAt(state, patch).map(([index, cosine], k) => {
    const at = list.findIndex((scored) => scored.index === index);
    const share = at < 0 ? "" : `, ${round[at]} %`;
    return `${nameOf(index)} (${k ? "" : "cosine "}${signed(cosine)}${share})`;
  });
  const count = state.looks.length / state.n;
  const most = Array.from({ length: count }, (_, k) => k * state.n + patch);
  const seen = most.filter((i, k) => k === 0 || state.times[i] >= LEAST);
  const looks = seen.map((i, k) => {
    const share = k ? "" : " an equal share";
    return `${nameAt(state.looks[i])} (${state.times[i].toFixed(1)} ×${share})`;
  });
  const best = state.fits[patch] - 1;
  const score = list.find(({ index }) => index === best)?.share ?? 1;
  const low = best >= 0 && score < threshold ? "none, under the threshold; best " : "";
  return (
    `Patch ${placeName(row, column)}${pinned ? " (pinned)" : ""}. ` +
    `Label: ${low}${fits.join(", then ")}. Looks most at ${looks.join(", ")}.`
  );
};
