// What every piece of the diagram knows: the layout, the letters, the request and its state.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { patchOn } from "../store.js";

/** @typedef {import("../../widgets/values").PartName} PartName */
/**
 * @typedef {object} Frame
 * @property {import("./type.js").Type} type
 * @property {import("./plan.js").Plan} plan
 * @property {import("./state.js").State} state as it is drawn, between `old` and `now`
 * @property {import("./state.js").State} now
 * @property {import("./state.js").State | null} old
 * @property {number} t how far it is from old to now
 * @property {Partial<Record<PartName, string>>} same the parts that the last switch left as they
 *   were
 * @property {boolean} formulas
 * @property {import("../block-masks.js").BlockMasks | null} masks by block, in place of attention
 */

const FrameContext = createContext(/** @type {Frame} */ (/** @type {unknown} */ (null)));
export const { Provider } = FrameContext;
export const useFrame = () => useContext(FrameContext);

/** The patch that is pointed at, and the square of the matrices in which it is. */
export const usePatch = () => {
  const { state } = useFrame();
  const { value, w, sw } = state;
  const place = patchOn(value);
  if (!place) return null;
  const [row, column] = place;
  const square = Math.floor(row / value.square) * sw + Math.floor(column / value.square);
  return { row, column, index: row * w + column, square };
};
