// The scores of the patch that is pointed at.
import { byPointer } from "../dom.js";
import { html } from "../html.js";
import { useFrame, usePatch } from "./frame.js";
import { fitsAt, rounded, sharesAt, signed } from "./scores.js";
import { Rect, Words } from "./shapes.js";

/** @typedef {import("./scores.js").Scored} Scored */

/** @param {{ scored: Scored, part: number, cosine: number | undefined, k: number }} props */
const Bar = ({ scored: { name, colour, share }, part, cosine, k }) => {
  const { type, plan } = useFrame();
  const { u } = type;
  const { x, y: top, w } = plan.bars;
  const y = top + 1.4 * k * u;
  const line = y + 0.75 * u;
  const percents = type.lengthOf("100 %", "num") + 0.5 * u;
  const fit = cosine === undefined ? "" : signed(cosine);
  const taken = fit ? type.lengthOf(fit, "num") + 0.5 * u : 0;
  const [text, kind] = type.brief(name, w - percents - taken);
  const bar = { x, y: y + 0.98 * u, w: Math.max(w * share, 1), h: 0.3 * u };
  return html`<${Words} x=${x} y=${line} text=${text} kind=${kind} />
    <${Words}
      x=${x + w - percents}
      y=${line}
      text=${fit}
      kind="num"
      anchor="end"
      data-value=${cosine}
    />
    <${Rect} box=${bar} kind="" fill=${colour} rx="2" />
    <${Words}
      x=${x + w}
      y=${line}
      text=${`${part} %`}
      kind="num"
      anchor="end"
      data-value=${share}
      data-name=${name}
    />`;
};

export const ScoresPart = () => {
  const { type, plan, state } = useFrame();
  const patch = usePatch();
  const { x, y } = plan.bars;
  if (!patch) {
    const hint = byPointer("Point at a patch.", "Tap a patch.");
    return html`<${Words} x=${x} y=${y + 0.75 * type.u} text=${hint} kind="small" />`;
  }
  const list = sharesAt(state, patch.index);
  const parts = rounded(list.map(({ share }) => share));
  const fits = fitsAt(state, patch.index);
  return list.map((scored, k) => {
    const cosine = fits.find(([index]) => index === scored.index)?.[1];
    return html`<${Bar} key=${k} scored=${scored} part=${parts[k]} cosine=${cosine} k=${k} />`;
  });
};
