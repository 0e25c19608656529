// What the page does by itself in the browser; `page` is what Gradio's events call.
import { explainTerms, showTerms } from "./terms.js";

// The page's words and lists, as Python wrote them into the document.
export const WORDS = JSON.parse(document.getElementById("page-words").textContent);

// Keys of settings that are in the address at once.
const KEPT = ["opacity", "patch", "pixel"];
const find = (query) => document.querySelector(query);
const findAll = (query) => [...document.querySelectorAll(query)];
const on = (type, follow, options) => document.addEventListener(type, follow, options);
export const after = (ms) => new Promise((done) => setTimeout(done, ms));
const rewrite = (query) => history.replaceState(history.state, "", `${location.pathname}?${query}`);

// Gradio sends one request at a time and keeps one more for later: so many answers are due.
const queue = { heavy: false, due: 0 };

export const page = {
  // Only the open tab is asked, in one of two queues. While an answer is due, whatever is asked
  // goes to the queue of that answer: an answer of the other one could be older and arrive later.
  ask: (heavy, tab, ...asked) => {
    queue.heavy = queue.due ? queue.heavy : heavy;
    queue.due = Math.min(queue.due + 1, 2);
    document.dispatchEvent(new CustomEvent("gclip:asked"));
    const lane = queue.heavy || WORDS.heavy.includes(tab) ? WORDS.tabs.length : 0;
    const at = lane + WORDS.tabs.indexOf(tab);
    return asked.map((n, i) => (i === at ? `${+n + 1}` : n));
  },
  turn: (tab, old, turned) => (old === tab ? [old, turned] : [tab, `${turned}.`]),
  // The address follows the page: it is the link.
  copy: async () => {
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      prompt("", location.href);
    }
    return WORDS.copied[0];
  },
  copied: async () => {
    await after(2000);
    return WORDS.copied[1];
  },
  isWaiting: () => queue.due > 0,
  example: (index) => WORDS.examples[index][0],
  // A setting that asks for no answer is in the address at once.
  keep: (key, text) => {
    const query = new URLSearchParams(location.search);
    if (text) query.set(key, text);
    else query.delete(key);
    rewrite(query);
  },
};

// The tabs show what belongs to the input, or that they do not; the address follows.
const mark = (key, value) => {
  const tabs = find("#tabs");
  if (!tabs) return;
  if (value === null) delete tabs.dataset[key];
  else tabs.dataset[key] = value;
  tabs.dataset.none = WORDS.none;
};
const followAnswers = () => {
  on("gclip:asked", () => mark("busy", "1"));
  on("gclip:said", ({ detail }) => {
    queue.due = Math.max(queue.due - 1, 0);
    mark("busy", null);
    mark("state", detail.state);
    mark("edited", null);
    // A removed picture does not come back with a reload.
    if (detail.state === "none") page.keep("source", "upload");
    if (!detail.query) return;
    // What asks for no answer may have changed since this one was asked for.
    const answers = ([key]) => WORDS.keys.includes(key) && !KEPT.includes(key);
    const all = [...new URLSearchParams(location.search)].filter((one) => !answers(one));
    rewrite(
      new URLSearchParams([...all, ...[...new URLSearchParams(detail.query)].filter(answers)]),
    );
  });
  on("input", ({ target }) => {
    if (!target.closest?.("#words")) return;
    page.typed = true;
    mark("edited", WORDS.edited);
  });
  on("gclip-opacity", ({ detail }) => page.keep("opacity", String(Math.round(detail * 100) / 100)));
};

// The tabs are one stop of the keyboard; arrows move between them, the first link leads to them.
const strip = () => findAll("#tabs > .tab-wrapper [role=tab]");
const walkTabs = () => {
  on("click", (event) => {
    if (event.target.id !== "skip") return;
    event.preventDefault(); // Gradio's <base> makes the link one to the page without its settings
    strip()
      .find((tab) => tab.ariaSelected === "true")
      .focus();
  });
  on("keydown", (event) => {
    const tabs = strip();
    const at = tabs.indexOf(event.target);
    const last = tabs.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    next.click();
    next.focus();
  });
};

// Gradio writes the name of a text for the end of an upload: replaced before it is read out.
const translate = ({ type, target, addedNodes }) => {
  for (const node of type === "characterData" ? [target] : addedNodes) {
    if (!/^\s*common\.\w+\s*$/.test(node.textContent)) continue;
    const text = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    (node.nodeType === Node.TEXT_NODE ? node : text.nextNode()).data = WORDS.done;
  }
};
// Gradio names neither its gallery's buttons nor the footer's pictures.
const label = () => {
  for (const [i, item] of findAll("#examples .gallery-item").entries()) {
    item.setAttribute("aria-label", `Example: ${WORDS.examples[i][1]}`);
    item.dataset.tip = WORDS.examples[i][1];
  }
  for (const image of findAll("footer img")) image.alt = "";
  for (const tab of strip()) {
    const stop = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
    if (tab.tabIndex !== stop) tab.tabIndex = stop;
  }
};
// Gradio adds the input's parts one by one: once all are there, the page is shown.
const built = () => {
  const { dataset } = document.documentElement;
  if (!dataset.built && WORDS.built.every(find)) dataset.built = "1";
};
const watchGradio = () => {
  let waiting = 0;
  let settling = 0;
  const later = () => {
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = 0;
      label();
      // Once all cards are there, so that the first of them explains.
      clearTimeout(settling);
      settling = setTimeout(() => explainTerms(WORDS.terms), 250);
    }, 60);
  };
  const observer = new MutationObserver((records) => {
    records.forEach(translate);
    built();
    later();
  });
  observer.observe(document.body, {
    ...{ childList: true, subtree: true, characterData: true },
    ...{ attributes: true, attributeFilter: ["aria-selected"] },
  });
  built();
  later();
};

export const begin = () => {
  followAnswers();
  walkTabs();
  showTerms(WORDS.terms);
  watchGradio();
};
