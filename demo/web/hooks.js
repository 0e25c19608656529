// Hooks that several components use.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { still } from "./dom.js";

/**
 * The width of a node on the screen, 0 before it is placed.
 * @param {{ current: Element | null }} ref
 */
export const useWidth = (ref) => {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const node = ref.current;
    if (!node) return;
    const measure = () => setWidth(node.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => observer.disconnect();
  }, []);
  return width;
};

/**
 * What is fetched by name: `data` null until it is here; `error` if it does not come.
 * @template T
 * @param {string} name of a blob, empty for none
 * @param {(name: string) => Promise<T>} fetchOne
 */
export const useFetched = (name, fetchOne) => {
  const [fetched, setFetched] = useState({
    name: "",
    data: /** @type {T | null} */ (null),
    error: /** @type {unknown} */ (null),
  });
  const latest = useRef("");
  const load = useCallback(() => {
    latest.current = name;
    if (!name) return;
    const keep = (/** @type {T | null} */ data, /** @type {unknown} */ error) => {
      if (latest.current === name) setFetched({ name, data, error });
    };
    fetchOne(name).then(
      (data) => keep(data, null),
      (error) => keep(null, error),
    );
  }, [name]);
  useLayoutEffect(load, [name]);
  const here = fetched.name === name;
  return { data: here ? fetched.data : null, error: here ? fetched.error : null, retry: load };
};

/**
 * The same of both sides of a value, of which the second may be missing.
 * @template T
 * @param {string[]} names
 * @param {(name: string) => Promise<T>} fetchOne
 */
export const useBothFetched = ([first = "", second = ""], fetchOne) => {
  const both = [useFetched(first, fetchOne), useFetched(second, fetchOne)];
  const failed = both.filter(({ error }) => error);
  const retry = () => {
    for (const side of failed) side.retry();
  };
  return { data: both.map(({ data }) => data), error: failed[0]?.error ?? null, retry };
};

/**
 * A number that is counted from its last value to its next, at once where motion is unwanted.
 * @param {number} goal
 * @param {number} duration in milliseconds
 */
export const useCounted = (goal, duration) => {
  const [shown, setShown] = useState(goal);
  const latest = useRef(goal);
  useLayoutEffect(() => {
    const from = latest.current;
    if (from === goal || still()) {
      latest.current = goal;
      setShown(goal);
      return;
    }
    const begun = performance.now();
    let frame = 0;
    /** @param {number} time */
    const step = (time) => {
      const part = Math.min(1, Math.max(0, (time - begun) / duration));
      latest.current = from + (goal - from) * part;
      setShown(latest.current);
      if (part < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [goal]);
  return shown;
};

/**
 * Follows an event of the document while the component is there.
 * @param {string} type
 * @param {(event: any) => void} follow
 */
export const useDocumentEvent = (type, follow) => {
  const latest = useRef(follow);
  latest.current = follow;
  useEffect(() => {
    const listen = (/** @type {Event} */ event) => latest.current(event);
    document.addEventListener(type, listen);
    return () => document.removeEventListener(type, listen);
  }, [type]);
};
