// The lesson above the machine: a step's text, its question, a guess, what is revealed.
const panel = make("section", "gm-lesson"), guesses = new Map();
panel.setAttribute("aria-label", "Lesson");
const strong = (tag, cls, text) => {
  const one = make(tag, cls);
  String(text).split("**").forEach((part, i) => one.append(i % 2 ? make("strong", "", part) : part));
  return one;
};
const go = (step) => (value.kind === "baked" ? leaf(clamp(step, 0, value.pages.length - 1)) : trigger("select", { index: ["go", step], value: step }));
// Onward: from a question to its answer, then to the next step.
const walk = (way) => {
  const { at, count, told, question } = value.lesson;
  if (way > 0 && question && !told) trigger("select", { index: ["guess", -1], value: -1 });
  else if (at + way >= 0 && at + way <= count) go(at + way);
};
const own = async () => {
  go(0);
  if (document.fullscreenElement) await document.exitFullscreen();
  const input = document.querySelector("#image button[aria-label='Upload file']");
  document.querySelector("#image")?.scrollIntoView({ behavior: STILL.matches ? "auto" : "smooth", block: "center" });
  if (input) input.focus({ preventScroll: true });
};
const tell = (l) => {
  const press = (text, act, cls = "") => { const one = make("button", `gw-button ${cls}`, text); one.addEventListener("click", act); return one; };
  const live = value.kind !== "baked", told = live ? l.told : guesses.has(l.at), guess = guesses.get(l.at);
  const left = make("div", "gm-told"), right = make("div", "gm-asked"), nav = make("div", "gm-nav");
  const title = make("h2", "", l.at ? `${l.at} · ${l.title}` : l.title);
  title.tabIndex = -1;
  const nodes = [left];
  left.append(title, strong("p", "", l.text));
  if (!l.as_set) {
    const line = make("p", "gm-otherwise", "The switches stand otherwise than this step says. ");
    line.append(press("Set them", () => trigger("select", { index: ["set", l.at], value: l.at })));
    left.append(line);
  }
  if (l.question) {
    right.append(make("p", "gm-question", l.question));
    const list = make("div", "gm-options");
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Your guess");
    l.options.forEach((option, i) => {
      const mark = told ? (i === l.right ? "✓ " : guess === i ? "✗ " : "") : "";
      const one = press(mark + option, () => {
        guesses.set(l.at, i);
        if (live && !l.told) trigger("select", { index: ["guess", i], value: i });
        else tell(l);
      }, told && i === l.right ? "gm-right" : "");
      one.setAttribute("aria-pressed", String(guess === i));
      list.append(one);
    });
    right.append(list);
    const answer = make("div", "gm-answer");
    answer.setAttribute("aria-live", "polite");
    answer.setAttribute("role", "status");
    if (told) answer.append(strong("p", "", `${guess === undefined ? "" : guess === l.right ? "**Right.** " : "**Not quite.** "}${l.reveal}`));
    nodes.push(right, answer);
  }
  if (l.at > 0) nav.append(press("← Back", () => go(l.at - 1)), make("span", "gm-count", `Step ${l.at} of ${l.count}`));
  if (l.at === 0) nav.append(press("Begin →", () => go(1), "gm-go"));
  else if (l.at < l.count) nav.append(press("Next →", () => go(l.at + 1), told ? "gm-go" : ""));
  else nav.append(press("Take your own picture", own, "gm-go"));
  panel.dataset.step = l.at;
  panel.dataset.told = told ? "1" : "0";
  nodes.push(nav);
  if (l.figures) {
    const row = make("div", "gm-figures");
    for (const one of l.figures) {
      const figure = make("figure"), image = make("img");
      image.src = place(one.picture);
      image.alt = one.caption;
      image.loading = "lazy";
      figure.append(image, make("figcaption", "", one.caption));
      row.append(figure);
    }
    nodes.push(row);
  }
  const turned = Number(panel.dataset.shown ?? l.at) !== l.at, had = panel.contains(document.activeElement);
  panel.dataset.shown = l.at;
  panel.replaceChildren(...nodes);
  if (!had || !(turned || told)) return;
  title.focus({ preventScroll: true });
  // The step and what it speaks of on one screen, where they fit.
  if (live && root.getBoundingClientRect().bottom > innerHeight) root.scrollIntoView({ block: "start", behavior: STILL.matches ? "auto" : "smooth" });
};
// The visitor's switches before the first step set them, and as a step left them: put back where Learn is left.
let kept = null, put = null;
const leave = () => {
  const [mine, theirs] = [kept, put];
  kept = put = null;
  if (!theirs || theirs.every((one, i) => one === mine[i])) return;
  gclip.flip = (...on) => on.map((one, i) => (one === theirs[i] ? mine[i] : one));
  trigger("submit");
};
let baked = 0;
const leaf = (at) => { baked = at; tell(value.pages[at]); };
const lessonOf = (v) => {
  if (v.kind === "baked") { leaf(baked); return [panel]; }
  if (!v.lesson) return [];
  const { at, as_set, switches } = v.lesson;
  if (!kept || !(at || put)) kept = switches;
  if (at && as_set) put = switches;
  tell(v.lesson);
  return [panel];
};
