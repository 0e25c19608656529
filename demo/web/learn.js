// The tab Learn: four steps on one photo. Each asks for a guess, then shows what happened.
import { copyOf, inside, make } from "./elements.js";
import { change, FACTS } from "./state.js";
import { recall } from "./storage.js";
import { createStrip } from "./strip.js";

/** @import { Lesson } from "./types.js" */

/** The guesses by step; a reload keeps them. @type {number[]} */
const guesses = recall("guesses") ?? [];
const keep = () => recall("guesses", guesses);
const HARDLY = 2; // the guess that hardly anything changes

/** @param {HTMLElement} section @param {HTMLElement} intro
 * @param {(mode: string) => void} compare how the canvas compares masks */
export function createLearn(section, intro, compare) {
  const cards = inside(section).$$(".card").map(cardOf);
  const again = inside(intro).$(".again");
  /** A step by its name; undefined until it is here.
   * @type {(name: string) => Lesson | undefined} */
  let find = () => undefined;
  again.onclick = () => {
    guesses.length = 0;
    keep();
    draw();
  };

  /** @param {HTMLElement} card @param {number} step */
  function cardOf(card, step) {
    const { $, $$ } = inside(card);
    $(".side").append(copyOf("#lesson-parts"));
    $$("input").forEach((input, number) => {
      input.name = `guess-${step}`;
      input.onchange = () => guess(step, number);
    });
    $("button").onclick = () => open(step);
    return { card, $, $$, strip: createStrip($(".strip")) };
  }

  /** @param {number} step @param {number} number */
  function guess(step, number) {
    guesses[step] = number;
    keep();
    draw();
    cards[step].$(".outcome").scrollIntoView({ block: "center" });
  }

  /** Show the masks of a step on the tab Segment, from which the visitor can return.
   * @param {number} step */
  function open(step) {
    const { settings, isSwitch } = FACTS.lessons[step];
    compare(isSwitch ? "swipe" : "");
    const lesson = {
      photo: FACTS.lessonPhoto,
      tab: "segment",
      patch: /** @type {null} */ (null),
      step: step + 1,
    };
    change({ ...FACTS.settings, ...settings, ...lesson });
    scrollTo(0, 0);
  }

  function draw(of = find) {
    find = of;
    again.hidden = !guesses.length;
    inside(intro)
      .$$("li")
      .forEach((item, step) => {
        item.classList.toggle("done", step < guesses.length);
        item.ariaCurrent = step === guesses.length ? "step" : null;
      });
    cards.forEach(drawCard);
  }

  /** @param {ReturnType<typeof cardOf>} parts @param {number} step */
  function drawCard({ card, $, $$, strip }, step) {
    const value = find(card.dataset.lesson);
    const guessed = guesses[step];
    const isGuessed = guessed !== undefined;
    card.hidden = step > guesses.length;
    $(".strip").classList.toggle("stale", !value);
    $("fieldset").disabled = isGuessed || !value;
    $$("input").forEach((input, number) => {
      input.checked = guessed === number;
    });
    $("button").hidden = !isGuessed;
    const outcome = $(".outcome");
    outcome.replaceChildren();
    if (!value) return;
    const { before, after, classes, right, isLittle, told } = value;
    strip({ items: isGuessed ? after : before, classes, columns: 2, pressable: false });
    if (!isGuessed) return;
    const isRight = guessed === right;
    const isNear = guessed === HARDLY && isLittle;
    const word = isRight ? "✓ Yes." : isNear ? "Nearly." : "✗ No.";
    const happens = `${$$("label span")[right].textContent}: ${told}.`;
    outcome.append(make("b", isRight || isNear ? "yes" : "no", word), ` ${happens} `);
    outcome.append($(".reason").textContent);
  }
  return { draw };
}
