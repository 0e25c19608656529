// The machine: one linked diagram from picture to mask, its switches, and its full screen.
import { button, clamp, make, skeleton, still, svg } from "../dom.js";
import { draw } from "./draw.js";
import { makeLesson } from "./lesson.js";
import { Pen } from "./pen.js";
import { arrange, ROW } from "./plan.js";
import { describe, example, explained, listen, longest, makeInfo, speak } from "./point.js";
import { effect, unchanged, unpack } from "./read.js";
import { savePng, saveSvg } from "./save.js";

const KEYS = {
  ...{ pagedown: 1, arrowright: 1, arrowdown: 1, pageup: -1, arrowleft: -1, arrowup: -1 },
  ...{ a: "amf", c: "cs", p: "fault" },
};
const KEPT = ["picture", "model"];
const SWITCHES = ["amf", "cs", "fault", "attention"];
const INVITE = "Point at any patch: it lights up everywhere.";

export const machine = (kit) => {
  const { root, element, trigger, watch, arrived, pointed } = kit;
  const m = {
    ...{ ...kit, pen: new Pen(), zones: new Map(), spots: svg("g"), part: {} },
    // The value, its arrays and those before it, the state drawn, the layout.
    ...{ value: null, now: null, old: null, state: null, plan: null, same: {} },
    // What is pressed or pointed at, and what is said about it.
    ...{ word: null, channel: null, at: null, lit: false, pinned: false, told: "", asked: {} },
    formulas: false,
  };
  const { pen } = m;
  const { box } = pen;
  makeInfo(m);
  const lesson = makeLesson(m);
  const bar = make("div", "gm-bar");
  const walled = () => document.fullscreenElement === root;
  const tool = (text, act, title = "", className = "gw-button") => {
    const one = Object.assign(button(text, act, className), { title });
    bar.append(one);
    return one;
  };

  // A switch is flipped in the browser, so that the page asks only once.
  const flip = (name) => {
    const at = Object.keys(switches).indexOf(name);
    window.gclip.flip = (method, ...on) => [
      name === "fault" ? method : "gclip",
      ...on.map((was, i) => was !== (i === at)),
    ];
    trigger("submit");
  };
  const toggle = (name, text, title) => tool(text, () => flip(name), title, "gw-button gm-switch");
  const switches = {
    amf: toggle("amf", "AMF", "Key A in full screen"),
    cs: toggle("cs", "CS", "Key C in full screen"),
    fault: toggle("fault", "Fault", ""),
  };
  const label = (v) => {
    const said = {
      amf: `AMF${v.amf ? `: ${v.amf_note}` : ""}`,
      cs: `CS${v.cs ? `: ${v.cs_note}` : ""}`,
      fault: "Simulated fault",
    };
    const what = v.fault ? `Channel ${v.fault[0]} × ${v.fault[1]}` : "Simulate an abnormal channel";
    switches.fault.title = `${what}; key P in full screen`;
    for (const key in switches) {
      switches[key].textContent = said[key];
      switches[key].setAttribute("aria-pressed", String(Boolean(v[key])));
    }
  };
  const screen = () => (walled() ? document.exitFullscreen() : root.requestFullscreen());
  const walks = "PageDown and PageUp walk the steps; A, C and P switch";
  const formulas = tool("Show formulas", () => {
    m.formulas = !m.formulas;
    formulas.setAttribute("aria-pressed", String(m.formulas));
    resize();
  });
  formulas.setAttribute("aria-pressed", "false");
  const full = root.requestFullscreen && tool("Full screen", screen, walks);
  const tools = make("span", "gm-tools");
  const svgSaved = tool("SVG", () => saveSvg(m), "Save the diagram as SVG");
  const pngSaved = tool("PNG", () => savePng(m), "Save the diagram as PNG");
  tools.append(formulas, ...(full ? [full] : []), svgSaved, pngSaved);
  bar.append(tools);

  const onKey = (event) => {
    if (!element.isConnected) return document.removeEventListener("keydown", onKey);
    const act = KEYS[event.key.toLowerCase()];
    const busy = event.ctrlKey || event.metaKey || event.altKey;
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (!walled() || act === undefined || busy || typing) return;
    event.preventDefault();
    if (typeof act === "string") flip(act);
    else if (m.value.lesson) lesson.walk(act);
  };
  document.addEventListener("keydown", onKey);
  document.addEventListener("fullscreenchange", () => {
    resize();
    if (m.told.startsWith(INVITE)) speak(m, invite());
  });
  const invite = () => {
    const keys = " PageDown goes on, PageUp back; A, C and P switch AMF, CS and the fault.";
    return INVITE + (walled() ? keys : "");
  };

  const resize = () => {
    if (!box.clientWidth) lesson.leave();
    if (!m.now || !box.clientWidth) return;
    const wall = walled() && innerWidth > 900;
    root.classList.toggle("gm-wall", wall);
    if (full) full.textContent = walled() ? "Leave full screen" : "Full screen";
    const W = box.clientWidth;
    m.info.style.minHeight = "";
    // A small projector shows the same picture, smaller.
    const fits = Math.min(W / 70, innerHeight / 54);
    const letter = Math.max(Math.min(20, innerWidth / 96), fits);
    const closer = m.now.v.blocks.length > ROW ? 0.82 : 1;
    pen.u = wall ? closer * letter : W > 1500 ? 15 : W > 1100 ? 14 : 13;
    pen.least = wall ? 1.1 * letter : 11;
    pen.family = getComputedStyle(root).fontFamily;
    root.style.setProperty("--u", `${wall ? letter : pen.u}px`);
    m.plan = arrange(m, W, wall ? innerHeight - bar.offsetHeight - 8.4 * letter : 0);
    draw(m, 1);
  };

  const arrive = async (v) => {
    const next = await unpack(v);
    if (v !== arrived()) return;
    const { now } = m;
    const text = (one, name) => JSON.stringify(one.v[name]);
    const differ = (names) => names.filter((name) => text(now, name) !== text({ v }, name));
    const list = (one) => one.words.map(({ name }) => name).join("\n");
    m.old = now && !differ(KEPT).length && list(now.v) === list(v) ? now : null;
    const { old } = m;
    // What a step sets, or a guess does, is no switch that was flipped.
    const step = (one) => one?.lesson?.at;
    const told = old?.v.lesson?.told !== v.lesson?.told;
    const stray = told && !old?.v.lesson?.as_set;
    const flipped = old && step(old.v) === step(v) && !stray ? differ(SWITCHES) : [];
    m.same = flipped.length ? unchanged(old, next) : {};
    if (!v.words.some((one) => one.index === m.word)) m.word = null;
    if (old?.v.norms_of !== v.norms_of) m.channel = null;
    if (now?.v.picture !== v.picture) {
      const kept = pointed(v.picture);
      m.at = kept && [kept.row, kept.column];
      m.lit = Boolean(kept);
      m.pinned = Boolean(kept?.pinned);
    }
    const first = !old || step(old.v) !== step(v);
    if (!old) lesson.guesses.clear(); // they were about another picture
    const shows = v.lesson?.parts.includes("scores");
    if (first && !m.pinned) m.lit = false;
    m.now = next;
    m.state = next;
    pen.marks = v.marks;
    m.room.dataset.room = longest(m);
    root.classList.remove("gm-stale");
    label(v);
    if (!box.isConnected) root.replaceChildren(bar, box, m.info);
    if (v.lesson && !lesson.panel.isConnected) root.prepend(lesson.panel);
    lesson.show(v);
    resize();
    explained(m);
    if (flipped.length === 1) speak(m, effect(old, next, flipped[0]));
    else if (m.lit && (flipped.length || first)) describe(m);
    else if (flipped.length || first) speak(m, invite());
    if (shows && (first || told) && !m.pinned) example(m);
    turn();
  };

  // From the old state to the new in 400 ms; at once where motion is not wanted.
  let frame = 0;
  const turn = () => {
    const begun = performance.now();
    const mine = ++frame;
    const step = (time) => {
      if (mine !== frame) return;
      const t = m.old && !still() ? clamp((time - begun) / 400, 0, 1) : 1;
      draw(m, t * t * (3 - 2 * t));
      root.dataset.ready = t < 1 ? "0" : "1";
      if (t < 1) requestAnimationFrame(step);
    };
    step(begun);
  };

  listen(m);
  new ResizeObserver(resize).observe(box);
  const update = () => {
    const value = arrived();
    m.value = value;
    if (value?.kind === "machine") {
      const stale = m.now && m.now.v.picture !== value.picture;
      root.classList.toggle("gm-stale", Boolean(stale));
      arrive(value);
      return;
    }
    const nodes = value?.kind === "baked" ? lesson.show(value) : [skeleton(root.dataset.empty)];
    root.replaceChildren(...nodes);
    root.dataset.ready = value ? "1" : "0";
  };
  watch("value", update);
  update();
};
