// Pointing: one patch lights up everywhere; a press shows a block, a word, a channel, or pins the patch.
let at = null, lit = false, pinned = false, told = "";
const spots = svg("g", {});
const say = make("span", ""), room = make("span", "gw-room"), more = make("span", "gm-explain"), info = make("p", "gm-info");
say.setAttribute("aria-live", "polite");
room.append(say);
info.append(room, " ", more);
const speak = (text) => text !== told && (say.textContent = told = text);
const mark = () => {
  const d = mixed, [row, column] = (at = at ? [clamp(at[0], 0, now.h - 1), clamp(at[1], 0, now.w - 1)] : [now.h >> 1, now.w >> 1]);
  const square = Math.floor(row / now.v.square) * now.sw + Math.floor(column / now.v.square), patch = row * now.w + column;
  spots.style.display = lit ? "" : "none";
  scores(lit ? patch : null);
  raster("look", plan.photo, now.sw, now.sh, [d.used, lit && square], lit ? heat(d.used, d.bright, square * now.m, VEIL) : () => 0);
  if (!lit) return;
  const { x, y, w: wide, h: high } = plan.photo;
  for (let k = 0; k < now.looks.length / now.n; k++) {
    const there = now.looks[k * now.n + patch], w = wide / now.w, h = high / now.h;
    rect(`from ${k}`, spots, { x: x + (there % now.w) * w, y: y + Math.floor(there / now.w) * h, w, h }, "gm-from", { "data-from": there });
  }
  for (const [key, { b, kind }] of zones) {
    const w = b.w / now.w, h = kind === "rows" ? b.h / now.m : b.h / now.h;
    if (kind === "grid") rect(`spot ${key}`, spots, { x: b.x + column * w - 0.5, y: b.y + row * h - 0.5, w: w + 1, h: h + 1 }, "gm-spot", { "data-patch": at });
    if (kind === "rows") rect(`spot ${key}`, spots, { x: b.x, y: b.y + square * h - 0.5, w: b.w, h: Math.max(h, 1) + 1 }, "gm-row", { "data-patch": at });
  }
};
const PINNED = " (pinned)";
const sentence = (patch) => {
  const where = (i) => named(Math.floor(i / now.w), i % now.w), { words } = now.v;
  const list = shared(patch, now), round = rounded(list.map(([, score]) => score));
  const fits = fitsAt(patch).map(([index, cosine], k) => {
    const at = list.findIndex(([one]) => one.index === index), name = index < 0 ? "the rest" : words.find((one) => one.index === index)?.name ?? "another word";
    return `${name} (${k ? "" : "cosine "}${signed(cosine)}${at < 0 ? "" : `, ${round[at]} %`})`;
  });
  const most = Array.from({ length: now.looks.length / now.n }, (_, k) => k * now.n + patch).map((i, k) => `${where(now.looks[i])} (${now.times[i].toFixed(1)} ×${k ? "" : " an equal share"})`);
  const best = now.fits[patch] - 1, score = list.find(([one]) => one.index === best)?.[1] ?? 1, low = best >= 0 && score < now.v.threshold ? "none, under the threshold; best " : "";
  return `Patch ${where(patch)}${pinned ? PINNED : ""}. Label: ${low}${fits.join(", then ")}. Looks most at ${most.join(", ")}.`;
};
const describe = () => speak(sentence(at[0] * now.w + at[1]));
// What is said of a patch has its room beforehand, so that nothing moves under the pointer.
const longest = () => Array.from({ length: now.n }, (_, patch) => sentence(patch)).reduce((one, other) => (other.length > one.length ? other : one)) + PINNED;
// A step that asks for a patch's word shows one: a patch amid those of the smallest thing there is.
const example = () => {
  const { words } = now.v, score = (i, patch) => now.scores[i * now.n + patch], all = words.map((_, i) => i);
  const best = Array.from({ length: now.n }, (_, patch) => all.reduce((top, i) => (score(i, patch) > score(top, patch) ? i : top), 0));
  const having = all.map((i) => best.flatMap((top, patch) => (top === i && words[i].index >= 0 ? [patch] : []))).filter((list) => list.length);
  if (!having.length) return;
  const least = having.reduce((few, list) => (list.length < few.length ? list : few)), mine = best[least[0]];
  const patch = least.sort((one, other) => score(mine, one) - score(mine, other))[least.length >> 1];
  move(Math.floor(patch / now.w), patch % now.w);
};
const move = (row, column, heard = false) => {
  if (lit && at[0] === row && at[1] === column) return heard || describe();
  at = [row, column];
  lit = true;
  mark();
  describe();
  if (!heard) point(at, pinned);
};
onPoint((patch) => {
  if (!now || !plan) return;
  pinned = Boolean(patch?.pinned);
  if (patch) move(patch.row, patch.column, true);
});
const under = (event, { b, kind }) => {
  const origin = front.getBoundingClientRect(), k = plan.W / origin.width, part = (x) => clamp(x, 0, 0.9999);
  const x = part(((event.clientX - origin.left) * k - b.x) / b.w), y = part(((event.clientY - origin.top) * k - b.y) / b.h);
  if (kind === "norms") return Math.floor(x * now.norms.length);
  if (kind === "grid") return [Math.floor(y * now.h), Math.floor(x * now.w)];
  const square = Math.floor(y * now.m), half = now.v.square >> 1, row = (i) => i * now.v.square + half;
  return [row(Math.floor(square / now.sw)), row(square % now.sw)];
};
const hit = (event) => {
  const found = event.target.closest("[data-zone]");
  return found && [found, zones.get(found.dataset.zone)];
};
let asked = {};
const explained = () => {
  const part = now.v.parts[asked.part], block = now.v.blocks[asked.block - 1];
  more.textContent = block ? `${sentenceOf(block)}.` : part ? `${part.name}: ${part.sentence}` : "";
  info.style.minHeight = `${Math.max(parseFloat(info.style.minHeight) || 0, info.offsetHeight)}px`; // a room once taken stays
};
const about = ({ target }) => {
  asked = { part: target.closest("[data-part]")?.dataset.part, block: target.dataset.block };
  explained();
};
// A word or a channel that is pressed is shown by every widget on the page that draws it.
const pick = (index) => {
  word = index;
  draw(1);
  share("word", { index, name: now.v.words.find((one) => one.index === index)?.name });
};
const take = (index) => {
  channel = clamp(index, 0, now.norms.length - 1);
  draw(1);
  share("channel", { index: channel, block: now.v.norms_of });
};
hear("word", ({ name, index }) => {
  word = now?.v.words.find((one) => (index < 0 ? one.index === index : one.name === name))?.index ?? null;
  if (plan) draw(1);
});
// The largest channel within a finger's breadth.
const near = (c) => {
  const reach = Math.ceil(now.norms.length / 60), from = Math.max(0, c - reach), some = now.norms.subarray(from, c + reach + 1);
  return from + some.indexOf(Math.max(...some));
};
const press = (target, spot, event) => {
  const { block, word: index } = target.dataset;
  if (block) return Number(block) === now.v.norms_of || ask("block", Number(block));
  if (index) return pick(word === Number(index) ? null : Number(index));
  if (spot.kind === "norms") return take(event ? near(under(event, spot)) : channel ?? now.v.channel);
  const to = event ? under(event, spot) : at;
  pinned = !(pinned && to[0] === at[0] && to[1] === at[1]);
  lit = false;
  move(...to);
};
// (An SVG that hears of focus takes it itself.)
box.addEventListener("focusin", about);
front.addEventListener("pointermove", (event) => {
  about(event);
  const found = hit(event);
  if (found && pinned) describe();
  else if (found && event.pointerType !== "touch" && found[1].kind !== "norms") move(...under(event, found[1]));
});
front.addEventListener("click", (event) => {
  const found = hit(event);
  if (found) press(...found, event);
});
front.addEventListener("keydown", (event) => {
  const found = hit(event), arrow = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!found) return;
  const { zone: name, block } = found[0].dataset;
  if (arrow && name === "picture") move(clamp(at[0] + arrow[0], 0, now.h - 1), clamp(at[1] + arrow[1], 0, now.w - 1));
  else if (arrow && name === "norms") take((channel ?? now.v.channel) - 10 * arrow[0] + arrow[1]);
  else if (arrow && block) nodes.get(`zone tile ${clamp(Number(block) + arrow[1], 1, plan.tiles.length)}`).focus();
  else if (event.key === "Enter" || event.key === " ") press(...found);
  else if (event.key === "Escape" && (pinned || lit)) { pinned = lit = false; mark(); }
  else return;
  event.preventDefault();
  event.stopPropagation();
});
