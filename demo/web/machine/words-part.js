// Patches × words: a small map of each word's scores; a press shows the word alone on the page.
import { percent } from "../dom.js";
import { html } from "../html.js";
import { isolate, isolated, isolatedIn } from "../store.js";
import { useFrame } from "./frame.js";
import { heat, Raster, Rect, Words } from "./shapes.js";
import { asButton, Zone } from "./zone.js";

/** @typedef {import("../../widgets/values").MachineWord} MachineWord */

/**
 * The words with the largest shares and the rest, in the order in which they were typed.
 * @param {import("./state.js").State} state
 * @param {number} most
 */
export const largestWords = ({ value, share }, most) => {
  const all = value.words.map((_, i) => i);
  const typed = all.filter((i) => value.words[i].index >= 0);
  const rest = all.slice(typed.length);
  const largest = typed.toSorted((i, j) => share[j] - share[i] || i - j);
  return [...largest.slice(0, most - rest.length).sort((i, j) => i - j), ...rest];
};

/**
 * The words by their class's index, without the rest; those that are not drawn are missing.
 * @param {{ words: MachineWord[] }} value
 */
export const wordsOf = ({ words }) => {
  /** @type {MachineWord[]} */
  const byIndex = [];
  for (const word of words) if (word.index >= 0) byIndex[word.index] = word;
  return byIndex;
};

export const WordsRasters = () => {
  const { plan, state, now } = useFrame();
  const { scores, n, w, h } = state;
  return largestWords(now, plan.maplets.length).map((i, k) => {
    const ink = heat(scores, 1, i * n);
    const box = plan.maplets[k];
    return html`<${Raster} key=${k} box=${box} w=${w} h=${h} of=${[scores, i]} ink=${ink} />`;
  });
};

/** @param {{ word: MachineWord, box: import("./plan.js").Plan["maplets"][number] }} props */
const Maplet = ({ word, box }) => {
  const { type, now } = useFrame();
  const { index, name, share } = word;
  const chosen = isolatedIn(now.value.words) === index;
  const [lines, kind] = type.named(name, box.room);
  const x = box.x + box.w / 2;
  const y = box.y + box.h + 1.25 * type.u;
  const press = () => {
    if (chosen) isolated.value = null;
    else isolate(word);
  };
  const zone = asButton(`${name}: ${percent(share)} of the picture`, chosen);
  return html`<${Rect} box=${box} kind=${chosen ? "gm-rim gm-chosen" : "gm-rim"} />
    ${lines.map(
      (text, k) => html`<${Words}
        key=${k}
        x=${x}
        y=${y + k * type.u}
        text=${text}
        kind=${kind}
        anchor="middle"
      />`,
    )}
    <${Zone} box=${box} onPress=${press} ...${zone} data-word=${index} />`;
};

export const WordsPart = () => {
  const { plan, now } = useFrame();
  return largestWords(now, plan.maplets.length).map((i, k) => {
    const word = now.value.words[i];
    return html`<${Maplet} key=${word.index} word=${word} box=${plan.maplets[k]} />`;
  });
};
