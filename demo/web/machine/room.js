// The room that the diagram has, and the size of its letters.
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { useHost } from "../gradio.js";
import { ROW } from "./plan.js";
import { makeType } from "./type.js";

const PHONE = { u: 13, least: 11 };
const WALL = 900; // pixels; from here on the diagram fills the screen

/**
 * @param {{ current: HTMLElement | null }} box
 * @param {number} blocks
 */
export const useRoom = (box, blocks) => {
  const { root } = useHost();
  const [size, setSize] = useState({ width: 0, screen: [innerWidth, innerHeight], bar: 0 });
  useLayoutEffect(() => {
    const measure = () => {
      const bar = /** @type {HTMLElement | null} */ (root.querySelector(".gm-bar"));
      setSize({
        width: box.current?.clientWidth ?? 0,
        screen: [innerWidth, innerHeight],
        bar: bar?.offsetHeight ?? 0,
      });
    };
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    for (const type of ["fullscreenchange", "resize"]) addEventListener(type, measure);
    measure();
    return () => {
      observer.disconnect();
      for (const type of ["fullscreenchange", "resize"]) removeEventListener(type, measure);
    };
  }, []);
  const { width, bar } = size;
  const [wide, high] = size.screen;
  const wall = wide > WALL;
  // A small projector shows the same picture, smaller.
  const letter = Math.max(Math.min(20, wide / 96), Math.min(width / 70, high / 54));
  const u = wall ? letter * (blocks > ROW ? 0.82 : 1) : PHONE.u;
  const least = wall ? 1.1 * letter : PHONE.least;
  const type = useMemo(() => makeType(u, least, getComputedStyle(root).fontFamily), [u, least]);
  useLayoutEffect(() => {
    root.classList.toggle("gm-wall", wall);
    root.style.setProperty("--u", `${wall ? letter : u}px`);
    return () => root.classList.remove("gm-wall");
  }, [wall, letter, u]);
  return { width, type, height: wall ? high - bar - 8.4 * letter : 0 };
};
