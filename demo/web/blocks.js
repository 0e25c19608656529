// Every block as a small map of how much each patch is attended to; a press chooses the block.
import { bytesOf } from "./blobs.js";
import { HEAT, pixels } from "./colours.js";
import { fault, make, svg } from "./dom.js";

export const blocks = ({ mount, trigger }) => {
  mount(async (value) => {
    const [height, width] = value.grid;
    const list = make("div", "gw-strip");
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Blocks: how much each patch is attended to");
    for (const block of value.blocks) {
      const button = make("button", "gw-block");
      button.setAttribute("aria-pressed", String(block.number === value.chosen));
      const stage = make("span", "gw-stage"),
        canvas = make("canvas"),
        marks = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
      stage.style.aspectRatio = `${value.size[1]} / ${value.size[0]}`;
      const levels = bytesOf(block.levels);
      pixels(canvas, width, height, (i) => HEAT[levels[i]]);
      for (const token of block.tokens)
        marks.append(
          svg("rect", {
            x: token % width,
            y: Math.floor(token / width),
            width: 1,
            height: 1,
            class: "gw-token",
          }),
        );
      stage.append(canvas, marks);
      const number = make("span", "gw-number");
      number.append(make("span", "gw-hidden", "Block "), String(block.number));
      button.append(
        stage,
        number,
        " ",
        make("span", "gw-score", `×${block.score.toFixed(block.score < 9.95 ? 1 : 0)}`),
      );
      if (block.fused) button.append(" ", make("span", "gw-badge", "AMF"));
      button.addEventListener("click", () => {
        for (const other of list.children)
          other.setAttribute("aria-pressed", String(other === button));
        trigger("select", { index: block.number, value: block.number });
      });
      list.append(button);
    }
    const head = make("p", "gw-head");
    head.append(make("span", "gw-title", "Attention received, block by block"), ...fault(value));
    return [head, list, make("p", "gw-note", value.note)];
  });
};
