// Lines between the parts of a diagram, as paths of an SVG, wherever CSS has put the parts.
/** @typedef {{ left: number, top: number, width: number, height: number }} Box */
/** @typedef {[x: number, y: number]} Point */

const GAP = 3; // pixels between a map and the line beside it

/** A part's box inside another part. @param {Element} outer @param {Element} part */
export function boxIn(outer, part) {
  const origin = outer.getBoundingClientRect();
  const { left, top, width, height } = part.getBoundingClientRect();
  return { left: left - origin.left, top: top - origin.top, width, height };
}

/** A point of a box, by shares of its sides.
 * @param {Box} box @param {number} x @param {number} y @returns {Point} */
export const at = ({ left, top, width, height }, x, y) => [left + x * width, top + y * height];

/** @param {Box} a @param {Box} b */
const isBeside = (a, b) => at(a, 1, 0)[0] < b.left;

/** Ends of a line: right edge to left edge if the parts are side by side, else bottom to top.
 * @param {Box} a @param {Box} b @param {number} share @returns {[Point, Point]} */
function ends(a, b, share) {
  return isBeside(a, b) ? [at(a, 1, share), at(b, 0, share)] : [at(a, share, 1), at(b, share, 0)];
}

/** A curve between two points that starts and ends horizontally, or else vertically.
 * @param {Point} from @param {Point} to @param {boolean} [isAcross] */
function curve([x, y], [u, v], isAcross) {
  const middle = (x + u) / 2;
  const half = (y + v) / 2;
  return `C${isAcross ? [middle, y, middle, v] : [x, half, u, half]} ${u} ${v}`;
}

/** @param {string} kind @param {string} way */
export const path = (kind, way) => `<path class="${kind}" d="M${way}"/>`;

/** @param {Box} a @param {Box} b */
export function arrow(a, b) {
  const [from, to] = ends(a, b, 0.5);
  return path("used", from + curve(from, to, isBeside(a, b)));
}

/** A band from one whole edge to another. @param {Box} a @param {Box} b */
export function band(a, b) {
  const [[from, to], [back, end], isAcross] = [ends(a, b, 0), ends(a, b, 1), isBeside(a, b)];
  return path("band", `${from + curve(from, to, isAcross)}L${end + curve(end, back, isAcross)}`);
}

/** From a block to a point below all blocks, through the gap beside it if others are in the way.
 * @param {Box} layer @param {Box} map @param {Box} blocks @param {Point} to */
export function fusion(layer, map, blocks, to) {
  const foot = at(blocks, 0, 1)[1];
  const isLowest = at(layer, 0, 1)[1] > foot - GAP;
  if (isLowest) {
    const from = at(layer, 0.5, 1);
    return from + curve(from, to);
  }
  const isRight = at(map, 1, 0)[0] + GAP < at(blocks, 1, 0)[0];
  const [x, y] = at(map, isRight ? 1 : 0, 0.5);
  const gap = isRight ? x + GAP : x - GAP;
  return `${x} ${y}H${gap}V${foot}${curve([gap, foot], to)}`;
}
