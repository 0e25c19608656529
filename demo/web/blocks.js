// Every block as a small map of how much each patch is attended to; a press chooses the block.
import { unpackText } from "./blobs.js";
import { HEAT, level, pixels } from "./colours.js";
import { button, make, svg } from "./dom.js";

export const blocks = ({ mount, simulation, trigger }) => {
  mount(async (value) => {
    const [height, width] = value.grid;
    const list = make("div", "gw-strip");
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Blocks: how much each patch is attended to");
    const maps = await Promise.all(value.blocks.map((block) => unpackText(block.received)));
    const top = Math.max(...maps.flatMap(({ received }) => [...received]));
    for (const [k, { number, tokens, score, fused }] of value.blocks.entries()) {
      const choose = () => {
        for (const one of list.children) one.setAttribute("aria-pressed", String(one === block));
        trigger("select", { index: number, value: number });
      };
      const block = button(undefined, choose, "gw-block");
      block.setAttribute("aria-pressed", String(number === value.chosen));
      const stage = make("span", "gw-stage");
      const canvas = make("canvas");
      const marks = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
      stage.style.aspectRatio = `${value.size[1]} / ${value.size[0]}`;
      pixels(canvas, width, height, (i) => HEAT[level(maps[k].received[i] / top)]);
      for (const token of tokens) {
        const place = { x: token % width, y: Math.floor(token / width), width: 1, height: 1 };
        marks.append(svg("rect", { ...place, class: "gw-token" }));
      }
      stage.append(canvas, marks);
      const name = make("span", "gw-number");
      name.append(make("span", "gw-hidden", "Block "), String(number));
      const times = `×${score.toFixed(score < 9.95 ? 1 : 0)}`;
      block.append(stage, name, " ", make("span", "gw-score", times));
      if (fused) block.append(" ", make("span", "gw-badge", "AMF"));
      list.append(block);
    }
    const head = make("div", "gw-title", "Attention received, block by block");
    const simulated = value.simulated ? [simulation(value.simulated)] : [];
    return [...simulated, head, list, make("p", "gw-note", value.note)];
  });
};
