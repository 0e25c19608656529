// The columns of the table: their titles, what they sort by, and what their cells show.

/** @typedef {import("../../widgets/values").MethodsValue} MethodsValue */
/** @typedef {import("../../widgets/values").MethodRow} MethodRow */
/**
 * @typedef {object} Column
 * @property {"year" | "title" | "mask" | "score" | "part"} kind
 * @property {string} key of the column, for sorting and tests
 * @property {string} title
 * @property {number} [score] index among the scores
 * @property {number} [part] index among the parts of a method
 * @property {boolean} [down] the largest comes first
 * @property {(row: MethodRow) => number | string} [of] what it sorts by; without, it does not
 */

/**
 * @param {MethodsValue} value
 * @param {boolean} difference the masks show what differs alone
 * @returns {Column[]}
 */
export const columnsOf = ({ headers, parts, rows }, difference) => [
  { kind: "year", key: "year", title: "Year", of: (row) => row.order ?? 0 },
  { kind: "title", key: "title", title: "Method", of: (row) => row.title.toLowerCase() },
  {
    kind: "mask",
    key: "Mask",
    title: difference ? "What differs" : "Mask",
    down: true,
    of: (row) => row.differs ?? -1,
  },
  ...headers.map((title, score) => ({
    kind: /** @type {const} */ ("score"),
    key: `score ${title}`,
    title,
    score,
    down: true,
    of: (/** @type {MethodRow} */ row) => row.scores?.[score].value ?? -1,
  })),
  ...parts
    .map((title, part) => ({ kind: /** @type {const} */ ("part"), key: title, title, part }))
    .filter(({ part }) => rows.some((row) => row.marks?.[part])),
];

/**
 * Rows in the order of a column.
 * @param {MethodRow[]} rows
 * @param {Column} column
 * @param {boolean} down
 */
export const sortRows = (rows, { of }, down) =>
  rows.toSorted((a, b) => {
    const [x, y] = [of?.(a) ?? 0, of?.(b) ?? 0];
    const order = x < y ? -1 : Number(x > y);
    return down ? -order : order;
  });
