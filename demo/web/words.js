// Words as text: what a visitor types, and how names and shares are written.

/** The words of a text, for comparisons. @param {string} text */
export const wordsOf = (text) => text.split(/[,;\n]/).map((word) => word.trim().toLowerCase());

/** Whether a text has all words of another. @param {string} text @param {string} others */
export const contains = (text, others) =>
  wordsOf(others).every((word) => wordsOf(text).includes(word));

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** The background, with its best word at a place. @param {string} [word] */
export const behindText = (word) => (word ? `background (nearest: ${word})` : "background");
