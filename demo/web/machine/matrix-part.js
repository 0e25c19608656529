// The matrices of attention and what they add up to: the last block's own, and those of AMF.
import { html } from "../html.js";
import { isAbnormal } from "./blocks-part.js";
import { useFrame } from "./frame.js";
import { Fall, heat, Line, Raster, Rect, Words } from "./shapes.js";
import { Zone } from "./zone.js";

const SLOTS = ["", "AMF", "off"]; // in the places of matrices that are not taken

export const MatrixRasters = () => {
  const { plan, state, now } = useFrame();
  const { m, bright, used, local, fusing, value } = state;
  const maps = plan.maps.slice(0, value.fused.length + 1).map((box, i) => {
    const map = i ? now.maps[i] : local;
    const opacity = i ? fusing[0] : 1;
    const ink = heat(map, bright);
    return html`<${Raster}
      key=${i}
      box=${box}
      w=${m}
      h=${m}
      of=${[map, bright]}
      ink=${ink}
      opacity=${opacity}
    />`;
  });
  const ink = heat(used, bright);
  return html`${maps}
    <${Raster} box=${plan.used} w=${m} h=${m} of=${[used, bright]} ink=${ink} />`;
};

/** The bands from the matrices into their mean. */
export const MatrixBack = () => {
  const { plan, state } = useFrame();
  const { fusing, value } = state;
  const share = plan.used.w / (fusing[0] > 0 ? plan.maps.length : 1);
  return plan.maps.slice(0, value.fused.length + 1).map((box, i) => {
    const to = { ...plan.used, x: plan.used.x + i * share, w: share };
    const kind = i ? "gm-flow gm-amfflow" : "gm-flow";
    const opacity = i ? fusing[0] : 1;
    return html`<${Fall} key=${i} from=${box} to=${to} kind=${kind} opacity=${opacity} />`;
  });
};

/**
 * A matrix with its name and its weight.
 * @param {{ box: import("./plan.js").Box, i: number }} props
 */
const Taken = ({ box, i }) => {
  const { type, plan, state, formulas } = useFrame();
  const { u } = type;
  const { fused, local } = state.value;
  const symbol = i ? (box.w > 2.6 * u ? `A_{qk}^{${fused[i - 1]}}` : `${fused[i - 1]}`) : local;
  const name = formulas ? symbol : i ? `${fused[i - 1]}` : "last";
  const mid = box.x + box.w / 2;
  const share = plan.used.w / (state.fusing[0] > 0 ? plan.maps.length : 1);
  const x = (mid + plan.used.x + (i + 0.5) * share) / 2;
  const count = fused.length + 1;
  const weight = {
    ...{ x, y: box.y + box.h + 1.7 * u, kind: "strong", anchor: "middle", className: "gm-halo" },
    "data-weight": 1 / count,
  };
  const kind = formulas ? "eq" : "small";
  return html`<${Rect} box=${box} kind=${`gm-rim${i ? " gm-fused" : ""}`} />
    <${Line} x=${mid} y=${box.y - 0.5 * u} text=${name} kind=${kind} anchor="middle" />
    <${Zone} box=${box} kind="rows" />
    <${Words} ...${weight} text=${count > 1 ? `1/${count}` : "1"} />`;
};

/** Names of the columns and the rows, the longest that have room. */
const AXES = [
  ["patch looked at →", "patch that looks →"],
  ["looked at →", "looks →"],
];

/** The names of a matrix's axes, at its edges. @param {{ box: import("./plan.js").Box }} props */
const Axes = ({ box: { x, y, w, h } }) => {
  const { u, lengthOf } = useFrame().type;
  const room = Math.min(w - 1.7 * u, h - u); // beside the name of the rows
  const axes = AXES.find((names) => names.every((name) => lengthOf(name, "tiny") <= room));
  if (!axes) return null;
  const [columns, rows] = axes;
  const own = { kind: "tiny", anchor: "end", className: "gm-axis-name" };
  const [left, foot] = [x + 0.4 * u, y + h - 0.5 * u];
  return html`<${Words} x=${x + w - 0.4 * u} y=${foot} text=${columns} ...${own} />
    <${Words}
      x=${left}
      y=${foot}
      text=${rows}
      ...${own}
      transform=${`rotate(90 ${left} ${foot})`}
    />`;
};

export const MatrixPart = () => {
  const { type, plan, state } = useFrame();
  const { u } = type;
  const taken = state.value.fused.length + 1;
  return html`${plan.maps.map((box, i) => {
    if (i < taken) return html`<${Taken} key=${i} box=${box} i=${i} />`;
    const at = { x: box.x + box.w / 2, y: box.y + box.h / 2 + 0.3 * u };
    return html`<g key=${i}>
        <${Rect} box=${box} kind="gm-slot" />
        <${Words} ...${at} text=${SLOTS[i]} kind="small" anchor="middle" />
      </g>`;
  })}
    <${Rect} box=${plan.used} kind="gm-rim" />
    <${Axes} box=${plan.used} />
    <${Zone} box=${plan.used} kind="rows" />`;
};

/**
 * The line that joins a tile to the opened last block: down, along the gap above it, down.
 * @param {import("./frame.js").Frame} frame
 * @param {import("./plan.js").Plan["tiles"][number]} from
 * @param {number} x
 * @param {number} y
 * @param {number} lane
 */
const bend = ({ type: { u }, plan }, from, x, y, lane) => {
  const above = from.row < plan.tiles[plan.tiles.length - 1].row;
  const aside = above ? from.w / 2 + 0.45 * u : 0;
  const start = from.x + from.w / 2 - aside;
  const along = plan.panel.y - (1.9 - 0.8 * lane) * u;
  const r = Math.min(u, Math.abs(x - start) / 2);
  const k = x < start ? -r : r;
  const down = `M${start} ${from.y + from.h + (aside ? 0 : 5.1 * u)}V${along - r}`;
  const turn = `Q${start} ${along} ${start + k} ${along}H${x - k}`;
  return `${down}${turn}Q${x} ${along} ${x} ${along + r}V${y}`;
};

/**
 * What joins tiles to the opened block: the blocks that AMF takes, and that whose channels are
 * shown.
 */
export const Joins = () => {
  const frame = useFrame();
  const { type, plan, state, old, formulas } = frame;
  const { u } = type;
  const { value, fusing } = state;
  const taken = value.fused.length || !fusing[0] ? value.fused : (old?.value.fused ?? []);
  const block = value.blocks[value.norms_of - 1];
  const repair = block.repaired ? "gm-good" : isAbnormal(value, block) ? "gm-ill" : "";
  const { norms } = plan;
  const tile = plan.tiles[value.norms_of - 1];
  return html`${taken.map((number, i) => {
    const map = plan.maps[i + 1];
    if (!map) return null;
    const d = bend(
      frame,
      plan.tiles[number - 1],
      map.x + map.w / 2,
      map.y - (formulas ? 2.1 : 1.5) * u,
      i,
    );
    const dash = { "stroke-dasharray": 1, "stroke-dashoffset": (1 - fusing[0]).toFixed(3) };
    return html`<path
      key=${i}
      d=${d}
      class="gm-amf"
      pathLength="1"
      ...${dash}
      data-block=${number}
    />`;
  })}
    <path
      d=${bend(frame, tile, norms.x + norms.w, norms.y - 0.2 * u, 0.5)}
      class=${`gm-ffn ${repair}`}
    />`;
};
