// The lesson: a step's text and pictures, its question, a guess, then the answer.
import { place } from "./blobs.js";
import { button, make } from "./dom.js";
import { page } from "./page.js";
import { dashed, Plot } from "./plot.js";

// Text in which **words** are strong.
const strong = (className, text) => {
  const node = make("p", className);
  const parts = text.split("**");
  parts.forEach((part, i) => {
    node.append(i % 2 ? make("strong", "", part) : part);
  });
  return node;
};

// Every channel's norm as a stem, in medians, on one scale for all plots of a step.
const normsPlot = (norms, high) => {
  const plot = new Plot(140);
  const most = Math.max(...norms);
  const top = norms.indexOf(most);
  const words = `channel ${top}: ${most.toFixed(most < 99.5 ? 1 : 0)} ×`;
  const draw = () => {
    plot.clear();
    const { left, right } = plot;
    const Y = Plot.scale(0.1, high, 136, 22);
    const x = (i) => left + ((i + 0.5) / norms.length) * (right - left);
    const stem = (i) => `M${x(i).toFixed(1)} 136V${Y(norms[i]).toFixed(1)}`;
    plot.line(norms.map((_, i) => stem(i)).join(""), "#4a90d9", 0.8);
    plot.line(stem(top), "#e0633a", 3);
    for (const tick of [1, 10, 100]) {
      plot.line(`M${left} ${Y(tick)}H${right}`, "currentColor", 0.5, dashed);
      plot.text(left - 4, Y(tick) + 4, `${tick}×`, "end");
    }
    plot.text(right, 14, words, "end");
  };
  new ResizeObserver(draw).observe(plot.node);
  plot.node.setAttribute("aria-label", `${words} the median`);
  return plot.node;
};

const table = (rows) => {
  const node = make("table");
  const cell = (text, i) => make(i ? "td" : "th", "", text);
  for (const row of rows) node.insertRow().append(...row.map(cell));
  return node;
};

const figure = ({ picture, norms, rows, caption }, _, all) => {
  const node = make("figure");
  const high = Math.max(...all.flatMap((one) => one.norms ?? []));
  if (rows) node.append(table(rows));
  else if (norms) node.append(normsPlot(norms, high));
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
    document.querySelector("#photo")?.scrollIntoView({ block: "center" });
    page.choosePhoto?.();
  };

  mount(async ({ pages }) => {
    // All at once: a picture that loads late would move the text.
    const drawn = pages.map(({ before, after }) => [before.map(figure), after.map(figure)]);
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
          show("[aria-pressed=true]");
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
        show("h2");
      };
      const last = pages.length - 1;
      if (at > 0) {
        node.append(button("← Back", go(at - 1)), `Step ${at} of ${last}`);
      }
      const told = !pages[at].question || guesses.has(at);
      const onward = [at ? "Next →" : "Begin →", go(at + 1)];
      const [text, act] = at === last ? ["Take your own photo", ownPhoto] : onward;
      node.append(button(text, act, `gw-button ${told ? "main" : ""}`));
      return node;
    };

    const show = (aim) => {
      const y = scrollY;
      const step = pages[at];
      const guess = guesses.get(at);
      const title = make("h2", "", at ? `${at} · ${step.title}` : step.title);
      title.tabIndex = -1;
      const figures = make("div", "figures");
      figures.append(...drawn[at][0]);
      if (guess !== undefined) figures.append(...drawn[at][1]);
      const told = make("div", "told");
      told.append(title, strong("", step.text));
      box.replaceChildren(told, figures, asked(step, guess), walk());
      scrollTo(0, y); // what is below keeps its place otherwise
      const next = aim && box.querySelector(aim);
      next?.focus({ preventScroll: true });
      next?.scrollIntoView({ block: "nearest" });
    };
    show();
    return [box];
  });
};
