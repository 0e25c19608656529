// The machine: one linked diagram from picture to mask, its switches, and its full screen.
import { button, clamp, make, skeleton, still, svg } from "../dom_old.js";
import { draw } from "./draw.js";
import { Pen } from "./pen.js";
import { arrange, ROW } from "./plan.js";
import { describe, explained, listen, makeInfo, speak } from "./point.js";
import { effect, unchanged, unpack } from "./read.js";
import { savePng, saveSvg } from "./save.js";

const KEPT = ["picture", "model"];
const SWITCHES = ["amf", "cs", "fault", "attention"];
const TITLE = "The machine: from picture to mask, full screen";
const INVITE = "Point at any patch: it lights up everywhere.";

export const machine = (kit) => {
  const { root, trigger, watch, arrived, pointed } = kit;
  const m = {
    ...{ ...kit, pen: new Pen(), zones: new Map(), spots: svg("g"), part: {} },
    // The value, its arrays and those before it, the state drawn, the layout.
    ...{ value: null, now: null, old: null, state: null, plan: null, same: {} },
    // What is pressed or pointed at, and what is said about it.
    ...{ word: null, channel: null, at: null, lit: false, pinned: false, told: "", asked: {} },
  };
  const { pen } = m;
  const { box } = pen;
  makeInfo(m);
  const bar = make("div", "gm-bar");
  let opened = false;
  const open = () => {
    opened = true;
    // Where a browser has no full screen, the machine covers the page.
    if (root.requestFullscreen) root.requestFullscreen().catch(cover);
    else cover();
    trigger("input", { value: true });
    update();
  };
  const cover = () => root.classList.add("gm-over");
  const close = () => {
    opened = false;
    root.classList.remove("gm-over", "gm-wall");
    if (document.fullscreenElement === root) document.exitFullscreen();
    trigger("clear");
    update();
  };
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
  const toggle = (name) => tool("", () => flip(name), "", "gw-button gm-switch");
  const switches = { amf: toggle("amf"), cs: toggle("cs"), fault: toggle("fault") };
  const label = (v) => {
    const said = {
      amf: `AMF${v.amf ? `: ${v.amf_note}` : ""}`,
      cs: `CS${v.cs ? `: ${v.cs_note}` : ""}`,
      fault: "Simulated fault",
    };
    const [channel, gain] = v.fault ?? [];
    switches.fault.title = v.fault
      ? `Channel ${channel} × ${gain}`
      : "Simulate an abnormal channel";
    for (const key in switches) {
      switches[key].textContent = said[key];
      switches[key].setAttribute("aria-pressed", String(Boolean(v[key])));
    }
  };
  const formulas = tool("Show formulas", () => {
    m.formulas = !m.formulas;
    formulas.setAttribute("aria-pressed", String(m.formulas));
    resize();
  });
  formulas.setAttribute("aria-pressed", "false");
  const tools = make("span", "gm-tools");
  const svgSaved = tool("SVG", () => saveSvg(m), "Save the diagram as SVG");
  const pngSaved = tool("PNG", () => savePng(m), "Save the diagram as PNG");
  tools.append(formulas, svgSaved, pngSaved, button("Close", close));
  bar.append(tools);

  document.addEventListener("fullscreenchange", () => {
    if (opened && document.fullscreenElement !== root && !root.matches(".gm-over")) close();
    resize();
  });

  const resize = () => {
    if (!m.now || !box.clientWidth) return;
    const wall = opened && innerWidth > 900;
    root.classList.toggle("gm-wall", wall);
    const W = box.clientWidth;
    // A small projector shows the same picture, smaller.
    const fits = Math.min(W / 70, innerHeight / 54);
    const letter = Math.max(Math.min(20, innerWidth / 96), fits);
    const closer = m.now.v.blocks.length > ROW ? 0.82 : 1;
    pen.u = wall ? closer * letter : 13;
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
    const flipped = old ? differ(SWITCHES) : [];
    m.same = flipped.length ? unchanged(old, next) : {};
    if (!v.words.some((one) => one.index === m.word)) m.word = null;
    if (old?.v.norms_of !== v.norms_of) m.channel = null;
    if (now?.v.picture !== v.picture) {
      const kept = pointed(v.picture);
      m.at = kept && [kept.row, kept.column];
      m.lit = Boolean(kept);
      m.pinned = Boolean(kept?.pinned);
    }
    if (!old && !m.pinned) m.lit = false;
    m.now = next;
    m.state = next;
    pen.marks = v.marks;
    root.classList.remove("gm-stale");
    label(v);
    if (!box.isConnected) root.replaceChildren(bar, box, m.info);
    resize();
    explained(m);
    if (flipped.length === 1) speak(m, effect(old, next, flipped[0]));
    else if (m.lit && (flipped.length || !old)) describe(m);
    else if (flipped.length || !old) speak(m, INVITE);
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
    if (opened && value?.kind === "machine") {
      const stale = m.now && m.now.v.picture !== value.picture;
      root.classList.toggle("gm-stale", Boolean(stale));
      arrive(value);
      return;
    }
    root.replaceChildren(opened ? skeleton(root.dataset.empty) : button(TITLE, open));
    root.dataset.ready = "0";
  };
  watch("value", update);
  update();
};
