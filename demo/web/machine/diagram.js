// The diagram: bands at the back, pictures above, words and what is pointed at on top.
import { html } from "../html.js";
import { BlocksBack, BlocksPart, BlocksRasters } from "./blocks-part.js";
import { Provider } from "./frame.js";
import { HeadsPart, HeadsRasters } from "./heads-part.js";
import { MaskPart, MaskRasters } from "./mask-part.js";
import { Joins, MatrixBack, MatrixPart, MatrixRasters } from "./matrix-part.js";
import { Part } from "./part.js";
import { PicturePart, PictureRasters } from "./picture-part.js";
import { ScoresPart } from "./scores-part.js";
import { Band, Rect } from "./shapes.js";
import { ValuesPart } from "./values-part.js";
import { WordsPart, WordsRasters } from "./words-part.js";

/** @typedef {import("../../widgets/values").PartName} PartName */
/** @typedef {import("./frame.js").Frame} Frame */

/** The panel of the last block, and what opens it. @param {{ frame: Frame }} props */
const Panel = ({ frame: { type, plan } }) => {
  const last = plan.tiles[plan.tiles.length - 1];
  const top = `M${last.x} ${last.y + last.h}H${last.x + last.w}`;
  return html`<${Rect} box=${plan.panel} kind="gm-panel" rx=${0.8 * type.u} />
    <path d=${`${top}L${plan.W} ${plan.panel.y + type.u}H0Z`} class="gm-zoom" />`;
};

/** What flows from part to part when they lie side by side. @param {{ frame: Frame }} props */
const Flows = ({ frame: { type, plan } }) => {
  const { u } = type;
  const { photo, tiles, heads, maps, used, alike, maplets, mask, parts } = plan;
  const edge = 0.5 * u;
  const [first, last] = [maplets[0], maplets[maplets.length - 1]];
  const tall = { y: first.y, h: last.y + last.h - first.y };
  const [q, , v] = heads;
  const lower = { ...used, y: used.y + 0.72 * used.h, h: 0.28 * used.h };
  const half = { ...used, y: used.y + used.h / 2, h: used.h / 2 };
  const words = { ...parts.words, ...tall };
  const shift = (/** @type {import("./plan.js").Box} */ box, /** @type {number} */ dx) => ({
    ...box,
    x: box.x + dx,
  });
  return html`<${Band} from=${photo} to=${tiles[0]} />
    <${Band} from=${q} to=${maps[0]} />
    <${Band} from=${v} to=${lower} />
    <${Band} from=${half} to=${{ ...alike, y: alike.y + 0.2 * u, h: 3.6 * u }} />
    <${Band} from=${shift({ ...parts.values, ...tall }, edge)} to=${shift(words, -edge)} />
    <${Band} from=${shift(words, edge)} to=${shift({ ...mask, ...tall }, -edge)} />
    <${Joins} />`;
};

/**
 * @param {object} props
 * @param {Frame} props.frame
 * @param {(asked: { part?: PartName, block?: number }) => void} props.onAsk a part or block is
 *   pointed at
 */
export const Diagram = ({ frame, onAsk }) => {
  const { W, height, wide } = frame.plan;
  const { model } = frame.state.value;
  const size = { width: W, height, viewBox: `0 0 ${W} ${height}` };
  const askBlock = (/** @type {number} */ block) => onAsk({ block });
  const part = (/** @type {PartName} */ name, /** @type {any} */ children) =>
    html`<${Part} name=${name} onAsk=${() => onAsk({ part: name })}>${children}<//>`;
  return html`<${Provider} value=${frame}>
    <svg class="gm-back" aria-hidden="true" ...${size}>
      <${Panel} frame=${frame} />
      <${BlocksBack} />
      <${MatrixBack} />
      ${wide && html`<${Flows} frame=${frame} />`}
    </svg>
    <div class="gm-layer" style=${{ width: `${W}px`, height: `${height}px` }}>
      <${PictureRasters} />
      <${BlocksRasters} />
      <${HeadsRasters} />
      <${MatrixRasters} />
      <${WordsRasters} />
      <${MaskRasters} />
    </div>
    <svg role="group" aria-label=${`The machine: ${model}, from picture to mask`} ...${size}>
      ${part("picture", html`<${PicturePart} />`)}
      ${part("blocks", html`<${BlocksPart} onAsk=${askBlock} />`)}
      ${part("heads", html`<${HeadsPart} />`)}
      ${part("matrix", html`<${MatrixPart} />`)}
      ${part("values", html`<${ValuesPart} />`)}
      ${part("words", html`<${WordsPart} />`)}
      ${part("scores", html`<${ScoresPart} />`)}
      ${part("mask", html`<${MaskPart} />`)}
    </svg>
  <//>`;
};
