// Pointing at channels: a hover names one, a drag or Shift and arrow keys choose several.
import { useRef, useState } from "preact/hooks";
import { clamp, isPlainKey } from "../dom.js";
import { useHost } from "../gradio.js";
import { shareAt } from "../plot.js";
import { channel } from "../store.js";

/** @typedef {import("../../widgets/values").NormsValue} NormsValue */
/** @typedef {[first: number, last: number] | null} Chosen */
/** @typedef {PointerEvent & { currentTarget: Element }} Pointing */

/** @type {Record<string, number | undefined>} */
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };

/** @param {number} a @param {number} b @returns {Chosen} */
const span = (a, b) => [Math.min(a, b), Math.max(a, b)];

/**
 * What is pointed at and chosen, for one value: a new one starts anew.
 * @param {NormsValue} value
 */
const useChoice = (value) => {
  const start = { value, hovered: /** @type {number | null} */ (null), chosen: value.chosen };
  const [kept, setKept] = useState(start);
  const { hovered, chosen } = kept.value === value ? kept : start;
  const set = (/** @type {number | null} */ at, /** @type {Chosen} */ range = chosen) =>
    setKept({ value, hovered: at, chosen: range });
  return { hovered, chosen, set };
};

/**
 * What the handlers of one chart share.
 * @typedef {object} Chart
 * @property {{ current: { from: number | null, anchor: number | null } }} drag
 * @property {number | null} hovered
 * @property {Chosen} chosen
 * @property {(at: number | null, range?: Chosen) => void} set
 * @property {(event: Pointing) => number} channelAt
 * @property {(range: Chosen) => void} tell
 */

/** Handlers that name the channel under the pointer. @param {Chart} chart */
const hovering = ({ drag, hovered, chosen, set, channelAt }) => ({
  onPointerMove: (/** @type {Pointing} */ event) => {
    const { from } = drag.current;
    const at = channelAt(event);
    if (at === hovered) return;
    set(at, from === null || at === from ? chosen : span(from, at));
  },
  onPointerLeave: () => {
    if (drag.current.from !== null) return;
    channel.value = null;
    set(null);
  },
});

/**
 * Handlers that choose channels, by a drag or by keys.
 * @param {Chart} chart
 * @param {(step: number, shift: boolean) => void} walk
 * @param {() => void} clear
 */
const choosing = ({ drag, chosen, channelAt, tell }, walk, clear) => {
  const release = () => {
    drag.current.from = null;
  };
  return {
    role: "application",
    tabindex: 0,
    onPointerDown: (/** @type {Pointing} */ event) => {
      drag.current.from = channelAt(event);
      event.currentTarget.setPointerCapture(event.pointerId);
    },
    onPointerUp: (/** @type {Pointing} */ event) => {
      const { from } = drag.current;
      if (from !== null && channelAt(event) !== from) tell(chosen);
      release();
    },
    onPointerCancel: release,
    onKeyDown: (/** @type {KeyboardEvent} */ event) => {
      if (!isPlainKey(event)) return;
      if (STEPS[event.key]) walk(STEPS[event.key] ?? 0, event.shiftKey);
      else if (event.key === "Enter" && chosen) tell(chosen);
      else if (event.key === "Escape" && chosen) clear();
      else return;
      event.preventDefault();
    },
  };
};

/** @param {NormsValue} value */
export const useChannels = (value) => {
  const { trigger } = useHost();
  const { hovered, chosen, set } = useChoice(value);
  const drag = useRef({
    from: /** @type {number | null} */ (null),
    anchor: /** @type {number | null} */ (null),
  });
  const n = value.norms.length;
  const tell = (/** @type {Chosen} */ range) => trigger("select", { index: range, value: range });
  const channelAt = (/** @type {Pointing} */ event) =>
    clamp(Math.floor(shareAt(event) * n), 0, n - 1);
  const clear = () => {
    drag.current.anchor = null;
    set(hovered, null);
    tell(null);
  };
  const walk = (/** @type {number} */ step, /** @type {boolean} */ shift) => {
    const old = hovered ?? value.top;
    const at = hovered === null ? old : clamp(old + step, 0, n - 1);
    const anchor = shift ? (drag.current.anchor ?? old) : null;
    drag.current.anchor = anchor;
    set(at, anchor === null ? chosen : span(anchor, at));
  };
  const chart = { drag, hovered, chosen, set, channelAt, tell };
  const handlers = { ...hovering(chart), ...(value.drags ? choosing(chart, walk, clear) : {}) };
  const pressed = channel.value?.block === value.block ? channel.value.index : null;
  return { hovered: hovered ?? pressed, chosen, clear, handlers };
};
