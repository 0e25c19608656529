// A step's question: a guess, then the answer.
import { html } from "../html.js";
import { Prose } from "../terms/prose.js";

/** @typedef {import("../../widgets/values").LessonPage} LessonPage */

/** A paragraph in which **words** are strong. @param {{ text: string }} props */
export const Strong = ({ text }) => html`<p>
  ${text
    .split("**")
    .map((part, i) =>
      i % 2 ? html`<strong key=${i}>${part}</strong>` : html`<${Prose} key=${i} text=${part} />`,
    )}
</p>`;

/** @param {{ step: LessonPage, guess: number | undefined, onGuess: (i: number) => void }} props */
const Options = ({ step, guess, onGuess }) => html`<div
  class="options"
  role="group"
  aria-label="Your guess"
>
  ${step.options.map((text, i) => {
    const right = guess !== undefined && i === step.right;
    const wrong = guess === i && !right;
    return html`<button
      key=${text}
      type="button"
      class=${`gw-button ${right ? "right" : ""}`}
      aria-pressed=${guess === i}
      onClick=${() => onGuess(i)}
    >
      ${right && "✓ "}${wrong && "✗ "}${text}
    </button>`;
  })}
</div>`;

/** @param {{ step: LessonPage, guess: number | undefined, onGuess: (i: number) => void }} props */
export const Question = ({ step, guess, onGuess }) => {
  const verdict = guess === step.right ? "**Right.** " : "**Not quite.** ";
  return html`<div class="asked">
    ${
      step.question &&
      html`<p class="question">${step.question}</p>
        <${Options} step=${step} guess=${guess} onGuess=${onGuess} />`
    }
    <div class="answer" role="status">
      ${guess !== undefined && html`<${Strong} text=${verdict + step.answer} />`}
    </div>
  </div>`;
};
