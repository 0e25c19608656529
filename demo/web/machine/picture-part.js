// The picture in patches, and what the chosen block looks at most in it.

import { VEIL } from "../colours.js";
import { html } from "../html.js";
import { useFrame, usePatch } from "./frame.js";
import { heat, Photo, Raster, Rect, Words } from "./shapes.js";
import { Zone } from "./zone.js";

const LABEL = "Patches of the picture. Arrow keys move, Enter pins, Escape frees.";

/**
 * Frames around patches in a box.
 * @param {{ w: number, h: number }} grid
 * @param {ArrayLike<number>} patches
 * @param {import("./plan.js").Box} box
 */
export const framesOf = ({ w: columns, h: rows }, patches, { x, y, w, h }) => {
  const [wide, high] = [w / columns, h / rows];
  return Array.from(patches, (patch) => {
    const left = x + (patch % columns) * wide;
    const top = y + Math.floor(patch / columns) * high;
    const size = `h${wide.toFixed(1)}v${high.toFixed(1)}h${(-wide).toFixed(1)}z`;
    return `M${left.toFixed(1)} ${top.toFixed(1)}${size}`;
  }).join("");
};

export const PictureRasters = () => {
  const { plan, state } = useFrame();
  const patch = usePatch();
  const { used, bright, m, squares } = state;
  const veil = patch ? heat(used, bright, patch.square * m, VEIL) : () => 0;
  return html`<${Photo} box=${plan.photo} image=${state.photo} />
    <${Raster}
      box=${plan.photo}
      w=${squares.wide}
      h=${squares.tall}
      of=${[used, bright, patch?.square]}
      ink=${veil}
    />`;
};

/** The places where the patch looks most. */
const Looks = () => {
  const { plan, state } = useFrame();
  const patch = usePatch();
  if (!patch) return null;
  const { looks, n, w: columns, h: rows } = state;
  const { x, y, w, h } = plan.photo;
  return Array.from({ length: looks.length / n }, (_, k) => {
    const at = looks[k * n + patch.index];
    const box = {
      ...{ x: x + ((at % columns) * w) / columns, y: y + (Math.floor(at / columns) * h) / rows },
      ...{ w: w / columns, h: h / rows },
    };
    return html`<${Rect} key=${k} box=${box} kind="gm-from" data-from=${at} />`;
  });
};

export const PicturePart = () => {
  const { type, plan, state } = useFrame();
  const { x, y, w, h } = plan.photo;
  const { w: columns, h: rows } = state;
  const line = (/** @type {number} */ count, /** @type {(k: number) => string} */ draw) =>
    Array.from({ length: count - 1 }, (_, i) => draw((i + 1) / count)).join("");
  const down = line(columns, (k) => `M${(x + k * w).toFixed(1)} ${y}v${h}`);
  const across = line(rows, (k) => `M${x} ${(y + k * h).toFixed(1)}h${w}`);
  const { number, tokens } = state.value.blocks[state.value.norms_of - 1];
  const caption = tokens.length
    ? `squares: global tokens of block ${number}`
    : `no global token in block ${number}`;
  const lines = plan.wide ? type.wrap(caption, w, "small") : [caption];
  const zone = { tabindex: 0, role: "application", "aria-label": LABEL, "data-zone": "picture" };
  return html`<path d=${down + across} class="gm-grid" />
    <path d=${framesOf(state, tokens, plan.photo)} class="gm-token gm-seen" />
    ${lines.map((text, k) => {
      const below = y + h + 1.25 * (k + 1) * type.u;
      return html`<${Words} key=${k} x=${x} y=${below} text=${text} kind="small" />`;
    })}
    <${Zone} box=${plan.photo} ...${zone} />
    <${Looks} />`;
};
