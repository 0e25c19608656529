// The best words of a pixel under every method. It shows nothing itself: the canvases show them.
import { useLayoutEffect, useRef } from "preact/hooks";
import { useHost } from "./gradio.js";
import { pointed, reasons } from "./store.js";

/** @param {{ value: import("../widgets/values").WhyValue }} props */
const Why = ({ value }) => {
  const { trigger } = useHost();
  const asked = Boolean(pointed.value?.asked);
  const before = useRef(asked);
  useLayoutEffect(() => {
    reasons.value = value.variants.length ? value : null;
  }, [value]);
  useLayoutEffect(() => {
    if (before.current && !asked) trigger("clear");
    before.current = asked;
  }, [asked]);
  return null;
};

/** @type {import("./gradio.js").Widget<import("../widgets/values").WhyValue, undefined>} */
export const why = { View: Why };
