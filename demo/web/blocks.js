// Every block as a small map of how much each patch is attended to; a press chooses the block.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { unpackText } from "./blobs.js";
import { inkOfBlock, shareAsLast } from "./block-masks.js";
import { BlockMasksText, BY_BLOCK, useBlockMasks } from "./by-block.js";
import { HEAT, level, pixels } from "./colours.js";
import { Failed } from "./failed.js";
import { PatchMark } from "./figure.js";
import { useHost } from "./gradio.js";
import { html } from "./html.js";
import { Simulation } from "./simulation.js";
import { Prose } from "./terms/prose.js";

/** @typedef {import("../widgets/values").BlocksValue} BlocksValue */

const RECEIVED = "Blocks: how much each patch is attended to";
const LABELLED = "Blocks: what each patch would be labelled";

/**
 * @param {object} props
 * @param {BlocksValue} props.value
 * @param {import("../widgets/values").BlockShown} props.block
 * @param {ArrayLike<number>} props.received
 * @param {import("./block-masks.js").BlockMasks | null} props.masks shown in place of attention
 * @param {boolean} props.pressed
 * @param {() => void} props.onPress
 */
const Block = ({ value, block, received, masks, pressed, onPress }) => {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [rows, columns] = value.grid;
  const [height, width] = value.size;
  const { number, tokens, score, fused } = block;
  useLayoutEffect(() => {
    const ink = masks
      ? inkOfBlock(masks, number - 1, value.words)
      : (/** @type {number} */ i) => HEAT[level(received[i] / value.brightest)];
    if (ref.current) pixels(ref.current, columns, rows, ink);
  }, [received, masks]);
  const figure = masks
    ? `${Math.round(100 * shareAsLast(masks, number - 1))} %`
    : `×${score.toFixed(score < 9.95 ? 1 : 0)}`;
  return html`<button type="button" class="gw-block" aria-pressed=${pressed} onClick=${onPress}>
    <span class="gw-stage" style=${{ aspectRatio: `${width} / ${height}` }}>
      <canvas ref=${ref} />
      <svg viewBox=${`0 0 ${columns} ${rows}`} preserveAspectRatio="none">
        ${
          !masks &&
          tokens.map(
            (i) => html`<${PatchMark} key=${i} i=${i} columns=${columns} kind="gw-token" />`,
          )
        }
      </svg>
    </span>
    <span class="gw-number"><span class="gw-hidden">Block${" "}</span>${number}</span>${" "}
    <span class="gw-score">${figure}</span>
    ${fused && html`${" "}<span class="gw-badge">AMF</span>`}
  </button>`;
};

/** @param {{ value: BlocksValue, loaded: ArrayLike<number>[] }} props */
const Blocks = ({ value, loaded }) => {
  const { trigger } = useHost();
  const [pressed, setPressed] = useState({ value, number: value.chosen });
  const chosen = pressed.value === value ? pressed.number : value.chosen;
  const [asMasks, setAsMasks] = useState(false);
  const { masks, error, retry } = useBlockMasks(value, asMasks);
  const choose = (/** @type {number} */ number) => {
    setPressed({ value, number });
    trigger("select", { index: number, value: number });
  };
  return html`<${Simulation} sentence=${value.simulated} />
    <div class="gw-head">
      <div class="gw-title">
        <${Prose} text=${masks ? "Masks, block by block" : "Attention received, block by block"} />
      </div>
      <button
        type="button"
        class="gw-button"
        aria-pressed=${asMasks}
        onClick=${() => setAsMasks(!asMasks)}
      >
        ${BY_BLOCK}
      </button>
    </div>
    <div class="gw-strip" role="group" aria-label=${masks ? LABELLED : RECEIVED}>
      ${value.blocks.map(
        (block, k) => html`<${Block}
          key=${block.number}
          value=${value}
          block=${block}
          received=${loaded[k]}
          masks=${masks}
          pressed=${block.number === chosen}
          onPress=${() => choose(block.number)}
        />`,
      )}
    </div>
    ${error && html`<${Failed} error=${error} retry=${retry} />`}
    ${
      masks
        ? html`<${BlockMasksText} masks=${masks} words=${value.words} shown=${value} />`
        : html`<p class="gw-note"><${Prose} text=${value.note} /></p>`
    }`;
};

/** @type {import("./gradio.js").Widget<BlocksValue, ArrayLike<number>[]>} */
export const blocks = {
  load: async ({ blocks }) => {
    const arrays = await Promise.all(blocks.map(({ received }) => unpackText(received)));
    return arrays.map(({ received }) => received);
  },
  View: Blocks,
};
