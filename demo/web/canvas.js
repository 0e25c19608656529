// The picture with its mask as the method is switched; before and after, or both to swipe between.
// Pointing at a patch shows where it looks; a press says why it has its word.
import { fetchArrays, fetchMatrix, labelsOf, photo } from "./blobs.js";
import { arrows, button, clamp, make, percent, placeIn, placeName, still, written } from "./dom.js";
import { Glow } from "./glow.js";
import { entriesOf, Legend, REST } from "./legend.js";
import { CHANGED, HIDDEN, paintMask, pointOf, writeNames } from "./mask.js";
import { columnsOf } from "./why.js";

const FADE = 450;
const MEASURE = " (cosines; the bars show them after a softmax).";

export const canvas = (kit) => {
  // What stays from value to value.
  const s = {
    ...kit,
    ...{ mode: null, split: 0.5, opacity: null, given: null, isolated: null },
    ...{ patch: null, pinned: false, asked: false, reasons: null, last: null, counted: new Map() },
  };
  let view = null;
  document.addEventListener("gclip-opacity", ({ detail }) => view?.setOpacity(Number(detail)));
  kit.onPoint((detail) => view?.follow(detail));
  kit.hear("word", (detail) => view?.showWord(detail));
  kit.hear("why", (reasons) => {
    s.reasons = reasons;
    if (s.asked) view?.say();
  });
  // What covers the page takes the key first.
  document.addEventListener("keydown", ({ key, defaultPrevented }) => {
    const covered = document.fullscreenElement || document.querySelector("dialog, .gm-over");
    if (key === "Escape" && !defaultPrevented && !covered) view?.leave();
  });
  kit.mount(async (value) => {
    const masks = value.sides.map((side) => labelsOf(side.mask));
    const [image, ...labels] = await Promise.all([photo(value.picture), ...masks]);
    view = makeView(s, value, image, labels);
    kit.root.labels = labels;
    return view.nodes;
  });
};

