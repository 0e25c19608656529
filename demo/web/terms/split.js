// Terms in a text: the first of each.

/** @typedef {{ term: string, text: string }} Found */

/** @param {string} term */
const source = (term) => {
  const escaped = term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const [first] = escaped;
  // One that is written small may begin a sentence.
  return term === term.toLowerCase()
    ? `[${first}${first.toUpperCase()}]${escaped.slice(1)}`
    : escaped;
};

/**
 * A text as parts: plain text, and the first occurrence of each term, with a plural's ending.
 * What is in quotation marks is a visitor's own: no term is found there.
 * @param {string} text
 * @param {string[]} terms
 * @returns {(string | Found)[]}
 */
export const splitTerms = (text, terms) => {
  if (!terms.length) return [text];
  const longest = terms.toSorted((a, b) => b.length - a.length);
  const words = longest.map((term) => `(${source(term)})`).join("|");
  const pattern = new RegExp(`(?<!“[^”]*)\\b(?:${words})(?:e?s)?(?![\\w-])`, "g");
  /** @type {(string | Found)[]} */
  const parts = [];
  const seen = new Set();
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const term = longest[match.slice(1).findIndex((group) => group !== undefined)];
    if (seen.has(term)) continue;
    seen.add(term);
    if (match.index > end) parts.push(text.slice(end, match.index));
    parts.push({ term, text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
};
