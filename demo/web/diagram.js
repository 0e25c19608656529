// One patch in focus on every map, from the photo to the mask. The values come from diagram.py;
// typed words are only ever set as textContent.
import { addCanvas, drawBlocks, drawRings } from "./blocks.js";
import { copyOf, countAnswer, inside, isCalm, make, setProperties } from "./elements.js";
import { ARROWS, cellOf, patchAt, patchBeside, placeOf, placeUnder } from "./grid.js";
import { arrow, at, band, boxIn, fusion, path } from "./lines.js";
import { newestOnly } from "./packed.js";
import { urlOf } from "./photos.js";
import { HEAT, ink, putValues } from "./pixels.js";
import { GREY, MOST_WORDS } from "./reasons.js";
import { bitsOf, change, FACTS, patchesKey, pinnedIn, state } from "./state.js";
import { createSwitches } from "./switches.js";
import { behindText } from "./words.js";

/** @import { Canvas, Detail, Mask, Packed, Patches, Tower } from "./types.js" */

/**
 * What is drawn: pieces of the server, what the state adds to them, and the arrays in them.
 * @typedef {{ canvas: Canvas, patches: Patches, tower: Tower, detail: Detail,
 *   mask: Mask, isFused: boolean, isScaled: boolean, photo: string, key: string,
 *   labels: Uint8Array, behind: Uint8Array, cosines: Uint8Array, byBlock: Uint8Array,
 *   matrix: Uint8Array, alone: Uint8Array, fused: Uint8Array, maps: Uint8Array[] }} View
 */

const OPAQUE_HEAT = HEAT.map((colour) => colour | 0xff000000);