const makeView = (s, value, image, labels) => {
  const { root, trigger, share, point } = s;
  const { sides, classes, compact } = value;
  const [h, w] = value.shape;
  const [rows, columns] = value.grid;
  const two = sides.length > 1;
  const last = sides.length - 1;
  if (s.given !== value.opacity) s.opacity = s.given = value.opacity;
  if (s.last?.value.picture !== value.picture) Object.assign(s, { patch: null, pinned: false });
  const shown = (index) => classes[index]?.shares.some((share) => share > 0);
  const isClass = typeof s.isolated === "number" && s.isolated >= 0;
  if ((isClass && !shown(s.isolated)) || (s.isolated === CHANGED && !two)) s.isolated = null;
  // The damage of a new simulation and its repair are seen at once, until it ends.
  if (s.last && !s.last.value.simulated !== !value.simulated) {
    s.mode = value.simulated && value.changed ? "swipe" : null;
  }
  const mode = () => (two ? (s.mode ?? value.mode) : "after");
  const arrays = sides.map(() => ({ matrix: null, words: null }));

  // --- the stage: photo, masks, glow, marks
  const frame = make("div", "gw-frame");
  const stage = make("div", "gw-stage");
  const glow = new Glow(value);
  frame.style.setProperty("--ratio", value.size[1] / value.size[0]);
  stage.style.aspectRatio = `${value.size[1]} / ${value.size[0]}`;
  stage.tabIndex = 0;
  stage.setAttribute("role", "application");
  stage.append(image);
  const layers = sides.map(() => {
    const one = make("canvas", "gw-mask");
    stage.append(one);
    return one;
  });
  stage.append(glow.canvas, glow.marks);
  frame.append(stage, glow.tip);

  // The side that is seen at a column (a share of the width).
  const sideAt = (x) => ({ before: 0, after: last, swipe: x > s.split ? 1 : 0 })[mode()];
  let width = 0; // of the stage when it was painted
  const rangeOf = (k) => (mode() !== "swipe" ? [0, 1] : k ? [s.split, 1] : [0, s.split]);

  const paint = (only = s.isolated) => {
    width = stage.clientWidth;
    const alone = only !== null;
    stage.classList.toggle("gw-alone", alone);
    for (const [k, canvas] of layers.entries()) {
      if (mode() !== "swipe" && k !== sideAt(0)) continue; // it is not seen
      const seen = (label, i) => (only === CHANGED ? label !== labels[1 - k][i] : label === only);
      const left = (label, i) => (seen(label, i) ? label : HIDDEN);
      const shown = alone ? labels[k].map(left) : labels[k];
      const options = { labels: shown, h, w, classes, alone, opacity: s.opacity };
      const painted = paintMask(canvas, options);
      if (painted) writeOn(painted, k, only);
    }
  };
  const writeOn = (painted, k, only) => {
    const { W, H, ratio } = painted;
    const [from, to] = rangeOf(k);
    const words = classes
      .map((one, i) => ({ ...one, i, text: one.name, place: one.places[k] }))
      .filter(({ i, place }) => place && (only === null || only === i))
      .sort((a, b) => b.shares[k] - a.shares[k])
      .map((one) => {
        const [row, column, radius] = one.place;
        const inside = column * H > from * W && column * H < to * W;
        const at = { x: column * H, y: row * H };
        const point = inside ? null : pointOf({ labels: labels[k], h, w }, one.i, from, to);
        if (!inside && !point) return null;
        if (point) Object.assign(at, { x: point[1] * W, y: point[0] * H });
        return { ...one, ...at, r: radius * H };
      });
    const { fontFamily } = getComputedStyle(root);
    const top = two ? ratio * (names.offsetTop + names.offsetHeight) : 0;
    writeNames(painted, words.filter(Boolean), fontFamily, [from * W, to * W, top]);
  };

  // --- before, after, swipe
  const handle = make("span", "gw-handle");
  const edge = make("span", "gw-edge");
  Object.assign(handle, { tabIndex: 0, role: "slider", ariaValueMin: "0", ariaValueMax: "100" });
  if (two) {
    handle.setAttribute("aria-label", `Swipe between ${sides[0].title} and ${sides[1].title}`);
    stage.append(edge, handle);
  }
  const swipe = (to) => {
    s.split = clamp(to, 0, 1);
    const at = `${100 * s.split}%`;
    const swiping = mode() === "swipe";
    edge.hidden = handle.hidden = !swiping;
    for (const [k, layer] of layers.entries()) {
      layer.classList.toggle("gw-off", !swiping && k !== sideAt(0));
      const clip = k ? `inset(0 0 0 ${at})` : `inset(0 calc(100% - ${at}) 0 0)`;
      layer.style.clipPath = swiping ? clip : "";
    }
    edge.style.left = handle.style.left = at;
    const part = Math.round(100 * s.split);
    handle.setAttribute("aria-valuenow", String(part));
    handle.setAttribute("aria-valuetext", `${part} % ${sides[0].title}`);
  };
  handle.addEventListener("keydown", (event) => {
    const step = arrows[event.key];
    const to = step ? s.split + 0.05 * (step[1] - step[0]) : { Home: 0, End: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    swipe(to);
  });
  const names = make("div", two ? "gw-named" : "gw-head");
  const modes = make("div", "gw-modes");
  modes.setAttribute("role", "group");
  modes.setAttribute("aria-label", "What the canvas shows");
  const titled = (side) => {
    const box = make("span", "gw-name-of");
    box.append(make("span", "gw-title", side.title));
    if (side.badge) box.append(" ", make("span", "gw-pill", side.badge));
    return box;
  };
  const setMode = () => {
    const now = mode();
    for (const one of modes.children) {
      one.setAttribute("aria-pressed", String(one.dataset.mode === now));
    }
    names.replaceChildren(...(now === "swipe" ? sides : [sides[sideAt(0)]]).map(titled));
    swipe(s.split);
    paint();
    look();
    legend?.show(now);
  };
  if (two) {
    for (const name of ["before", "after", "swipe"]) {
      const one = button(name, () => {
        s.mode = name;
        setMode();
      });
      one.dataset.mode = name;
      modes.append(one);
    }
  }
  if (two) stage.append(names);

  // --- pointing
  const middleOf = ([row, column]) => [(row + 0.5) / rows, (column + 0.5) / columns];
  const side = () => sideAt(s.patch ? middleOf(s.patch)[1] : 0);
  const nameOf = (index) => classes[index]?.name ?? REST;
  // The best words of the patch: name, colour, share, cosine.
  const bestWords = () => {
    const { words } = arrays[side()];
    if (!s.patch || !words) return [];
    const n = rows * columns;
    const i = s.patch[0] * columns + s.patch[1];
    const places = Array.from({ length: words.best.length / n }, (_, k) => k * n + i);
    return places.map((at) => {
      const index = words.best[at];
      const colour = classes[index]?.colour ?? "#8a8a8a";
      return [nameOf(index), colour, words.shares[at], words.cosines[at]];
    });
  };
  const info = make("div", "gw-info");
  const sentence = make("p", "gw-said");
  const details = make("details", "gw-more");
  const numbers = make("p", "gw-note");
  const others = make("div");
  details.append(make("summary", "", "Numbers and other methods"), numbers, others);
  info.append(sentence, details);
  const say = () => {
    const { matrix } = arrays[side()];
    const words = bestWords();
    details.hidden = !s.pinned || !s.patch;
    if (!s.patch) {
      sentence.textContent = value.notes[0] ?? "";
      return;
    }
    const what = matrix ? "this patch looks mostly at these; their average" : "this patch";
    const looks = `In ${sides[side()].title} ${what} matches `;
    const parts = words.map(([name, , , cosine]) => [
      make("b", "", name),
      ` ${written(cosine, 2)}`,
    ]);
    const list = parts.flatMap((part, k) => (k ? [", ", ...part] : part));
    const text = parts.length ? [looks, ...list, MEASURE] : [value.notes[0] ?? ""];
    sentence.replaceChildren(...text);
    const where = `Patch in ${placeName(...s.patch)}; press it again to leave it.`;
    numbers.textContent = where + (matrix ? looksText(matrix) : "");
    const reasons = s.asked ? s.reasons : null;
    others.replaceChildren(...(reasons ? columnsOf(reasons) : []));
  };
  const looksText = (matrix) => {
    const own = glow.square(s.patch);
    const list = matrix.strongest(own).map(([i, times]) => {
      const [row, column] = glow.middle(i).map(Math.floor);
      return `${i === own ? "itself" : placeName(row, column)} (${times.toFixed(1)} ×)`;
    });
    return ` It looks most at ${list.join(", ")}. 1 × is an equal share.`;
  };
  const look = () => {
    const { matrix } = arrays[side()];
    stage.classList.toggle("gw-looking", Boolean(s.patch && matrix));
    glow.draw(s.patch, matrix);
    glow.race(bestWords(), s.patch ? middleOf(s.patch) : [0, 0]);
  };
  const move = (to, tell = true) => {
    if (String(to) === String(s.patch) && tell) return;
    s.patch = to;
    look();
    if (s.pinned || !to) say();
    if (tell) point(to, s.pinned);
  };
  const unpin = () => {
    Object.assign(s, { pinned: false, asked: false, reasons: null });
    share("unpinned", {});
    move(null);
  };
  const ask = (patch, [y, x] = middleOf(patch)) => {
    Object.assign(s, { pinned: true, asked: true, reasons: null, patch });
    look();
    say();
    point(patch, true);
    const pixel = [Math.floor(y * value.size[0]), Math.floor(x * value.size[1])];
    trigger("select", { index: pixel, value: pixel });
    info.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
  };

  let from = null;
  let dragged = false;
  const patchAt = ([y, x]) => [Math.floor(y * rows), Math.floor(x * columns)];
  stage.addEventListener("pointerdown", (event) => {
    from = event.clientX;
    dragged = false;
    sentence.setAttribute("aria-live", "off");
  });
  stage.addEventListener("pointermove", (event) => {
    const at = placeIn(stage, event);
    const drags = from !== null && event.buttons && mode() === "swipe";
    if (drags && (dragged || Math.abs(event.clientX - from) > 6)) {
      if (!dragged) stage.setPointerCapture(event.pointerId);
      dragged = true;
      swipe(at[1]);
    } else if (event.pointerType !== "touch" && !s.pinned) move(patchAt(at));
  });
  const release = () => {
    from = null;
    if (dragged) paint();
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => s.pinned || move(null));
  stage.addEventListener("click", (event) => {
    if (dragged || event.target === handle) return;
    const at = placeIn(stage, event);
    const patch = patchAt(at);
    if (s.pinned && String(patch) === String(s.patch)) unpin();
    else ask(patch, at);
  });
  stage.addEventListener("keydown", (event) => {
    const step = arrows[event.key];
    sentence.setAttribute("aria-live", "polite");
    if (step) {
      const now = s.patch ?? [rows >> 1, columns >> 1];
      const to = [clamp(now[0] + step[0], 0, rows - 1), clamp(now[1] + step[1], 0, columns - 1)];
      move(s.patch ? to : now);
      say();
    } else if (event.key === "Enter" || event.key === " ") {
      ask(s.patch ?? [rows >> 1, columns >> 1]);
    } else return;
    event.preventDefault();
  });

  // --- around it
  const nodes = [];
  if (value.simulated) nodes.push(s.simulation(value.simulated));
  nodes.push(two ? modes : names, frame, info);
  const spoken = entriesOf(value).filter(({ index }) => index !== CHANGED);
  const sharesOf = (k) => spoken.map(({ name, shares }) => `${name} ${percent(shares[k])}`);
  const sideText = ({ title, badge }, k) =>
    `${title}${badge ? `, ${badge}` : ""}: ${sharesOf(k).join(", ")}`;
  const keys = "Arrow keys move over the patches, Enter asks why, Escape ends it.";
  stage.setAttribute("aria-label", `${sides.map(sideText).join(". ")}. ${keys}`);
  let legend = null;
  const range = make("input");
  const number = make("span", "gw-percent");
  const setOpacity = (to) => {
    s.opacity = to;
    range.value = Math.round(100 * to);
    number.textContent = `${range.value} %`;
    if (width) paint();
  };
  const isolate = (index) => {
    s.isolated = index;
    legend?.mark(index);
    paint();
  };
  if (!compact) {
    const press = (index) => {
      if (s.pinned) unpin();
      isolate(s.isolated === index ? null : index);
      const one = s.isolated === CHANGED ? null : s.isolated;
      share("word", { index: one, name: classes[one]?.name });
    };
    legend = new Legend(value, s.counted, { peek: paint, press });
    nodes.push(legend.list);
    const missing = classes.filter((_, i) => !shown(i));
    if (missing.length) {
      const more = make("details", "gw-missing");
      const list = missing.map(({ name }) => name).join(", ");
      const found = make("summary", "", `${missing.length} not found here`);
      more.append(found, make("p", "gw-note", list));
      nodes.push(more);
    }
    for (const note of value.notes.slice(1)) nodes.push(make("p", "gw-note", note));
    const bar = make("label", "gw-bar");
    Object.assign(range, { type: "range", min: 0, max: 100 });
    range.addEventListener("input", () => {
      const detail = range.value / 100;
      document.dispatchEvent(new CustomEvent("gclip-opacity", { detail }));
    });
    range.addEventListener("change", () => trigger("input", { index: 0, value: s.opacity }));
    bar.append(make("span", "", "Opacity"), range, number);
    nodes.push(bar);
    legend.mark(s.isolated);
  }

  // The old mask fades while the new one appears.
  const crossFade = () => {
    const old = s.last;
    const seen = mode() === "before" ? 0 : last;
    const now = layers[seen];
    s.last = { value, labels: labels[seen], canvas: now };
    if (!old || old.value.picture !== value.picture || still() || !old.canvas.width) return;
    const same = old.labels.length === labels[seen].length;
    if (same && old.labels.every((label, i) => label === labels[seen][i])) return;
    const ghost = make("canvas", "gw-ghost");
    Object.assign(ghost, { width: old.canvas.width, height: old.canvas.height });
    ghost.getContext("2d").drawImage(old.canvas, 0, 0);
    now.after(ghost);
    const options = { duration: FADE, easing: "ease-in-out" };
    const ended = ghost.animate([{ opacity: 1 }, { opacity: 0 }], options).finished;
    ended.finally(() => ghost.remove());
    now.animate([{ opacity: 0 }, { opacity: 1 }], options);
  };

  const fetchAll = () => {
    for (const [k, { matrix, words }] of sides.entries()) {
      const take = (name) => (found) => {
        arrays[k][name] = found;
        if (s.patch) look();
        if (s.pinned) say();
      };
      if (matrix) fetchMatrix(matrix).then(take("matrix"), () => {});
      if (words) fetchArrays(words).then(take("words"), () => {});
    }
  };
  new ResizeObserver(() => stage.clientWidth !== width && paint()).observe(stage);
  const placed = () => {
    if (value.pixel && !compact && !s.pinned) {
      const [y, x] = value.pixel.map((at, k) => Math.min(0.9999, at / value.size[k]));
      Object.assign(s, { pinned: true, asked: true, patch: patchAt([y, x]) });
    }
    setOpacity(s.opacity);
    setMode();
    say();
    crossFade();
    fetchAll();
  };
  root.addEventListener("placed", placed, { once: true });

  return {
    ...{ nodes, say, setOpacity, leave: () => s.patch && unpin() },
    showWord: ({ index, name }) => {
      const found = classes.findIndex((one, i) => one.name === name && shown(i));
      isolate(index !== null && index < 0 ? -1 : found >= 0 ? found : null);
    },
    follow: (detail) => {
      const place = detail && [
        clamp(detail.row, 0, rows - 1),
        clamp(detail.column, 0, columns - 1),
      ];
      Object.assign(s, { pinned: Boolean(detail?.pinned), asked: false });
      move(place, false);
    },
  };
};
