// What the page does by itself, in the browser. PAGE holds its words and lists; gclip.page what Gradio's events call.
gclip.page = {
  // Only the open tab is asked, in one of two queues. While an answer is due, whatever is asked
  // goes to the queue of that answer: an answer from the other one could be older and arrive later.
  ask: (heavy, tab, ...asked) => {
    const { queue } = gclip.page;
    queue.heavy = queue.due ? queue.heavy : heavy;
    queue.due = Math.min(queue.due + 1, 2);
    document.dispatchEvent(new CustomEvent("gclip:asked"));
    const lane = queue.heavy || PAGE.heavy.includes(tab) ? PAGE.tabs.length : 0;
    const at = lane + PAGE.tabs.indexOf(tab);
    return asked.map((n, i) => (i === at ? `${+n + 1}` : n));
  },
  // Gradio sends one request at a time and keeps one more for later: so many answers are due.
  queue: { heavy: false, due: 0 },
  turn: (tab, old, turned) => (old === tab ? [old, turned] : [tab, turned + "."]),
  copy: async (query) => {
    const link = location.origin + location.pathname + query;
    if (navigator.clipboard) await navigator.clipboard.writeText(link).catch(() => prompt("", link));
    else prompt("", link);
    return PAGE.copied[0];
  },
  // A setting that asks for no answer is in the address at once.
  keep: (key, text) => {
    const query = new URLSearchParams(location.search);
    if (text) query.set(key, text);
    else query.delete(key);
    history.replaceState(history.state, "", `${location.pathname}?${query}`);
  },
  copied: async () => {
    await new Promise((done) => setTimeout(done, 2000));
    return PAGE.copied[1];
  },
};
(() => {
  const find = (query) => document.querySelector(query);
  const on = (type, follow, options) => document.addEventListener(type, follow, options);

  // The tabs show what belongs to the input, or say that they do not; the address follows.
  const mark = (key, value) => {
    const tabs = find("#tabs");
    if (!tabs) return;
    if (value === null) delete tabs.dataset[key];
    else tabs.dataset[key] = value;
    tabs.dataset.none = PAGE.none;
  };
  on("gclip:asked", () => mark("busy", "1"));
  on("gclip:said", ({ detail }) => {
    gclip.page.queue.due = Math.max(gclip.page.queue.due - 1, 0);
    mark("busy", null);
    mark("state", detail.state);
    mark("edited", null);
    // A picture that was taken away does not come back with a reload.
    if (detail.state === "none") gclip.page.keep("source", "upload");
    if (!detail.query) return;
    const hosts = [...new URLSearchParams(location.search)].filter(([key]) => !PAGE.keys.includes(key));
    const query = new URLSearchParams([...hosts, ...new URLSearchParams(detail.query)]);
    history.replaceState(history.state, "", `${location.pathname}?${query}`);
  });
  on("gclip-opacity", ({ detail }) => gclip.page.keep("opacity", String(Math.round(detail * 100) / 100)));

  // An image pasted anywhere but into a text becomes the picture.
  const give = async (file) => {
    find("#image button[aria-label='Clear'], #image button[title='Clear'], #image button[aria-label='Remove Image']")?.click();
    for (let i = 0; i < 40 && !find("#image input[type=file]"); i++) await new Promise((done) => setTimeout(done, 50));
    const input = find("#image input[type=file]"), held = new DataTransfer();
    if (!input) return;
    held.items.add(file);
    input.files = held.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  on("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    give(file);
  });
  // While a file is on its way, what is shown belongs to another picture.
  const waits = (event) => event.target.closest?.("#image") && (event.target.files?.length || event.dataTransfer?.files.length) && mark("busy", "1");
  // So is it once other words are typed.
  on("input", (event) => event.target.closest?.("#words") && mark("edited", PAGE.edited));
  on("change", waits, true);
  on("drop", waits, true);

  // A camera that is not there is said in words.
  const camera = (words) => {
    const place = find("#camera");
    if (!place) return;
    place.textContent = words;
    place.toggleAttribute("data-told", Boolean(words));
  };
  window.addEventListener("unhandledrejection", (event) => {
    const words = PAGE.camera[event.reason?.name];
    if (!(event.reason instanceof DOMException) || !words) return;
    event.preventDefault();
    camera(words);
  });
  on("gclip:said", () => camera(""));

  // The tabs are one stop of the keyboard; arrows move between them.
  const strip = () => [...document.querySelectorAll("#tabs > .tab-wrapper [role=tab]")];
  on("keydown", (event) => {
    const tabs = strip(), at = tabs.indexOf(event.target);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    next.click();
    next.focus();
  });

  // A word is explained where it first stands in the open tab.
  const TEXTS = "#says :is(.note, .status), .tabitem :is(.gclip-note, .gw-note, .gw-simulated, .gw-title, .gw-pill, .gm-lesson p, .badge, .note, figcaption, th), .tabitem .prose p";
  const terms = Object.keys(PAGE.terms);
  const wrap = (node, term, shown, at) => {
    const rest = node.splitText(at), word = document.createElement("span");
    rest.splitText(shown.length);
    word.className = "term";
    word.tabIndex = 0;
    word.dataset.term = term;
    word.setAttribute("role", "note");
    word.setAttribute("aria-label", `${rest.data}: ${PAGE.terms[term]}`);
    word.textContent = rest.data;
    rest.replaceWith(word);
  };
  // (On a narrow screen the status stands last.)
  const explain = () => {
    explainIn("#title", "small");
    explainIn("#result", TEXTS);
  };
  const explainIn = (place, texts) => {
    if (!find(place)) return;
    const open = new Set([...document.querySelectorAll(`${place} .term`)].filter((one) => one.offsetParent).map((one) => one.dataset.term));
    const missing = terms.filter((term) => !open.has(term));
    if (!missing.length) return;
    for (const text of find(place).querySelectorAll(texts)) {
      if (!text.offsetParent || (innerWidth <= 640 && text.closest("#says")) || text.closest("button, a, [role=application], [role=img], [aria-hidden=true]")) continue;
      const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.parentElement.closest(".term, button")) continue;
        const found = missing.map((term) => [term, new RegExp(`\\b${term}(?:e?s)?(?![\\w-])`, term === term.toLowerCase() ? "i" : "").exec(node.data)]).filter((one) => one[1]);
        if (!found.length) continue;
        const [term, first] = found.reduce((one, other) => (other[1].index < one[1].index ? other : one));
        missing.splice(missing.indexOf(term), 1);
        wrap(node, term, first[0], first.index);
      }
      if (!missing.length) return;
    }
  };
  const tip = document.createElement("div");
  tip.id = "term-tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  const show = (word) => {
    tip.hidden = !word;
    if (!word) return;
    document.body.append(tip);
    tip.textContent = word.dataset.tip ?? PAGE.terms[word.dataset.term];
    const box = word.getBoundingClientRect(), own = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - own.width - 8))}px`;
    tip.style.top = `${box.bottom + own.height + 10 > innerHeight ? box.top - own.height - 6 : box.bottom + 6}px`;
  };
  // A finger's press on an example is no question what it is.
  const asksFor = ({ target, type, pointerType }) => target.closest?.(type === "click" || pointerType === "touch" ? ".term" : ".term, [data-tip]");
  for (const type of ["pointerover", "focusin", "click"]) on(type, (event) => show(asksFor(event) ?? null));
  on("focusout", () => show(null));
  on("keydown", (event) => event.key === "Escape" && show(null));
  addEventListener("scroll", () => show(null), true);

  // On a phone the examples stand under the answer: a button leads there, and who has chosen one is led back.
  on("click", ({ target }) => {
    if (!target.closest?.("#to-examples")) return;
    find("#examples").scrollIntoView({ block: "center" });
    find("#examples .gallery-item").focus({ preventScroll: true });
  });
  on("click", ({ target }) => innerWidth <= 640 && target.closest?.("#examples") && find("#main").scrollIntoView());

  // Gradio says the name of a text for the end of an upload: mended before it is read out.
  const word = ({ type, target, addedNodes }) => {
    for (const node of type === "characterData" ? [target] : addedNodes) {
      if (!/^\s*common\.\w+\s*$/.test(node.textContent)) continue;
      const text = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
      (node.nodeType === Node.TEXT_NODE ? node : text.nextNode()).data = PAGE.done;
    }
  };
  // Gradio names neither its gallery's buttons nor the footer's pictures.
  const mend = () => {
    document.querySelectorAll("#examples .gallery-item").forEach((button, i) => {
      button.setAttribute("aria-label", `Example: ${PAGE.examples[i]}`);
      button.dataset.tip = PAGE.examples[i];
    });
    document.querySelectorAll("#mask-classes [aria-label]:is(div:not([role]))").forEach((box) => box.setAttribute("role", "group"));
    document.querySelectorAll("footer img").forEach((image) => (image.alt = ""));
    for (const tab of strip()) {
      const stop = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
      if (tab.tabIndex !== stop) tab.tabIndex = stop;
    }
    // Once all cards are there, so that it is the first of them that explains.
    clearTimeout(settling);
    settling = setTimeout(explain, 250);
  };
  // Gradio adds the input's parts one by one: once all are there, the page is shown.
  const built = () => {
    const page = document.documentElement;
    if (!page.dataset.built && ["#examples", "#words textarea", "#background input"].every(find)) page.dataset.built = "1";
  };
  let waiting = 0, settling = 0;
  const later = () => (waiting ||= setTimeout(() => ((waiting = 0), mend()), 60));
  const begin = () => {
    new MutationObserver((records) => (records.forEach(word), built(), later())).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["aria-selected"] });
    later();
  };
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();
