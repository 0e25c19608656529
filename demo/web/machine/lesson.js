// The lesson above the machine: a step's text, its question, a guess, what is revealed.
import { place } from "../blobs.js";
import { button, clamp, make, still } from "../dom.js";

const strong = (tag, className, text) => {
  const one = make(tag, className);
  for (const [i, part] of String(text).split("**").entries()) {
    one.append(i % 2 ? make("strong", "", part) : part);
  }
  return one;
};

export const makeLesson = (m) => {
  const { root, trigger } = m;
  const panel = make("section", "gm-lesson");
  const guesses = new Map();
  panel.setAttribute("aria-label", "Lesson");
  const select = (kind, which) => trigger("select", { index: [kind, which], value: which });
  let baked = 0;
  const isBaked = () => m.value.kind === "baked";
  const leaf = (at) => {
    baked = at;
    tell(m.value.pages[at]);
  };
  const go = (step) =>
    isBaked() ? leaf(clamp(step, 0, m.value.pages.length - 1)) : select("go", step);

  // Onward: from a question to its answer, then to the next step.
  const walk = (way) => {
    const { at, count, told, question } = m.value.lesson;
    if (way > 0 && question && !told) select("guess", -1);
    else if (at + way >= 0 && at + way <= count) go(at + way);
  };
  const own = async () => {
    go(0);
    if (document.fullscreenElement) await document.exitFullscreen();
    const image = document.querySelector("#image");
    image?.scrollIntoView({ behavior: still() ? "auto" : "smooth", block: "center" });
    image?.querySelector("button[aria-label='Upload file']")?.focus({ preventScroll: true });
  };

  const asked = (l, told, guess) => {
    const right = make("div", "gm-asked");
    const list = make("div", "gm-options");
    right.append(make("p", "gm-question", l.question), list);
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Your guess");
    for (const [i, option] of l.options.entries()) {
      const mark = !told ? "" : i === l.right ? "✓ " : guess === i ? "✗ " : "";
      const answer = () => {
        guesses.set(l.at, i);
        if (!isBaked() && !l.told) select("guess", i);
        else tell(l);
      };
      const correct = told && i === l.right ? " gm-right" : "";
      const one = button(mark + option, answer, `gw-button${correct}`);
      one.setAttribute("aria-pressed", String(guess === i));
      list.append(one);
    }
    const answer = make("div", "gm-answer");
    answer.setAttribute("aria-live", "polite");
    answer.setAttribute("role", "status");
    if (told) {
      const judged = guess === l.right ? "**Right.** " : "**Not quite.** ";
      answer.append(strong("p", "", (guess === undefined ? "" : judged) + l.reveal));
    }
    return [right, answer];
  };
  const figuresOf = (l) => {
    const row = make("div", "gm-figures");
    for (const one of l.figures) {
      const figure = make("figure");
      const image = make("img");
      Object.assign(image, { src: place(one.picture), alt: one.caption, loading: "lazy" });
      figure.append(image, make("figcaption", "", one.caption));
      row.append(figure);
    }
    return row;
  };
  const tell = (l) => {
    const live = !isBaked();
    const told = live ? l.told : guesses.has(l.at);
    const left = make("div", "gm-told");
    const nav = make("div", "gm-nav");
    const title = make("h2", "", l.at ? `${l.at} · ${l.title}` : l.title);
    title.tabIndex = -1;
    left.append(title, strong("p", "", l.text));
    if (!l.as_set) {
      const line = make("p", "gm-otherwise", "The switches differ from what this step is about. ");
      line.append(button("Set them", () => select("set", l.at)));
      left.append(line);
    }
    const nodes = [left];
    if (l.question) nodes.push(...asked(l, told, guesses.get(l.at)));
    const main = "gw-button gm-go";
    if (l.at > 0) {
      const back = button("← Back", () => go(l.at - 1));
      nav.append(back, make("span", "gm-count", `Step ${l.at} of ${l.count}`));
    }
    if (l.at === 0) nav.append(button("Begin →", () => go(1), main));
    else if (l.at === l.count) nav.append(button("Take your own picture", own, main));
    else nav.append(button("Next →", () => go(l.at + 1), told ? main : "gw-button"));
    panel.dataset.step = l.at;
    panel.dataset.told = told ? "1" : "0";
    nodes.push(nav);
    if (l.figures) nodes.push(figuresOf(l));
    const turned = Number(panel.dataset.shown ?? l.at) !== l.at;
    const had = panel.contains(document.activeElement);
    panel.dataset.shown = l.at;
    panel.replaceChildren(...nodes);
    if (!had || !(turned || told)) return;
    title.focus({ preventScroll: true });
    // The step and what it is about on one screen, where they fit.
    if (live && root.getBoundingClientRect().bottom > innerHeight) {
      root.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
    }
  };

  // The visitor's switches before the first step, and as a step left them: restored on leaving.
  let kept = null;
  let put = null;
  const leave = () => {
    const [mine, theirs] = [kept, put];
    kept = put = null;
    if (!theirs || theirs.every((one, i) => one === mine[i])) return;
    window.gclip.flip = (...on) => on.map((one, i) => (one === theirs[i] ? mine[i] : one));
    trigger("submit");
  };
  const show = (v) => {
    if (v.kind === "baked") leaf(baked);
    else if (v.lesson) {
      const { at, as_set, switches } = v.lesson;
      if (!kept || !(at || put)) kept = switches;
      if (at && as_set) put = switches;
      tell(v.lesson);
    } else return [];
    return [panel];
  };
  return { panel, guesses, walk, leave, show };
};
