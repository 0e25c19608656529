// A text whose terms can be explained; where each is, the page decides (`first.js`).
import { html } from "../html.js";
import { WORDS } from "../page/words.js";
import { splitTerms } from "./split.js";

const TERMS = Object.keys(WORDS.terms ?? {});

/** @param {{ text: string }} props */
export const Prose = ({ text }) =>
  splitTerms(text, TERMS).map((part, k) =>
    typeof part === "string"
      ? part
      : html`<span key=${`${k} ${part.term}`} data-term=${part.term}>${part.text}</span>`,
  );
