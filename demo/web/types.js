// What the server sends, and the state, for readers and for the type checker; nothing is loaded from
// here. A grid is [rows, columns], and a patch of it is its number, row by row, from 0.

/**
 * What the server says of itself once: `index` of server.py.
 * @typedef {{ schema: Record<string, import("./form.js").Property>, settings: State, opening: string,
 *   damaged: string, undamaged: string, photos: string[], examples: Item[],
 *   pieces: Record<string, { tabs: string[], uses: Name[], switches: string[] }>,
 *   lists: Record<string, string[]>, files: Record<string, string>, takesInput: boolean,
 *   lessons: { settings: Partial<State>, isSwitch: boolean }[], lessonPhoto: string }} Facts
 *
 * The state: every setting by its name (here are those that scripts use), and
 *   photo   the name of an example or of an upload; "" if there is none
 *   absent  why there is none
 *   tab     the open tab
 *   patch   the pinned patch, or null
 *   step    the lesson whose masks are shown, from 1; 0 for none
 * No words are the photo's own words.
 * @typedef {{ photo: string, absent: string, tab: string, patch: ?number, step: number,
 *   words: string, shown: string, marks: string, backbone: string, method: string, amf: boolean,
 *   cs: boolean, background: boolean, refine: string, short_side: number, block: number,
 *   head: number, enlarged: string }} State
 * @typedef {keyof State} Name
 *
 * The pieces of an answer by their names, as in `PIECES` of answer.py; a lesson has its step's name.
 * @typedef {{ words: { text: string, isOwn: boolean }, canvas: Canvas, chips: Strip,
 *   embeddings: Record<string, string>, matrices: Matrices, attention_text: string,
 *   attention: Strip, norms: { url: string, text: string }, patches: Patches, tower: Tower,
 *   detail: Detail, methods: Methods, large: ?Canvas, python: string
 *   } & Record<`lesson ${string}`, Lesson>} Pieces
 *
 * An array of bytes, packed by `drawing.packed`: its shape, and where its gzip is.
 * @typedef {{ shape: number[], url: string }} Packed
 *
 * The masks for each state of the ideas (bit i of an index is `ideas[i]`), or, without ideas, of two
 * methods. `sentences[i][m]` says what idea i changes in mask m. `notes` are those on each mask, if
 * there are any.
 * @typedef {{ classes: Word[], masks: Mask[],
 *   switches: { name: string, isIdle: boolean, why: Offer }[], ideas: string[], idea: number, side?: number,
 *   metric: string, grid: [number, number], sentences: string[][], notes: string[], banner: Offer }} Canvas
 *
 * A word of the masks; `as` is the known word that stands for an unknown one.
 * @typedef {{ name: string, as: string, colour: string, strength: number, ink: string, isKnown: boolean }} Word
 *
 * A mask: the label of every pixel (255 is none); each word's share of the photo, the background's
 * last; the scores of every patch, as (words + 1, patches); and the best word of the background at
 * each patch, as an index of its names.
 * @typedef {{ title: string, score: ?number, shares: number[], unsure: boolean[], mask: Packed,
 *   reasons: Packed, background: { names: string[], best: ?Packed } }} Mask
 *
 * A sentence with a button that changes settings; `opens` is how masks are then compared.
 * @typedef {{ text?: string, action?: string, settings?: Partial<State>, opens?: string }} Offer
 *
 * For each mask, what every patch attends to on a coarser grid.
 * @typedef {{ grid: [number, number], matrices: Packed[] }} Matrices
 *
 * Cosines of words and patches, as bytes within a range; the patch with the largest; and the label of
 * each patch if the network ended at a block.
 * @typedef {{ surest: number, range: [number, number], cosines: Packed, by_block: Packed }} Patches
 *
 * A block: the places of its global tokens, what AMF and CS do with it, and its largest norm without
 * and with CS, over the median.
 * @typedef {{ tokens: number[][], fused: boolean, outlier: boolean, suppressed: boolean,
 *   peaks: [number, number] }} Block
 *
 * All blocks: a map (1 + patches, patches attended to) of each, on a grid of `columns`, and the last
 * one's, alone and fused, on the grid `attended`: the first row is the attention received. The
 * others are texts.
 * @typedef {{ blocks: Block[], columns: number, attended: [number, number], maps: Packed[],
 *   last: [Packed, Packed], alone: string, reason: string, formula: string, fusion: string, mean: string,
 *   least_share: number, least_norm: number }} Tower
 *
 * The enlarged block; head -1 is the mean of all.
 * @typedef {{ block: number, head: number, heads: number, matrix: Packed, norms: string }} Detail
 *
 * A picture with its text, or a chip; what a press does is up to the part that draws it.
 * @typedef {{ url?: string, caption?: string, alt?: string, isOurs?: boolean,
 *   name?: string, word?: string, words?: string, settings?: Partial<State> }} Item
 * @typedef {{ items: Item[], columns?: number, classes?: { name: string, colour: string }[],
 *   note?: string, selected?: number, pressable?: boolean }} Strip
 *
 * What a visitor should know of a model that is not on the server.
 * @typedef {{ name: string, text: string, canDownload: boolean }} Weights
 *
 * Every method's mask as a picture, with its row of the table.
 * @typedef {{ text: string, scores: string, remark: string, columns: number, classes: Strip["classes"],
 *   items: (Item & { row: string[] })[] }} Methods
 *
 * A step of Learn: pictures before and after a guess, the number of the right one, whether little
 * changes, and what happens.
 * @typedef {{ before: Item[], after: Item[], classes: Word[], right: number, isLittle: boolean,
 *   told: string }} Lesson
 */

export {};