/** @param {HTMLElement} element */
export function createDiagram(element) {
  element.append(copyOf("#diagram-parts"));
  const { $, $$ } = inside(element);
  const flow = $(".flow");
  const photo = $(".patches");
  const alone = $(".alone");
  const mean = $(".mean");
  const bars = $(".bars");
  const result = $(".result");
  const matrix = $(".matrix");
  const received = $(".received");
  const drawSwitches = createSwitches($(".ideas"));
  /** @type {?View} */
  let view = null;
  /** The patch under the pointer, and the one that the maps show. @type {?number} */
  let hovered = null;
  let focused = 0;
  const pinned = () => pinnedIn(view.canvas.grid);
  const load = newestOnly();

  /** Draw the pieces of the server and, of the canvas, the mask that is in view there, too.
   * @param {Canvas} canvas @param {Patches} patches @param {Tower} tower @param {Detail} detail */
  function draw(canvas, patches, tower, detail) {
    if (
      canvas === view?.canvas &&
      patches === view.patches &&
      tower === view.tower &&
      detail === view.detail
    )
      return look();
    const { ideas, masks } = canvas;
    const mask = masks[ideas.length ? bitsOf(ideas) : 1];
    const values = {
      canvas,
      patches,
      tower,
      detail,
      mask,
      isFused: ideas.length ? state.amf : tower.blocks.some(({ fused }) => fused),
      isScaled: ideas.includes("CS") && state.cs,
      photo: state.photo,
      key: patchesKey(),
    };
    load(
      [
        mask.mask,
        mask.background.best,
        patches.cosines,
        patches.by_block,
        detail.matrix,
        ...tower.last,
        ...tower.maps,
      ],
      ([labels, behind, cosines, byBlock, matrix, alone, fused, ...maps]) =>
        show({ ...values, labels, behind, cosines, byBlock, matrix, alone, fused, maps }),
    );
  }

  /** @param {View} next */
  function show(next) {
    const isNew = view?.key !== next.key;
    view = next;
    if (isNew) {
      hovered = null;
      focused = view.patches.surest;
    }
    const [rows, columns] = view.canvas.grid;
    const [height, width] = view.mask.mask.shape;
    const url = new URL(urlOf(view.photo), location.href).href;
    setProperties(flow, {
      rows,
      columns,
      ratio: width / height,
      photo: `url(${JSON.stringify(url)})`,
    });
    drawSwitches(view.canvas.switches);
    drawTexts();
    drawHeads();
    drawBlocks($(".blocks"), view.tower, view.detail.block, view.isScaled, enlarge);
    drawMaps();
    look();
    connect();
    glowWhereChanged(isNew);
    countAnswer(element);
  }

  function drawTexts() {
    const { canvas, tower, detail, isFused, isScaled } = view;
    const { blocks, fusion, reason, alone, formula, mean, least_share, least_norm } = tower;
    const [rows, columns] = canvas.grid;
    const fused = blocks.flatMap(({ fused }, i) => (fused ? [i + 1] : []));
    const isOutlier = blocks.some(({ outlier }) => outlier);
    const isRepaired = isScaled && blocks.some(({ suppressed }) => suppressed);
    const without = isOutlier ? "an outlier outweighs the rest" : "no outlier here";
    /** @type {Record<string, string | number>} */
    const texts = {
      ".size": `${columns} × ${rows}; choose one`,
      ".why-fused": reason,
      ".verdict > span": isRepaired ? "channels scaled down" : without,
      ".own-rule": alone,
      ".own": formula,
      ".fusion": fusion,
      ".which": fused.length > 3 ? `${fused.length} blocks` : fused.join(", ") || "no other",
      ".average": mean,
      ".number": detail.block + 1,
      ".least-share": least_share,
      ".least-norm": least_norm,
    };
    for (const selector of Object.keys(texts)) $(selector).textContent = texts[selector];
    $(".which + dfn").hidden = fusion !== "AMF";
    $(".norms").src = detail.norms;
    flow.classList.toggle("outlier", isOutlier);
    flow.classList.toggle("amf", isFused);
    flow.classList.toggle("cs", isRepaired);
  }

  function drawHeads() {
    const { head, heads } = view.detail;
    const select = $(".heads");
    if (select.length !== heads + 1) {
      const names = ["mean", ...Array.from({ length: heads }, (_, i) => `head ${i + 1}`)];
      select.replaceChildren(...names.map((name) => make("option", "", name)));
    }
    select.selectedIndex = head + 1;
    select.hidden = FACTS.schema.head.enum?.length === 1;
  }

  /** @param {number} block */
  function enlarge(block) {
    change({ block });
    if (!hasLines()) $(".open").scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
  }

  /** The maps of all patches at once. */
  function drawMaps() {
    const { canvas, mask, tower, detail, labels, byBlock } = view;
    const [rows, columns] = canvas.grid;
    const here = detail.block * rows * columns;
    const attended = detail.matrix.shape[1];
    putValues(result.firstChild, mask.mask.shape[1], labels, inksOf(165));
    const ofBlock = byBlock.subarray(here, here + rows * columns);
    putValues($(".called canvas"), columns, ofBlock, inksOf(200));
    putValues(matrix.firstChild, attended, view.matrix.subarray(attended), OPAQUE_HEAT);
    drawRings(received, tower.blocks[detail.block].tokens);
  }

  /** The colours of the classes; without a class there is none. @param {number} alpha */
  function inksOf(alpha) {
    const inks = new Uint32Array(256);
    view.canvas.classes.forEach(({ colour }, label) => {
      inks[label] = ink(colour, alpha);
    });
    return inks;
  }

  /** The content of each part, by which a change is seen. */
  const contents = new Map();
  /** Highlight the parts whose content has changed, for the same photo. @param {boolean} isNew */
  function glowWhereChanged(isNew) {
    const { tower, patches, mask, isFused } = view;
    const next = [
      ...$$(".layer .map").map((map, i) => [map, tower.maps[i].url]),
      [alone, tower.last[0].url],
      [mean, `${isFused}${tower.last[1].url}`],
      [bars, patches.cosines.url],
      [result, mask.mask.url],
    ];
    const ring = { boxShadow: "0 0 0 4px var(--glow)" };
    for (const [part, content] of next) {
      const isChanged = !isNew && contents.get(part) !== content;
      if (isChanged && !isCalm) part.animate([ring, ring, {}], 1800);
      contents.set(part, content);
    }
  }

  /** A row of a map: what a patch attends to, or first the attention that each receives.
   * @param {Uint8Array} map @param {Packed} packed @param {?number} patch */
  function rowOf(map, { shape: [, width] }, patch) {
    const row = patch === null ? 0 : patch + 1;
    return map.subarray(row * width, (row + 1) * width);
  }

  /** Show what the hovered or pinned patch attends to; without one, blocks show the received. */
  function look() {
    const { canvas, tower, detail } = view;
    const [rows, columns] = canvas.grid;
    const chosen = hovered ?? pinned();
    focused = chosen ?? focused;
    const [row, column] = cellOf(focused, canvas.grid);
    setProperties(flow, { row, column, share: (focused + 0.5) / (rows * columns) });
    const [, attended] = tower.attended;
    $$(".layer canvas").forEach((map, i) => {
      putValues(map, tower.columns, rowOf(view.maps[i], tower.maps[i], chosen));
    });
    putValues(alone.firstChild, attended, rowOf(view.alone, tower.last[0], focused));
    putValues(mean.firstChild, attended, rowOf(view.fused, tower.last[1], focused));
    putValues($(".large canvas"), attended, rowOf(view.matrix, detail.matrix, focused));
    putValues(received.firstChild, attended, rowOf(view.matrix, detail.matrix, null));
    flow.classList.toggle("looking", chosen !== null);
    $$(".directions button").forEach((button, i) => {
      button.setAttribute("aria-pressed", i === Number(chosen !== null));
    });
    drawBars();
  }

  /** The words and the background, with their cosines to the patch in focus. */
  function fits() {
    const { canvas, mask, patches, cosines, behind } = view;
    const [n, patchCount] = patches.cosines.shape;
    const [low, high] = patches.range;
    const background = behindText(behind && mask.background.names[behind[focused]]);
    const entries = [...canvas.classes, { name: background, colour: GREY }];
    return entries.slice(0, n).map(({ name, colour }, c) => {
      const cosine = low + ((high - low) * cosines[c * patchCount + focused]) / 255;
      return { name, colour, cosine };
    });
  }
  const bestFirst = (/** @type {ReturnType<typeof fits>} */ lines) =>
    lines.toSorted((a, b) => b.cosine - a.cosine);

  function drawBars() {
    const lines = fits();
    const sorted = bestFirst(lines);
    const listed = lines.length > MOST_WORDS + 1 ? sorted.slice(0, MOST_WORDS) : lines;
    const made = listed.map((line) => {
      const word = make("div", line === sorted[0] ? "word best" : "word");
      const cosine = line.cosine.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
      const bar = make("i");
      bar.style.background = line.colour;
      bar.style.width = `${(100 * Math.max(line.cosine, 0)) / view.patches.range[1]}%`;
      word.append(make("bdi", "", line.name), make("b", "", cosine), bar);
      return word;
    });
    const others = lines.length - listed.length;
    bars.replaceChildren(...made, ...(others ? [make("small", "", `${others} more`)] : []));
  }

  /** On a narrow screen there are none, or while another tab is open. */
  const hasLines = () => $("svg").clientWidth > 0;

  /** Draw the lines between the parts. */
  function connect() {
    if (!hasLines()) return;
    const box = (/** @type {Element} */ part) => boxIn(flow, part);
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
      band(box(photo), layers[0]),
      band(layers.at(-1), { ...last, top: last.top + 1 }), // or a seam would be seen
      ...fusions,
      path("fuse", `${left} ${y}H${right}`),
      `<circle class="plus" cx="${x}" cy="${y}" r="${Math.min(11, (right - left) / 2.4)}"/>`,
      path("plus", `${x - 5} ${y}h10m-5-5v10`),
      arrow(view.isFused ? fused : own, words),
      arrow(words, box(result)),
      `<text x="${x + 14}" y="${top + 4}">averaged into</text>`,
    ].join("");
  }

  /** The patch under a pointer; in the matrix, the one of the row. @param {PointerEvent} event */
  function under(event) {
    const map = view && /** @type {Element} */ (event.target).closest(".map");
    if (!map || map.closest(".layer")) return null; // a press there enlarges the block
    const { grid } = view.canvas;
    return patchAt(placeUnder(event, map), map === matrix ? [grid[0] * grid[1], 1] : grid);
  }

  /** Point at a patch or none, and pin one or none.
   * @param {?number} pointed @param {?number} [pressed] */
  function focus(pointed, pressed = view && pinned()) {
    if (!view || (pointed === hovered && pressed === pinned())) return;
    hovered = pointed;
    if (pressed === pinned()) look();
    else change({ patch: pressed });
  }

  flow.onpointermove = (/** @type {PointerEvent} */ event) =>
    event.pointerType === "mouse" && focus(under(event));
  flow.onpointerleave = () => focus(null);
  flow.onclick = (/** @type {PointerEvent} */ event) => {
    const patch = under(event);
    if (patch !== null) focus(hovered, patch === pinned() ? null : patch);
  };
  photo.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") focus(null, null);
    if (!view || !(event.key in ARROWS)) return;
    event.preventDefault();
    const { grid } = view.canvas;
    focus(null, patchBeside(focused, event.key, grid));
    const best = bestFirst(fits()).slice(0, 3);
    const words = best.map(({ name, cosine }) => `${name} ${cosine.toFixed(2)}`);
    $(".live").textContent = `Patch in ${placeOf(focused, grid)}: ${words.join(", ")}`;
  };
  $(".heads").onchange = () => change({ head: $(".heads").selectedIndex });
  $(".formulas").onclick = () =>
    $(".formulas").setAttribute("aria-pressed", flow.classList.toggle("written"));
  $$(".directions button").forEach((button, i) => {
    button.onclick = () => focus(null, i ? focused : null);
  });
  $$(".map").forEach(addCanvas);
  new ResizeObserver(() => view && connect()).observe(flow);
  return { draw };
}
