// A part of the diagram: its name, its equation with the mark of its source, its value.
import { html } from "../html.js";
import { useFrame } from "./frame.js";
import { Line, Rect, Words } from "./shapes.js";

/** @typedef {import("../../widgets/values").PartName} PartName */

/** That the last switch left a part as it was. @param {{ name: PartName, words: string }} props */
const Stayed = ({ name, words }) => {
  const { type, plan } = useFrame();
  const { u } = type;
  const box = plan.parts[name];
  const own = { className: "gm-same" };
  if (!plan.wide) {
    const at = { x: box.x + box.w, y: box.y + 1.35 * u };
    return html`<${Words} ...${at} text=${words} kind="small" anchor="end" ...${own} />`;
  }
  if (name === "blocks") {
    return type.wrap(words, plan.gutter, "tiny").map((text, k) => {
      const at = { x: box.x - 0.4 * u, y: plan.tiles[0].y + (0.6 + 1.2 * k) * u };
      return html`<${Words} key=${k} ...${at} text=${text} kind="tiny" anchor="end" ...${own} />`;
    });
  }
  const y = name === "picture" ? box.h + 2.7 * u : box.y + 2.6 * u;
  return html`<${Words} x=${box.x} y=${y} text=${words} kind="small" ...${own} />`;
};

/** The lines under the name. @param {{ name: PartName }} props */
const Lines = ({ name }) => {
  const { type, plan, state } = useFrame();
  const { u } = type;
  const box = plan.parts[name];
  const { equation, value, wrapped } = plan.lines[name];
  if (wrapped.length || !plan.wide) {
    const first = plan.wide ? plan.foot : box.y + 2.8 * u;
    return wrapped.map(
      ([text, kind], k) =>
        html`<${Line} key=${k} x=${box.x} y=${first + k * plan.line} text=${text} kind=${kind} />`,
    );
  }
  if (name === "blocks") {
    const after = box.x + type.lengthOf(state.value.parts.blocks.name, "name") + 0.8 * u;
    return html`<${Line} x=${box.x} y=${box.y + 2.7 * u} text=${equation} kind="eq" />
      <${Line} x=${after} y=${box.y + 1.35 * u} text=${value} kind="small" />`;
  }
  const [text, kind] = equation ? [equation, "eq"] : [value, "small"];
  return html`<${Line} x=${box.x} y=${box.y + 2.7 * u} text=${text} kind=${kind} />`;
};

/**
 * @param {object} props
 * @param {PartName} props.name
 * @param {(name: PartName) => void} props.onAsk the part is pointed at
 * @param {any} [props.children]
 */
export const Part = ({ name, onAsk, children }) => {
  const { type, plan, state, same } = useFrame();
  const { u } = type;
  const box = plan.parts[name];
  const { name: title, value, sentence } = state.value.parts[name];
  const stayed = same[name] ?? "";
  const label = `${title}: ${value}. ${sentence}${stayed ? " Unchanged." : ""}`;
  const ask = () => onAsk(name);
  const head = { y: box.y + 1.35 * u };
  return html`<g
    role="group"
    aria-label=${label}
    data-part=${name}
    data-same=${stayed}
    onPointerMove=${ask}
    onFocusIn=${ask}
  >
    <${Rect} box=${box} kind="gm-area" />
    <${Words} x=${box.x} ...${head} text=${title} kind="name" className="gm-halo" />
    ${
      name === "scores"
        ? html`<${Line}
            x=${box.x + box.w}
            ...${head}
            text=${plan.lines.scores.equation}
            kind="eq"
            anchor="end"
          />`
        : html`<${Lines} name=${name} />`
    }
    ${stayed && html`<${Stayed} name=${name} words=${stayed} />`} ${children}
  </g>`;
};
