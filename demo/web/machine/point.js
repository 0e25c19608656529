// Pointing: one patch lights up everywhere; a press shows a block, a word, a channel, or pins it.
import { arrows, clamp, make, placeName } from "../dom_old.js";
import { draw, mark, sentenceOf } from "./draw.js";
import { fitsAt, rounded, sharesAt, signed } from "./scores.js";

const PINNED = " (pinned)";

export const speak = (m, text) => {
  if (text === m.told) return;
  m.told = text;
  m.say.textContent = text;
};

const sentence = ({ now, state, pinned }, patch) => {
  const { words, threshold } = now.v;
  const where = (i) => placeName(Math.floor(i / now.w), i % now.w);
  const list = sharesAt(now, state ?? now, patch);
  const round = rounded(list.map(([, score]) => score));
  const nameOf = (index) => {
    if (index < 0) return "the rest";
    return words.find((one) => one.index === index)?.name ?? "another word";
  };
  const fits = fitsAt(now, patch).map(([index, cosine], k) => {
    const at = list.findIndex(([one]) => one.index === index);
    const share = at < 0 ? "" : `, ${round[at]} %`;
    return `${nameOf(index)} (${k ? "" : "cosine "}${signed(cosine)}${share})`;
  });
  const count = now.looks.length / now.n;
  const looks = Array.from({ length: count }, (_, k) => k * now.n + patch).map((i, k) => {
    const share = k ? "" : " an equal share";
    return `${where(now.looks[i])} (${now.times[i].toFixed(1)} ×${share})`;
  });
  const best = now.fits[patch] - 1;
  const score = list.find(([one]) => one.index === best)?.[1] ?? 1;
  const low = best >= 0 && score < threshold ? "none, under the threshold; best " : "";
  return (
    `Patch ${where(patch)}${pinned ? PINNED : ""}. Label: ${low}${fits.join(", then ")}. ` +
    `Looks most at ${looks.join(", ")}.`
  );
};

export const describe = (m) => speak(m, sentence(m, m.at[0] * m.now.w + m.at[1]));

export const move = (m, row, column, heard = false) => {
  if (m.lit && m.at[0] === row && m.at[1] === column) {
    if (!heard) describe(m);
    return;
  }
  m.at = [row, column];
  m.lit = true;
  mark(m);
  describe(m);
  if (!heard) m.point(m.at, m.pinned);
};

const under = ({ pen, plan, now }, event, { b, kind }) => {
  const origin = pen.front.getBoundingClientRect();
  const k = plan.W / origin.width;
  const x = clamp(((event.clientX - origin.left) * k - b.x) / b.w, 0, 0.9999);
  const y = clamp(((event.clientY - origin.top) * k - b.y) / b.h, 0, 0.9999);
  if (kind === "norms") return Math.floor(x * now.norms.length);
  if (kind === "grid") return [Math.floor(y * now.h), Math.floor(x * now.w)];
  const square = Math.floor(y * now.m);
  const middle = (i) => i * now.v.square + (now.v.square >> 1);
  return [middle(Math.floor(square / now.sw)), middle(square % now.sw)];
};

// The sentence of the part or block that is pointed at.
export const explained = (m) => {
  const { v } = m.now;
  const part = v.parts[m.asked.part];
  const block = v.blocks[m.asked.block - 1];
  m.more.textContent = block
    ? `${sentenceOf(block, v)}.`
    : part
      ? `${part.name}: ${part.sentence}`
      : "";
};

export const listen = (m) => {
  const { pen, trigger } = m;
  const about = ({ target }) => {
    m.asked = { part: target.closest("[data-part]")?.dataset.part, block: target.dataset.block };
    explained(m);
  };
  const hit = (event) => {
    const found = event.target.closest("[data-zone]");
    return found && [found, m.zones.get(found.dataset.zone)];
  };
  // A pressed word or channel is shown by every widget on the page that draws it.
  const pick = (index) => {
    m.word = index;
    draw(m, 1);
    const name = m.now.v.words.find((one) => one.index === index)?.name;
    m.share("word", { index, name });
  };
  const take = (index) => {
    m.channel = clamp(index, 0, m.now.norms.length - 1);
    draw(m, 1);
    m.share("channel", { index: m.channel, block: m.now.v.norms_of });
  };
  // The largest channel within a finger's breadth.
  const near = (c) => {
    const { norms } = m.now;
    const reach = Math.ceil(norms.length / 60);
    const from = Math.max(0, c - reach);
    const some = norms.subarray(from, c + reach + 1);
    return from + some.indexOf(Math.max(...some));
  };
  const press = (target, spot, event) => {
    const { block, word } = target.dataset;
    const { v } = m.now;
    if (block) {
      const which = Number(block);
      if (which !== v.norms_of) trigger("select", { index: which, value: which });
    } else if (word) pick(m.word === Number(word) ? null : Number(word));
    else if (spot.kind === "norms") {
      take(event ? near(under(m, event, spot)) : (m.channel ?? v.channel));
    } else {
      const to = event ? under(m, event, spot) : m.at;
      m.pinned = !(m.pinned && to[0] === m.at[0] && to[1] === m.at[1]);
      m.lit = false;
      move(m, ...to);
    }
  };
  m.onPoint((patch) => {
    if (!m.now || !m.plan) return;
    m.pinned = Boolean(patch?.pinned);
    if (patch) move(m, patch.row, patch.column, true);
  });
  m.hear("word", ({ name, index }) => {
    const found = m.now?.v.words.find((one) => (index < 0 ? one.index < 0 : one.name === name));
    m.word = found?.index ?? null;
    if (m.plan) draw(m, 1);
  });
  // An SVG that hears of focus takes it itself: the box hears.
  pen.box.addEventListener("focusin", about);
  pen.front.addEventListener("pointermove", (event) => {
    about(event);
    const found = hit(event);
    if (!found) return;
    if (m.pinned) describe(m);
    else if (event.pointerType !== "touch" && found[1].kind !== "norms") {
      move(m, ...under(m, event, found[1]));
    }
  });
  pen.front.addEventListener("click", (event) => {
    const found = hit(event);
    if (found) press(...found, event);
  });
  pen.front.addEventListener("keydown", (event) => {
    const found = hit(event);
    if (!found) return;
    const arrow = arrows[event.key];
    const { zone, block } = found[0].dataset;
    const { now, plan } = m;
    if (arrow && zone === "picture") {
      const [row, column] = [m.at[0] + arrow[0], m.at[1] + arrow[1]];
      move(m, clamp(row, 0, now.h - 1), clamp(column, 0, now.w - 1));
    } else if (arrow && zone === "norms") {
      take((m.channel ?? now.v.channel) - 10 * arrow[0] + arrow[1]);
    } else if (arrow && block) {
      const next = clamp(Number(block) + arrow[1], 1, plan.tiles.length);
      pen.nodes.get(`zone tile ${next}`).focus();
    } else if (event.key === "Enter" || event.key === " ") press(...found);
    else if (event.key === "Escape" && (m.pinned || m.lit)) {
      m.pinned = m.lit = false;
      mark(m);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
};

// The line under the diagram: the patch, and the part or block that is pointed at.
export const makeInfo = (m) => {
  m.say = make("span");
  m.more = make("span", "gm-explain");
  m.info = make("p", "gm-info");
  m.say.setAttribute("aria-live", "polite");
  m.info.append(m.say, " ", m.more);
};
