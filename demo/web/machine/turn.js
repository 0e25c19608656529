// From one request to the next: what stayed, what a switch did, and the way between the two.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { still } from "../dom.js";
import { between, unchanged } from "./state.js";
import { effectOf } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("../../widgets/values").MachineValue} MachineValue */

const DURATION = 400; // milliseconds
const SWITCHES = /** @type {const} */ (["amf", "cs", "fault", "attention"]);

/** @param {MachineValue} a @param {MachineValue} b @param {keyof MachineValue} name */
const differs = (a, b, name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]);

/**
 * Whether two requests show the same picture and words, so that one can turn into the other.
 * @param {MachineValue} a
 * @param {MachineValue} b
 */
const isComparable = (a, b) => {
  const names = (/** @type {MachineValue} */ { words }) => words.map(({ name }) => name).join("\n");
  return !differs(a, b, "picture") && !differs(a, b, "model") && names(a) === names(b);
};

/** What a new request changed. @param {State | null} before @param {State} now */
const compare = (before, now) => {
  const old = before && isComparable(before.value, now.value) ? before : null;
  const flipped = old ? SWITCHES.filter((name) => differs(old.value, now.value, name)) : [];
  return {
    old,
    now,
    same: old && flipped.length ? unchanged(old, now) : {},
    news: old && flipped.length === 1 ? effectOf(old, now, flipped[0]) : "",
  };
};

/**
 * The state to draw; it moves from that of the last request to `now`, at once where motion is
 * unwanted.
 * @param {State} now
 */
export const useTurn = (now) => {
  const last = useRef(/** @type {ReturnType<typeof compare> | null} */ (null));
  if (last.current?.now !== now) last.current = compare(last.current?.now ?? null, now);
  const { old, same, news } = last.current;
  const [clock, setClock] = useState({ now, t: 1 });
  const t = clock.now === now ? clock.t : Number(!old || still());
  useLayoutEffect(() => {
    if (!old || still()) return;
    const begun = performance.now();
    let frame = 0;
    const step = (/** @type {number} */ time) => {
      const part = Math.min(1, Math.max(0, (time - begun) / DURATION));
      setClock({ now, t: part * part * (3 - 2 * part) });
      if (part < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [now]);
  const state = useMemo(() => between(old, now, t), [now, t]);
  return { old, now, state, t, same, news };
};
