// The best words of a pixel under every method. It shows nothing itself: the canvases show them,
// and once no pixel is asked for, Python hears of it.
import { useLayoutEffect, useRef } from "preact/hooks";
import { useHost } from "./gradio.js";
import { pointed } from "./pointing.js";
import { reasons } from "./store.js";

/** @param {{ value: import("../widgets/values").WhyValue }} props */
const Why = ({ value }) => {
  const { trigger } = useHost();
  const pixel = pointed.value?.pixel ?? null;
  const before = useRef(pixel);
  useLayoutEffect(() => {
    reasons.value = value.variants.length ? value : null;
  }, [value]);
  useLayoutEffect(() => {
    if (before.current && !pixel) trigger("closeWhy");
    before.current = pixel;
  }, [pixel]);
  return null;
};

/** @type {import("./gradio.js").Widget<import("../widgets/values").WhyValue, undefined>} */
export const why = { View: Why };
