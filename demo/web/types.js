// What the server sends, for readers and for the type checker; nothing is loaded from here.

/**
 * An array of bytes, packed by `drawing.packed`: its shape, and gzip as base64.
 * @typedef {{ shape: number[], gzip: string }} Packed
 *
 * A word of the masks; `as` is the known word that stands for an unknown one.
 * @typedef {{ name: string, as: string, colour: string, strength: number, ink: string, isKnown: boolean }} Word
 *
 * A mask of a canvas: the label of every pixel (255 is none); each word's share of the photo, the
 * background's last; and the scores of every patch, as (words + 1, patches).
 * @typedef {{ title: string, score: ?number, shares: number[], unsure: boolean[], mask: Packed,
 *   reasons: Packed, background: Background }} Mask
 *
 * The best word of the background at each patch, as an index of `names`.
 * @typedef {{ names: string[], best: ?Packed }} Background
 *
 * A sentence with a button that changes settings; `opens` is how masks are then compared.
 * @typedef {{ text?: string, action?: string, settings?: Object<string, any>, opens?: string }} Offer
 *
 * The piece "canvas": the masks for each state of the ideas (bit i of an index is `ideas[i]`), or,
 * without ideas, two methods. `sentences[i][m]` says what idea i changes in mask m. `notes` are those
 * on each mask, if there are any.
 * @typedef {{ classes: Word[], masks: Mask[],
 *   switches: { name: string, isIdle: boolean, why: Offer }[], ideas: string[], idea: number, side?: number,
 *   metric: string, grid: [number, number], sentences: string[][], notes: string[], banner: Offer }} Canvas
 *
 * The piece "matrices": for each mask, what every patch attends to on a coarser grid.
 * @typedef {{ grid: [number, number], matrices: Packed[] }} Matrices
 *
 * A picture with its text, or a chip; what a press does is up to the part that draws it.
 * @typedef {{ url?: string, caption?: string, alt?: string, isOurs?: boolean,
 *   name?: string, word?: string, words?: string, settings?: Object<string, any> }} Item
 * @typedef {{ items: Item[], columns?: number, classes?: { name: string, colour: string }[],
 *   note?: string, selected?: number, pressable?: boolean }} Strip
 *
 * A patch of a grid is its number, row by row, from 0; a grid is [rows, columns].
 */

export {};
