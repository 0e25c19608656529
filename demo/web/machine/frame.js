// What every piece of the diagram knows: the layout, the letters, the request and its state.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { patchOn } from "../pointing.js";

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
  const { value, w, squares } = state;
  const patch = patchOn(value);
  if (!patch) return null;
  const [row, column] = patch;
  return { row, column, index: row * w + column, square: squares.at(patch) };
};
