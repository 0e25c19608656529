// The row of blocks in the diagram: their maps, their global tokens, and their largest norms.
import { inside, make, makeButton, setProperties } from "./elements.js";

/** @import { Tower } from "./types.js" */

const DOUBLE = 25; // per cent of a bar for each doubling of a norm: 16 × fills it

/** The length of the bar of a norm that is `ratio` times the median. @param {number} ratio */
const lengthOf = (ratio) => `${Math.min(100, DOUBLE * Math.log2(Math.max(1.05, ratio)))}%`;

/**
 * Draw all blocks; `enlarged` is one of them, `isScaled` tells whether norms are those after CS, and
 * a press calls `open` with a block's number, from 1.
 * @param {HTMLElement} row @param {Tower} tower @param {number} enlarged
 * @param {boolean} isScaled @param {(number: number) => void} open
 */
export function drawBlocks(row, { blocks, least_norm }, enlarged, isScaled, open) {
  if (row.children.length !== blocks.length)
    row.replaceChildren(...blocks.map((_, i) => layerOf(i + 1, open)));
  const layers = blocks.map(({ fused }, i) => (fused || i === blocks.length - 1 ? "2fr" : "1fr"));
  setProperties(row, { layers: layers.join(" "), tick: lengthOf(least_norm) });
  blocks.forEach(({ tokens, fused, suppressed, peaks }, i) => {
    const layer = row.children[i];
    const { $, $$ } = inside(layer);
    const peak = peaks[Number(isScaled)];
    const label = `Block ${i + 1}${fused ? ", fused by AMF" : ""}`;
    layer.setAttribute("aria-label", `${label}: largest norm ${peak.toFixed(1)} ×`);
    layer.setAttribute("aria-pressed", `${i === enlarged}`);
    layer.classList.toggle("fused", fused);
    layer.classList.toggle("suppressed", suppressed);
    drawRings($(".map"), tokens);
    $(".held").textContent = tokens.length ? `${tokens.length} ○` : "";
    $$(".peak i").forEach((bar, j) => {
      bar.style.width = lengthOf(peaks[j]);
    });
    $(".peak + small").textContent = `${peak.toFixed(peak < 10 ? 1 : 0)} ×`;
  });
}

/** @param {number} number @param {(number: number) => void} open */
function layerOf(number, open) {
  const layer = makeButton("layer", "", () => open(number));
  const [map, bar] = [make("span", "map"), make("span", "peak")];
  addCanvas(map);
  bar.append(make("i"), make("i"));
  layer.append(make("b", "", `${number}`), map, make("small", "held"), bar, make("small"));
  return layer;
}

/** Give a map its canvas, and a mark for the patch in focus. @param {HTMLElement} map */
export function addCanvas(map) {
  map.prepend(make("canvas"), make("i", "spot"));
}

/** Mark the global tokens of a map by rings. @param {HTMLElement} map @param {number[][]} places */
export function drawRings(map, places) {
  for (const old of map.querySelectorAll(".ring")) old.remove();
  for (const place of places) {
    const ring = make("i", "ring");
    const [left, top] = place.map((at) => `clamp(5px, ${100 * at}%, 100% - 5px)`);
    Object.assign(ring.style, { left, top });
    map.append(ring);
  }
}
