// An equation as the browser's MathML. In its text `_{…}` and `^{…}` are below and above the line.
import { html } from "../html.js";

/** @typedef {{ kind: "mi" | "mn" | "mo" | "mtext", text: string }} Token */
/** @typedef {{ base: Token, below: string, above: string }} Term */

const TOKENS = /([\p{L}\p{M}]+)|(\d+(?:\.\d+)?)|([_^])\{([^}]*)\}|(\s+)|(.)/gu;
const SHORT_WORDS = ["ln", "in", "of"];

/** A word such as "softmax" is one upright name, "qk" is two quantities. @param {string} letters */
const isName = (letters) =>
  SHORT_WORDS.includes(letters) || letters.replace(/\p{M}/gu, "").length > 2;

/** Letters as quantities, each with its accents. @param {string} letters @returns {Token[]} */
const quantities = (letters) =>
  (letters.match(/\p{L}\p{M}*/gu) ?? []).map((text) => ({ kind: "mi", text }));

/**
 * A text as terms, each with what stands below and above it.
 * @param {string} text
 * @returns {Term[]}
 */
export const termsOf = (text) => {
  /** @type {Term[]} */
  const terms = [];
  const add = (/** @type {Token} */ base) => terms.push({ base, below: "", above: "" });
  for (const [, letters, digits, sign, inner, space, other] of text.matchAll(TOKENS)) {
    const last = terms[terms.length - 1];
    if (sign && last) last[sign === "_" ? "below" : "above"] += inner;
    else if (letters && isName(letters)) add({ kind: "mi", text: letters });
    else if (letters) quantities(letters).forEach(add);
    else if (digits) add({ kind: "mn", text: digits });
    else if (space) add({ kind: "mtext", text: "\u00a0" });
    else if (other) add({ kind: "mo", text: other });
  }
  return terms;
};

/** @param {{ token: Token }} props */
const Leaf = ({ token: { kind, text } }) => {
  // Spaces are in the text: an operator adds none.
  if (kind === "mo") return html`<mo lspace="0" rspace="0" stretchy="false">${text}</mo>`;
  return html`<${kind}>${text}<//>`;
};

/** @param {{ text: string }} props */
const Row = ({ text }) => html`<mrow>
  ${termsOf(text).map((term, k) => html`<${TermView} key=${k} term=${term} />`)}
</mrow>`;

/** @param {{ term: Term }} props */
const TermView = ({ term: { base, below, above } }) => {
  const leaf = html`<${Leaf} token=${base} />`;
  if (below && above) {
    return html`<msubsup>${leaf}<${Row} text=${below} /><${Row} text=${above} /></msubsup>`;
  }
  if (below) return html`<msub>${leaf}<${Row} text=${below} /></msub>`;
  if (above) return html`<msup>${leaf}<${Row} text=${above} /></msup>`;
  return leaf;
};

/** @param {{ text: string }} props */
export const Equation = ({ text }) => html`<math><${Row} text=${text} /></math>`;
