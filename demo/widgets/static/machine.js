// The machine: one linked diagram from picture to mask, its switches, and the wall it is thrown on.
const STILL = matchMedia("(prefers-reduced-motion: reduce)"), bar = make("div", "gm-bar");
let value = null, frame = 0;
const walled = () => document.fullscreenElement === root;
const tool = (text, act, title = "", cls = "") => {
  const one = Object.assign(make("button", `gw-button ${cls}`, text), { title });
  one.addEventListener("click", act);
  bar.append(one);
  return one;
};
// A switch is flipped in the browser, so that the page asks but once.
const flip = (name) => {
  gclip.flip = (method, ...on) => [name === "fault" ? method : "gclip", ...on.map((was, i) => was !== (Object.keys(switches)[i] === name))];
  trigger("submit");
};
const switches = {
  amf: tool("AMF", () => flip("amf"), "Key A in full screen", "gm-switch"),
  cs: tool("CS", () => flip("cs"), "Key C in full screen", "gm-switch"),
  fault: tool("Fault", () => flip("fault"), "", "gm-switch"),
};
const full = root.requestFullscreen && tool("Full screen", () => (walled() ? document.exitFullscreen() : root.requestFullscreen()),
  "PageDown and PageUp walk the steps; A, C and P switch");
const tools = make("span", "gm-tools"), saves = [tool("SVG", saveSvg, "Save the diagram as SVG"), tool("PNG", savePng, "Save the diagram as PNG")];
tools.append(...(full ? [full] : []), ...saves);
bar.append(tools);
const label = (v) => {
  const said = {
    amf: `AMF${v.amf ? `: ${v.amf_note}` : ""}`, cs: `CS${v.cs ? `: ${v.cs_note}` : ""}`,
    fault: "Simulated fault",
  };
  switches.fault.title = v.fault ? `Channel ${v.fault[0]} × ${v.fault[1]}; key P in full screen` : "Simulate an abnormal channel; key P in full screen";
  for (const key in switches) {
    switches[key].textContent = said[key];
    switches[key].setAttribute("aria-pressed", String(Boolean(v[key])));
  }
};
const KEYS = { pagedown: 1, arrowright: 1, arrowdown: 1, pageup: -1, arrowleft: -1, arrowup: -1, a: "amf", c: "cs", p: "fault" };
const onKey = (event) => {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  const act = KEYS[event.key.toLowerCase()], busy = event.ctrlKey || event.metaKey || event.altKey;
  if (!walled() || act === undefined || busy || event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  if (typeof act === "string") flip(act);
  else if (value.lesson) walk(act);
};
document.addEventListener("keydown", onKey);
document.addEventListener("fullscreenchange", () => { resize(); if (told.startsWith(INVITE)) speak(invite()); });

const resize = () => {
  if (!box.clientWidth) leave();
  if (!now || !box.clientWidth) return;
  const wall = walled() && innerWidth > 900;
  root.classList.toggle("gm-wall", wall);
  if (full) full.textContent = walled() ? "Leave full screen" : "Full screen";
  const W = box.clientWidth;
  info.style.minHeight = "";
  // A small projector shows the same picture, smaller.
  const letter = Math.max(Math.min(20, innerWidth / 96), Math.min(W / 70, innerHeight / 54)), closer = now.v.blocks.length > ROW ? 0.82 : 1;
  u = wall ? closer * letter : W > 1500 ? 15 : W > 1100 ? 14 : 13;
  least = wall ? 1.1 * letter : 11;
  family = getComputedStyle(root).fontFamily;
  root.style.setProperty("--u", `${wall ? letter : u}px`);
  plan = arrange(W, wall ? innerHeight - bar.offsetHeight - 8.4 * letter : 0);
  draw(1);
};
const KEPT = ["picture", "model"], SWITCHES = ["amf", "cs", "fault", "attention"];
const INVITE = "Point at any patch: it lights up everywhere.";
const invite = () => `${INVITE}${walled() ? " PageDown goes on, PageUp back; A, C and P switch AMF, CS and the fault." : ""}`;
const arrive = async (v) => {
  const next = await unpack(v);
  if (v !== arrived()) return;
  const differ = (names) => names.filter((name) => JSON.stringify(now.v[name]) !== JSON.stringify(v[name]));
  const list = (one) => one.words.map(({ name }) => name).join("\n");
  old = now && !differ(KEPT).length && list(now.v) === list(v) ? now : null;
  // What a step sets is no switch: what it leaves as it was needs no word.
  // Nor is a guess where the switches stood otherwise: what it then sets is not what its step speaks of.
  const step = (one) => one?.lesson?.at, told = old?.v.lesson?.told !== v.lesson?.told, stray = told && !old?.v.lesson?.as_set;
  const flipped = old && step(old.v) === step(v) && !stray ? differ(SWITCHES) : [];
  same = flipped.length ? unchanged(old, next) : {};
  if (!v.words.some((one) => one.index === word)) word = null;
  if (old?.v.norms_of !== v.norms_of) channel = null;
  if (now?.v.picture !== v.picture) {
    const kept = pointed(v.picture);
    at = kept && [kept.row, kept.column];
    lit = Boolean(kept);
    pinned = Boolean(kept?.pinned);
  }
  const first = !old || step(old.v) !== step(v);
  if (!old) guesses.clear(); // they were about another picture
  const shows = v.lesson?.parts.includes("scores");
  if (first && !pinned) lit = false;
  now = next;
  say.parentNode.dataset.room = longest();
  root.classList.remove("gm-stale");
  label(v);
  if (!box.isConnected) root.replaceChildren(bar, box, info);
  if (v.lesson && !panel.isConnected) root.prepend(panel);
  lessonOf(v);
  resize();
  explained();
  if (flipped.length === 1) speak(effect(old, now, flipped[0]));
  else if (flipped.length || first) lit ? describe() : speak(invite());
  if (shows && (first || told) && !pinned) example();
  turn();
};
// From the old to the new in 400 ms; at once where motion is not wanted.
const turn = () => {
  const begun = performance.now(), mine = ++frame;
  const step = (time) => {
    if (mine !== frame) return;
    const t = old && !STILL.matches ? clamp((time - begun) / 400, 0, 1) : 1;
    draw(t * t * (3 - 2 * t));
    root.dataset.ready = t < 1 ? "0" : "1";
    if (t < 1) requestAnimationFrame(step);
  };
  step(begun);
};
new ResizeObserver(resize).observe(box);
const update = () => {
  value = arrived();
  if (value?.kind === "machine") {
    root.classList.toggle("gm-stale", Boolean(now && now.v.picture !== value.picture));
    return void arrive(value);
  }
  root.replaceChildren(...(value?.kind === "baked" ? lessonOf(value) : [skeleton(root.dataset.empty)]));
  root.dataset.ready = value ? "1" : "0";
};
watch("value", update);
update();
