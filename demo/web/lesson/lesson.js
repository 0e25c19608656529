// The lesson: a step's text and pictures, its question, a guess, then the answer.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useHost } from "../gradio.js";
import { html } from "../html.js";
import { input } from "../page/input.js";
import { openFirstTab } from "../page/tab-strip.js";
import { WORDS } from "../page/words.js";
import { Simulation } from "../simulation.js";
import { planted } from "../store.js";
import { LessonFigureView } from "./figure.js";
import { Question, Strong } from "./question.js";

/** @typedef {import("../../widgets/values").LessonPage} LessonPage */

/**
 * Of all steps at once, the others hidden: a picture that loads late would move the text.
 * @param {{ page: LessonPage, hidden: boolean, answered: boolean }} props
 */
const Figures = ({ page, hidden, answered }) => {
  const highOf = (/** @type {LessonPage["before"]} */ figures) =>
    Math.max(...figures.flatMap(({ norms }) => norms ?? []));
  const draw = (/** @type {LessonPage["before"]} */ figures) =>
    figures.map(
      (figure) => html`<${LessonFigureView}
        key=${figure.caption}
        figure=${figure}
        high=${highOf(figures)}
      />`,
    );
  if (hidden) {
    return html`<div hidden>${draw([...page.before, ...page.after])}</div>`;
  }
  const paired = page.before.length > 1 ? "paired" : "";
  return html`<div class=${`figures ${paired}`}>
    ${draw(page.before)} ${answered && draw(page.after)}
  </div>`;
};

/**
 * @param {object} props
 * @param {number} props.at the step
 * @param {number} props.last
 * @param {boolean} props.isDone the step's question is answered, or it has none
 * @param {(to: number) => void} props.onGo
 * @param {() => void} props.onOwn
 */
const Walk = ({ at, last, isDone, onGo, onOwn }) => {
  const main = `gw-button ${isDone ? "main" : ""}`;
  const next = at ? "Next →" : "Begin →";
  return html`<div class="walk">
    ${
      at > 0 &&
      html`<button type="button" class="gw-button" onClick=${() => onGo(at - 1)}>← Back</button>
        <span>Step ${at} of ${last}</span>`
    }
    ${
      at === last
        ? html`<button type="button" class=${main} onClick=${onOwn}>Take your own photo</button>`
        : html`<button type="button" class=${main} onClick=${() => onGo(at + 1)}>${next}</button>`
    }
  </div>`;
};

/** @param {{ value: import("../../widgets/values").LessonValue }} props */
const Lesson = ({ value: { pages } }) => {
  const { trigger } = useHost();
  const [at, setAt] = useState(0);
  const [guesses, setGuesses] = useState(/** @type {Record<number, number>} */ ({}));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const moved = useRef(/** @type {{ aim: string, y: number } | null} */ (null));
  const page = pages[at];
  const guess = guesses[at];
  const go = (/** @type {number} */ to) => {
    moved.current = { aim: "h2", y: scrollY };
    setAt(to);
  };
  const takeGuess = (/** @type {number} */ i) => {
    moved.current = { aim: "[aria-pressed=true]", y: scrollY };
    setGuesses({ ...guesses, [at]: i });
  };
  useLayoutEffect(() => {
    if (!moved.current) return;
    const { aim, y } = moved.current;
    moved.current = null;
    scrollTo(0, y); // what is below keeps its place otherwise
    const next = /** @type {HTMLElement | null | undefined} */ (box.current?.querySelector(aim));
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  });
  const ownPhoto = () => {
    trigger("ownPhoto");
    openFirstTab();
    document.querySelector("#photo")?.scrollIntoView({ block: "center" });
    input.choosePhoto();
  };
  const isDone = !page.question || guess !== undefined;
  return html`<${Simulation} sentence=${planted.value && WORDS.elsewhere} />
    <section class="lesson" aria-label="Lesson" ref=${box}>
    <div class="words">
      <h2 tabindex="-1">${at > 0 && `${at} · `}${page.title}</h2>
      <${Strong} text=${page.text} />
    </div>
    ${pages.map(
      (step, k) => html`<${Figures}
        key=${step.title}
        page=${step}
        hidden=${k !== at}
        answered=${guess !== undefined}
      />`,
    )}
    <${Question} step=${page} guess=${guess} onGuess=${takeGuess} />
    <${Walk} at=${at} last=${pages.length - 1} isDone=${isDone} onGo=${go} onOwn=${ownPhoto} />
  </section>`;
};

/** @type {import("../gradio.js").Widget<import("../../widgets/values").LessonValue, undefined>} */
export const lesson = { View: Lesson };
