// The lesson: a step's text and pictures, its question, a guess, then the answer.
import { place } from "./blobs.js";
import { button, clamp, make } from "./dom.js";
import { page } from "./page.js";
import { Plot } from "./plot.js";

// Text in which **words** are strong; a number stays with its %.
const strong = (className, text) => {
  const node = make("p", className);
  const parts = text.replaceAll(" %", "\u00a0%").split("**");
  parts.forEach((part, i) => {
    node.append(i % 2 ? make("strong", "", part) : part);
  });
  return node;
};

// Every channel's norm as a stem; the largest is marked.
const normsPlot = (norms) => {
  const plot = new Plot(120);
  const sorted = norms.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(norms.length - 1) >> 1], sorted[norms.length >> 1]];
  const most = Math.max(...norms);
  const top = norms.indexOf(most);
  const ratio = (2 * most) / (low + high);
  const words = [`channel ${top}:`, `${ratio.toFixed(ratio < 99.5 ? 1 : 0)} ×`];
  const draw = () => {
    plot.clear();
    const x = (i) => ((i + 0.5) / norms.length) * plot.width;
    const stem = (i) => `M${x(i).toFixed(1)} 120v${((-90 * norms[i]) / most).toFixed(1)}`;
    plot.line(norms.map((_, i) => stem(i)).join(""), "#4a90d9", 0.8);
    plot.line(stem(top), "#e0633a", 3);
    const at = clamp(x(top), 45, plot.width - 45);
    for (const [i, line] of words.entries()) plot.text(at, 12 + 14 * i, line, "middle");
  };
  new ResizeObserver(draw).observe(plot.node);
  plot.node.setAttribute("aria-label", `${words.join(" ")} the median`);
  return plot.node;
};

const figure = ({ picture, norms, caption }) => {
  const node = make("figure");
  if (norms) node.append(normsPlot(norms));
  else node.append(Object.assign(make("img"), { src: place(picture), alt: caption }));
  node.append(make("figcaption", "", caption));
  return node;
};

export const lesson = ({ mount, trigger }) => {
  const guesses = new Map();
  let at = 0;

  const ownPhoto = () => {
    trigger("submit");
    document.querySelector("#tabs [role=tab]")?.click();
    page.choosePhoto?.();
  };

  mount(async ({ pages }) => {
    const box = make("section", "lesson");
    box.setAttribute("aria-label", "Lesson");

    const options = (step, guess) => {
      const list = make("div", "options");
      list.setAttribute("role", "group");
      list.setAttribute("aria-label", "Your guess");
      step.options.forEach((text, i) => {
        const right = guess !== undefined && i === step.right;
        const sign = right ? "✓ " : guess === i ? "✗ " : "";
        const one = button(sign + text, () => {
          guesses.set(at, i);
          show();
        });
        one.classList.toggle("right", right);
        one.setAttribute("aria-pressed", String(guess === i));
        list.append(one);
      });
      return list;
    };

    const asked = (step, guess) => {
      const node = make("div", "asked");
      const answer = make("div", "answer");
      answer.setAttribute("role", "status");
      if (step.question) node.append(make("p", "question", step.question), options(step, guess));
      if (guess !== undefined) {
        const verdict = guess === step.right ? "**Right.** " : "**Not quite.** ";
        answer.append(strong("", verdict + step.answer));
      }
      node.append(answer);
      return node;
    };

    const walk = () => {
      const node = make("div", "walk");
      const go = (to) => () => {
        at = to;
        show(true);
      };
      const last = pages.length - 1;
      if (at > 0) {
        const count = make("span", "count", `Step ${at} of ${last}`);
        node.append(button("← Back", go(at - 1)), count);
      }
      const told = at === 0 || guesses.has(at);
      const onward = [at ? "Next →" : "Begin →", go(at + 1)];
      const [text, act] = at === last ? ["Take your own photo", ownPhoto] : onward;
      node.append(button(text, act, `gw-button ${told ? "main" : ""}`));
      return node;
    };

    const show = (turned = false) => {
      const step = pages[at];
      const guess = guesses.get(at);
      const title = make("h2", "", at ? `${at} · ${step.title}` : step.title);
      title.tabIndex = -1;
      const figures = make("div", "figures");
      figures.append(...step.before.map(figure));
      if (guess !== undefined) figures.append(...step.after.map(figure));
      const told = make("div", "told");
      told.append(title, strong("", step.text));
      const focused = box.contains(document.activeElement);
      box.replaceChildren(told, figures, asked(step, guess), walk());
      box.dataset.step = at;
      if (focused || turned) {
        const next = turned ? title : box.querySelector("[aria-pressed=true]");
        next?.focus({ preventScroll: true });
      }
    };
    show();
    return [box];
  });
};
