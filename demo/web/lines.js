// How a request went: problems, notes and the status line.
import { useLayoutEffect } from "preact/hooks";
import { useHost } from "./gradio.js";
import { html } from "./html.js";
import { WORDS } from "./page/words.js";
import { Prose } from "./terms/prose.js";

/** Whether the open tab shows nothing yet. */
const isEmpty = () => {
  const widgets = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#tabs .gw")]);
  const open = widgets.filter((widget) => widget.offsetParent);
  return open.length > 0 && open.every((widget) => widget.dataset.ready !== "1");
};

/** @param {{ value: import("../widgets/values").LinesValue }} props */
const Lines = ({ value }) => {
  const { root } = useHost();
  useLayoutEffect(() => {
    root.setAttribute("role", "status");
    root.setAttribute("aria-live", "polite");
  }, []);
  // Where a tab shows nothing yet, nothing is from before.
  const lines = value.lines.filter(([, text]) => text !== WORDS.old || !isEmpty());
  return lines.map(
    ([kind, text]) => html`<p key=${`${kind} ${text}`} class=${kind}><${Prose} text=${text} /></p>`,
  );
};

/** @type {import("./gradio.js").Widget<import("../widgets/values").LinesValue, undefined>} */
export const lines = { View: Lines };
