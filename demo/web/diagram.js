// One patch in focus on every map, from the photo to the mask. The values come from diagram.py;
// typed words are only ever set as textContent.

import {
  copyOf,
  countAnswer,
  inside,
  isCalm,
  make,
  makeButton,
  setProperties,
} from "./elements.js";
import { ARROWS, cellOf, patchAt, patchBeside, placeOf, placeUnder } from "./grid.js";
import { arrow, at, band, boxIn, fusion, path } from "./lines.js";
import { newestOnly } from "./packed.js";
import { urlOf } from "./photos.js";
import { HEAT, ink, putValues } from "./pixels.js";
import { GREY, MOST_WORDS } from "./reasons.js";
import { bitsOf, change, patchesKey, pinnedIn, state } from "./state.js";
import { drawSwitches } from "./switches.js";
import { behindText } from "./words.js";

const OPAQUE_HEAT = HEAT.map((colour) => colour | 0xff000000);
const DOUBLE = 25; // per cent of a bar for each doubling of a norm: 16 × fills it

export function createDiagram(element) {
  element.append(copyOf("#diagram-parts"));
  const { $, $$ } = inside(element);
  const flow = $(".flow");
  const cut = $(".cut");
  const bars = $(".bars");
  const alone = $(".alone");
  const mean = $(".mean");
  const mask = $(".mask");
  const large = $(".large");
  const matrix = $(".matrix");
  const received = $(".received");
  const called = $(".called");
  /** What is drawn: the pieces of the server, what of them is in view, and the numbers in it. */
  let pieces = [];
  let answer = null;
  let tower = null;
  let detail = null;
  let data = null;
  /** The patch under the pointer, and the one that the maps show. */
  let hovered = null;
  let focused = 0;
  const pinned = () => pinnedIn(answer.grid);
  const load = newestOnly();

  /**
   * Draw the mask that the canvas shows, too, and values of diagram.py: of the patches, of the tower,
   * and of the enlarged block.
   * @param {import("./types.js").Canvas} canvas
   */
  function drawAll(canvas, patches, blocks, block) {
    const next = [canvas, patches, blocks, block];
    if (next.every((value, i) => value === pieces[i])) return look();
    const { ideas } = canvas;
    const mask = canvas.masks[ideas.length ? bitsOf(ideas) : 1];
    const amf = ideas.length ? state.amf : blocks.blocks.some(({ fused }) => fused);
    const cs = ideas.includes("CS") && state.cs;
    const { photo } = state;
    const value = { ...canvas, ...mask, ...patches, amf, cs, photo, of: patchesKey() };
    const ofPatches = [value.cosines, value.mask, value.by_block, value.background.best];
    load([...ofPatches, blocks.maps, blocks.last, block.matrix], (decoded) => {
      pieces = next;
      show([value, blocks, block], decoded);
    });
  }

  function show(next, [cosines, labels, byBlock, behind, maps, last, matrix]) {
    const isNew = answer?.of !== next[0].of;
    if (isNew) {
      hovered = null;
      focused = next[0].surest;
    }
    [answer, tower, detail] = next;
    const [rows, columns] = answer.grid;
    data = { n: rows * columns, cosines, labels, byBlock, maps, last, matrix, behind };
    const [height, width] = answer.mask.shape;
    setProperties(flow, {
      rows,
      columns,
      ratio: width / height,
      photo: `url(${JSON.stringify(new URL(urlOf(answer.photo), location.href).href)})`,
    });
    $(".size").textContent = `${columns} × ${rows}; choose one`;
    $(".number").textContent = detail.block + 1;
    $(".norms").src = detail.norms;
    $(".own").textContent = tower.formula;
    $(".own-rule").textContent = tower.alone;
    $(".average").textContent = tower.mean;
    $(".reason").textContent = tower.reason;
    $(".fusion").textContent = tower.fusion;
    $(".which + dfn").hidden = tower.fusion !== "AMF";
    $(".least-share").textContent = tower.least_share;
    $(".least-norm").textContent = tower.least_norm;
    drawSwitches($(".ideas"), answer.switches);
    fillHeads();
    drawBlocks(isNew);
    drawLast(isNew);
    drawCloser();
    look();
    connect();
    countAnswer(element);
  }

  const toggle = (part, classes) => {
    for (const name of Object.keys(classes)) part.classList.toggle(name, classes[name]);
  };

  /** Highlight a part whose content changed, for the same photo. */
  const shown = new Map();
  function glow(part, shows, isNew) {
    const changed = !isNew && shown.get(part) !== shows;
    shown.set(part, shows);
    const ring = { boxShadow: "0 0 0 4px var(--glow)" };
    if (changed && !isCalm) part.animate([ring, ring, {}], 1800);
  }

  function fillHeads() {
    const select = $(".head");
    if (select.length !== detail.heads + 1) {
      const names = ["mean", ...Array.from({ length: detail.heads }, (_, i) => `head ${i + 1}`)];
      select.replaceChildren(...names.map((name) => make("option", "", name)));
    }
    select.selectedIndex = detail.head + 1;
  }

  /** The length of the bar of a norm that is `ratio` times the median. */
  const lengthOf = (ratio) => `${Math.min(100, DOUBLE * Math.log2(Math.max(1.05, ratio)))}%`;

  function drawBlocks(isNew) {
    const { blocks } = tower;
    const hasOutlier = blocks.some(({ outlier }) => outlier);
    const isScaled = blocks.some(({ suppressed }) => suppressed);
    if ($$(".layer").length !== blocks.length) $(".blocks").replaceChildren(...blocks.map(layerOf));
    $$(".layer").forEach((layer, i) => {
      const { tokens, fused, suppressed, peaks } = blocks[i];
      const [, map, held, bar, ratio] = layer.children;
      layer.setAttribute("aria-pressed", i === detail.block);
      const [before, after] = peaks.map((peak) => `${peak.toFixed(1)} ×`);
      layer.setAttribute(
        "aria-label",
        `Block ${i + 1}${fused ? ", fused by AMF" : ""}: largest norm ${answer.cs ? after : before}`,
      );
      toggle(layer, { fused, suppressed });
      held.textContent = tokens.length ? `${tokens.length} ○` : "";
      const peak = peaks[Number(answer.cs)];
      ratio.textContent = `${peak.toFixed(peak < 10 ? 1 : 0)} ×`;
      [...bar.children].forEach((part, j) => {
        part.style.width = lengthOf(peaks[j]);
      });
      ring(map, tokens);
      glow(map, tower.maps.gzip, isNew);
    });
    const isWide = ({ fused }, i) => fused || i === blocks.length - 1;
    const layers = blocks.map((block, i) => (isWide(block, i) ? "2fr" : "1fr")).join(" ");
    setProperties(flow, { layers, tick: lengthOf(tower.least_norm) });
    ring(received, blocks[detail.block].tokens);
    const without = hasOutlier ? "an outlier outweighs the rest" : "no outlier here";
    $(".verdict > span").textContent = isScaled && answer.cs ? "channels scaled down" : without;
    const numbers = blocks.flatMap(({ fused }, i) => (fused ? [i + 1] : []));
    $(".which").textContent =
      numbers.length > 3 ? `${numbers.length} blocks` : numbers.join(", ") || "no other";
    toggle(flow, { outlier: hasOutlier, amf: answer.amf, cs: answer.cs && isScaled });
  }

  function layerOf(_, i) {
    const bar = make("span", "peak");
    bar.append(make("i"), make("i"));
    const layer = makeButton("layer", "", () => {
      change({ block: i + 1 });
      if (innerWidth <= 900) $(".open").scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
    });
    const [map, held] = [prepare(make("span", "map")), make("small", "held")];
    layer.append(make("b", "", i + 1), map, held, bar, make("small"));
    return layer;
  }

  function drawLast(isNew) {
    glow(alone, tower.last.gzip, isNew);
    glow(mean, `${answer.amf}${tower.last.gzip}`, isNew);
    glow(bars, answer.cosines.gzip, isNew);
    paint(mask.firstChild, data.labels, answer.mask.shape[1], 165);
    glow(mask, answer.mask.gzip, isNew);
  }

  function drawCloser() {
    const { n } = data;
    const width = detail.matrix.shape[1];
    putValues(matrix.firstChild, width, data.matrix.subarray(width), OPAQUE_HEAT);
    const block = detail.block * n;
    paint(called.firstChild, data.byBlock.subarray(block, block + n), answer.grid[1], 200);
  }

  /** Draw classes in their colours, and nothing where there is none. */
  function paint(canvas, labels, width, alpha) {
    const inks = new Uint32Array(256);
    answer.classes.forEach(({ colour }, label) => {
      inks[label] = ink(colour, alpha);
    });
    putValues(canvas, width, labels, inks);
  }

  /** A row of maps of 1 + n rows each: attention received, then what each patch attends to. */
  function rowOf(maps, width, patch, map = 0) {
    const { n } = data;
    const start = (map * (n + 1) + (patch === null ? 0 : patch + 1)) * width;
    return maps.subarray(start, start + width);
  }

  /** Show what the hovered or pinned patch attends to; without one, blocks show the received. */
  function look() {
    const [rows, columns] = answer.grid;
    const chosen = hovered ?? pinned();
    focused = chosen ?? focused;
    const [row, column] = cellOf(focused, answer.grid);
    setProperties(flow, { row, column, share: (focused + 0.5) / (rows * columns) });
    const width = tower.maps.shape[2];
    const [, attended] = tower.attended;
    const n = tower.last.shape[2];
    $$(".layer .map").forEach((map, i) => {
      putValues(map.firstChild, tower.columns, rowOf(data.maps, width, chosen, i));
    });
    [alone, mean].forEach((map, i) => {
      putValues(map.firstChild, attended, rowOf(data.last, n, focused, i));
    });
    putValues(large.firstChild, attended, rowOf(data.matrix, n, focused));
    putValues(received.firstChild, attended, rowOf(data.matrix, n, null));
    flow.classList.toggle("looking", chosen !== null);
    $$(".directions button").forEach((button, i) => {
      button.setAttribute("aria-pressed", i === Number(chosen !== null));
    });
    drawBars();
  }

  /** The words and the background, with their cosines to the patch in focus. */
  function fits() {
    const { n } = data;
    const [low, high] = answer.range;
    const behind = data.behind && answer.background.names[data.behind[focused]];
    const entries = [...answer.classes, { name: behindText(behind), colour: GREY }];
    return entries.slice(0, answer.cosines.shape[0]).map((entry, c) => {
      return { ...entry, cosine: low + ((high - low) * data.cosines[c * n + focused]) / 255 };
    });
  }
  const bestFirst = (lines) => lines.toSorted((a, b) => b.cosine - a.cosine);

  function drawBars() {
    const lines = fits();
    const sorted = bestFirst(lines);
    const listed = lines.length > MOST_WORDS + 1 ? sorted.slice(0, MOST_WORDS) : lines;
    const made = listed.map((line) => {
      const bar = make("div", line === sorted[0] ? "word best" : "word");
      const cosine = line.cosine.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
      bar.append(make("bdi", "", line.name), make("b", "", cosine), make("i"));
      bar.lastChild.style.background = line.colour;
      bar.lastChild.style.width = `${(100 * Math.max(line.cosine, 0)) / answer.range[1]}%`;
      return bar;
    });
    const others = lines.length - listed.length;
    bars.replaceChildren(...made, ...(others ? [make("small", "", `${others} more`)] : []));
  }

  /** Draw the lines between the parts. */
  function connect() {
    if (!$("svg").clientWidth) return; // another tab is open, or the screen is narrow
    const box = (part) => boxIn(flow, part);
    const layers = $$(".layer .map").map(box);
    const [blocks, last] = [".blocks", ".last"].map((part) => box($(part)));
    const [own, fused, words] = [alone, mean, bars].map(box);
    const [[left, y], [right]] = [at(own, 1, 0.5), at(fused, 0, 0.5)];
    const [x, top] = [(left + right) / 2, last.top];
    const fusions = $$(".fused").map((layer) => {
      const way = fusion(box(layer), box(layer.querySelector(".map")), blocks, [x, top]);
      return path("fuse", `${way}V${y}`);
    });
    $("g").innerHTML = [
      band(box(cut), layers[0]),
      band(layers.at(-1), { ...last, top: last.top + 1 }), // or a seam would be seen
      ...fusions,
      path("fuse", `${left} ${y}H${right}`),
      `<circle class="plus" cx="${x}" cy="${y}" r="${Math.min(11, (right - left) / 2.4)}"/>`,
      path("plus", `${x - 5} ${y}h10m-5-5v10`),
      arrow(answer.amf ? fused : own, words),
      arrow(words, box(mask)),
      `<text x="${x + 14}" y="${top + 4}">averaged into</text>`,
    ].join("");
  }

  /** Give a map a canvas and a mark for the patch in focus. */
  function prepare(map) {
    map.prepend(make("canvas"), make("i", "spot"));
    return map;
  }

  function ring(map, tokens) {
    for (const old of map.querySelectorAll(".ring")) old.remove();
    for (const [x, y] of tokens) {
      const token = make("i", "ring");
      const [left, top] = [x, y].map((at) => `clamp(5px, ${100 * at}%, 100% - 5px)`);
      Object.assign(token.style, { left, top });
      map.append(token);
    }
  }

  /** The patch under a pointer; in the matrix, the one of the row. */
  function under(event) {
    const map = answer && event.target.closest(".map");
    if (!map || map.closest(".layer")) return null; // a press there enlarges the block
    const { n } = data;
    return patchAt(placeUnder(event, map), map === matrix ? [n, 1] : answer.grid);
  }

  function focus(on, pressed = answer && pinned()) {
    if (!answer || (on === hovered && pressed === pinned())) return;
    hovered = on;
    if (pressed === pinned()) look();
    else change({ patch: pressed });
  }

  flow.onpointermove = (event) => event.pointerType === "mouse" && focus(under(event));
  flow.onpointerleave = () => focus(null);
  flow.onclick = (event) => {
    const patch = under(event);
    if (patch !== null) focus(hovered, patch === pinned() ? null : patch);
  };
  cut.onkeydown = (event) => {
    if (event.key === "Escape") focus(null, null);
    if (!answer || !(event.key in ARROWS)) return;
    event.preventDefault();
    focus(null, patchBeside(focused, event.key, answer.grid));
    const best = bestFirst(fits()).slice(0, 3);
    const words = best.map(({ name, cosine }) => `${name} ${cosine.toFixed(2)}`);
    $(".live").textContent = `Patch in ${placeOf(focused, answer.grid)}: ${words.join(", ")}`;
  };
  $(".head").onchange = ({ target }) => change({ head: target.selectedIndex });
  $(".formulas").onclick = ({ target }) =>
    target.setAttribute("aria-pressed", flow.classList.toggle("written"));
  $$(".directions button").forEach((button, i) => {
    button.onclick = () => focus(null, i ? focused : null);
  });
  $$(".map").forEach(prepare);
  new ResizeObserver(() => answer && connect()).observe(flow);
  return { draw: drawAll };
}
