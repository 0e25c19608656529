// The tab Learn: four steps on one photo. Each asks for a guess, then shows what happened.
import { change, compare, FACTS } from "./app.js";
import { make, recall } from "./shared.js";
import { drawStrip } from "./strip.js";

/** The guesses by step; a reload keeps them. */
const guesses = recall("guesses") ?? [];
const keep = () => recall("guesses", guesses);

export function drawLearn(section, intro) {
  const { lessons, options } = FACTS;
  intro.querySelector("ol").replaceChildren(...lessons.map(({ title }) => make("li", "", title)));
  const cards = lessons.map((lesson, step) => cardOf(lesson, step));
  section.replaceChildren(...cards.map(({ card }) => card));
  const again = intro.querySelector(".again");
  /** The value of a step by its name; undefined until it is here. @type {(name: string) => any} */
  let find = () => undefined;
  again.onclick = () => {
    guesses.length = 0;
    keep();
    draw();
  };

  function cardOf({ title, text, question }, step) {
    const card = make("div", "card");
    const masks = make("div", "strip");
    const side = make("div", "side");
    side.append(
      make("h3", "", `${step + 1} of ${lessons.length} · ${title}`),
      marked(text),
      marked(question),
    );
    const choices = make("fieldset");
    choices.append(make("legend", "unseen", "Your guess"));
    options.forEach((option, number) => {
      const label = make("label");
      const input = Object.assign(make("input"), { type: "radio", name: `guess-${step}` });
      input.onchange = () => guess(step, number);
      label.append(input, ` ${option}`);
      choices.append(label);
    });
    const outcome = make("p", "outcome");
    outcome.setAttribute("role", "status");
    const show = Object.assign(make("button", "", "Try it on the photo"), { type: "button" });
    show.onclick = () => open(step);
    side.append(choices, outcome, show);
    card.append(masks, side);
    return { card, choices, outcome, show, strip: drawStrip(masks), masks };
  }

  function guess(step, number) {
    guesses[step] = number;
    keep();
    draw();
    if (innerWidth <= 700) cards[step].outcome.scrollIntoView({ block: "center" });
  }

  /** Show the masks of a step on the tab Segment, from which the visitor can return. */
  function open(step) {
    const { settings, isSwitch } = lessons[step];
    const defaults = { ...FACTS.settings, patch: null };
    change({ ...defaults, ...settings, photo: FACTS.lessonPhoto, tab: "segment", step: step + 1 });
    compare(isSwitch ? "swipe" : "");
    scrollTo(0, 0);
  }

  function draw(of = find) {
    find = of;
    again.hidden = !guesses.length;
    cards.forEach(drawCard);
  }

  function drawCard({ card, choices, outcome, show, strip, masks }, step) {
    const value = find(lessons[step].name);
    const guessed = guesses[step];
    const isGuessed = guessed !== undefined;
    card.hidden = step > guesses.length;
    masks.classList.toggle("stale", !value);
    choices.disabled = isGuessed || !value;
    choices.querySelectorAll("input").forEach((input, number) => {
      input.checked = guessed === number;
    });
    show.hidden = !isGuessed;
    outcome.replaceChildren();
    if (!value) return;
    strip(isGuessed ? value.after : value.before);
    if (!isGuessed) return;
    const { word, isRight, text } = value.outcomes[guessed];
    outcome.append(make("b", isRight ? "yes" : "no", word), ` ${text}`);
  }
  return { draw };
}

/** A paragraph in which `**word**` is bold. */
function marked(text) {
  const parts = text.split("**").map((part, i) => (i % 2 ? make("b", "", part) : part));
  const paragraph = make("p");
  paragraph.append(...parts);
  return paragraph;
}
