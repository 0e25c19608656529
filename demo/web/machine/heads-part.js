// The last block: queries, keys and Values in colours; like colours are like vectors.
import { pack } from "../colours.js";
import { html } from "../html.js";
import { useFrame } from "./frame.js";
import { Formula, Raster, Words } from "./shapes.js";
import { Zone } from "./zone.js";

const HEADS = /** @type {const} */ (["q", "k", "v"]);

export const HeadsRasters = () => {
  const { plan, state } = useFrame();
  return HEADS.map((name, i) => {
    const colours = state[`head_${name}`];
    const idle = state.value.unused.includes(name);
    const ink = (/** @type {number} */ j) => {
      const [r, g, b] = [0, 1, 2].map((c) => 255 * colours[3 * j + c]);
      const grey = (r + g + b) / 3;
      return idle ? pack(grey, grey, grey, 90) : pack(r, g, b);
    };
    const { wide, tall } = state.squares;
    const of = [colours, idle];
    const box = plan.heads[i];
    return html`<${Raster} key=${name} box=${box} w=${wide} h=${tall} of=${of} ink=${ink} />`;
  });
};

export const HeadsPart = () => {
  const { type, plan, state } = useFrame();
  const { u } = type;
  return HEADS.map((name, i) => {
    const box = plan.heads[i];
    const [mid, middle] = [box.x + box.w / 2, box.y + box.h / 2 + 0.35 * u];
    const place = plan.wide
      ? { x: box.x - 0.5 * u, y: middle, anchor: "end" }
      : { x: mid, y: box.y - 0.4 * u, anchor: "middle" };
    const idle = state.value.unused.includes(name);
    const unused = { x: mid, y: middle, kind: "small", anchor: "middle", className: "gm-halo" };
    return html`<g key=${name}>
      <${Formula} ...${place} text=${name} />
      ${idle ? html`<${Words} ...${unused} text="unused" />` : html`<${Zone} box=${box} />`}
    </g>`;
  });
};
