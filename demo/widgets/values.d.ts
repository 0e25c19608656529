// What `values.py` sends to the modules of `demo/web`, as JSON. Sizes are (height, width).

/** The name of a blob that the server keeps: a picture, a matrix or arrays. */
export type BlobName = string;
/** Arrays within a value: base64 of what `blobs.packed` makes. */
export type Packed = string;
export type Pair = [number, number];

/** The picture under a widget; `pooled` × `pooled` patches share a row of a matrix. */
export interface Shown {
  picture: BlobName;
  size: Pair;
  grid: Pair;
  pooled: number;
}

/** A blob of attention among n squares: `times` (n, n) an equal share, row by row; `places` (n, 4) the largest of each row, `most` (n, 4) what they are exactly. */
export type MatrixArrays = {
  times: Float32Array;
  places: Uint8Array | Uint16Array;
  most: Float32Array;
};

/** A blob of the best words of N patches, each (K, N) with the best first: `best` is an index of `classes`, or their number C for a hidden word; `cosines`; `shares` after a softmax, 0 to 1. */
export type WordsArrays = {
  best: Uint8Array | Uint16Array;
  cosines: Float32Array;
  shares: Float32Array;
};

/** A blob of masks by block: `labels` (L, N), 0 the background, i + 1 the word i. */
export type BlockMasksArrays = { labels: Uint8Array | Uint16Array };

/** One mask of a canvas; `matrix` is where its patches look, `words` the words they match. */
export interface Side {
  title: string;
  badge: string;
  mask: Packed;
  matrix: BlobName;
  words: BlobName;
}

/** A class of a canvas; `cutout` is a transparent PNG, "" for none; per side its share and, for its name, (row, column, radius) in heights. */
export interface ClassShown {
  name: string;
  colour: string;
  ink: string;
  shares: number[];
  places: ([number, number, number] | null)[];
  cutout: BlobName;
}

/** A score under one setting of the switches; `now` is the one that is shown. */
export interface SwitchBar {
  name: string;
  score: number;
  text: string;
  now: boolean;
}

export interface SwitchBars {
  title: string;
  entries: SwitchBar[];
}

export type Mode = "before" | "after" | "swipe";

export interface CanvasValue extends Shown {
  kind: "canvas";
  shape: Pair;
  sides: Side[];
  classes: ClassShown[];
  rest: number[];
  background: boolean;
  changed: number | null;
  opacity: number;
  pixel: Pair | null;
  notes: string[];
  simulated: string;
  compact: boolean;
  bars: SwitchBars | null;
  region: [top: number, left: number, bottom: number, right: number] | null;
  mode: Mode;
}

export interface Thumb {
  title: string;
  received: Packed;
  tokens: number[];
}

export interface MatrixSide {
  title: string;
  matrix: BlobName;
}

export interface MapsValue extends Shown {
  kind: "maps";
  title: string;
  note: string;
  why: string;
  brightest: number;
  thumbs: Thumb[];
  sides: MatrixSide[];
}

export interface AttentionMap {
  title: string;
  note: string;
  matrix: BlobName;
  tokens: number[];
  class_row: { row: Packed; best: number };
}

/** `best` is a square of `pooled` × `pooled` patches. */
export interface AttentionValue extends Shown {
  kind: "attention";
  maps: AttentionMap[];
  patch: Pair | null;
}

export interface BlockShown {
  number: number;
  score: number;
  received: Packed;
  fused: boolean;
  tokens: number[];
}

export interface BlocksValue extends Shown {
  kind: "blocks";
  chosen: number;
  blocks: BlockShown[];
  note: string;
  simulated: string;
  brightest: number;
  words: WordColour[];
  by_block: BlobName;
}

/** A word in the legend of masks by block. */
export interface WordColour {
  name: string;
  colour: string;
}

/** A number of every block, before and after CS. */
export interface Curve {
  title: string;
  rows: [number[], number[]];
  low: number;
  high: number;
  limit: number;
}

export interface NormsValue {
  kind: "norms";
  title: string;
  block: number;
  norms: number[];
  moved: [channel: number, norm: number][];
  top: number;
  median: number;
  threshold: number;
  abnormal: number[];
  curves: Curve[];
  cs: boolean;
  badge: string;
  note: string;
  is_simulated: boolean;
  drags: boolean;
  chosen: Pair | null;
}

export interface Bar {
  name: string;
  share: number;
  colour: string;
  text: string;
}

export interface CardValue {
  kind: "card";
  title: string;
  bars: Bar[];
  note: string;
}

export interface LinesValue {
  kind: "lines";
  lines: [kind: "problem" | "note" | "status", text: string][];
}

/** How a request went: its `tab`, the `state` of what is shown, the link to it (`query`), the status lines; `at`, a time, tells it from an earlier one. */
export interface Outcome {
  tab: string;
  state: "fresh" | "old" | "none";
  query: string;
  at: number;
  lines: LinesValue;
}

/** What one press does: `add` a word, say whether the `nearest` known words replace unknown ones, or an event alone. */
export interface Choice {
  label: string;
  add?: string;
  nearest?: boolean;
}

export interface OffersValue {
  kind: "offers";
  rows: { text: string; choices: Choice[] }[];
  off: string[];
}

export interface PhotoValue {
  kind: "photo";
  picture: BlobName;
  title: string;
}

/** The best words at a pixel; `label` marks what the mask shows there, `colour` null no class. */
export interface Ranked {
  name: string;
  score: number;
  colour: string | null;
  label: boolean;
}

export interface WhyValue {
  kind: "why";
  title: string;
  pixel: Pair;
  note: string;
  variants: { title: string; entries: Ranked[] }[];
}

export interface Score {
  value: number | null;
  text: string;
  best: boolean;
}

export interface MethodRow {
  name: string;
  title: string;
  order?: number;
  year?: number | string;
  citation?: string;
  summary?: string;
  marks?: string[];
  refused?: string;
  scores?: Score[];
  differs?: number;
  mask?: Packed;
}

export interface MethodsValue extends Shown {
  kind: "methods";
  colours: string[];
  shape: Pair;
  headers: string[];
  scores_title: string;
  parts: string[];
  base: MethodRow;
  rows: MethodRow[];
  truth: MethodRow | null;
  pair: string[];
  simulated: string;
}

export interface LessonFigure {
  kind: string;
  caption: string;
  picture?: BlobName;
  norms?: number[];
  rows?: string[][];
}

export interface LessonPage {
  title: string;
  text: string;
  question?: string;
  answer?: string;
  options: string[];
  right: number;
  before: LessonFigure[];
  after: LessonFigure[];
}

export interface LessonValue {
  kind: "lesson";
  pages: LessonPage[];
}

export interface MachineBlock {
  number: number;
  score: number;
  tokens: number[];
  agreement: number | null;
  channel: number;
  ratio: number;
  after: number;
  planted: boolean;
  repaired: boolean;
  idle: boolean;
}

/** A word of the machine; `index` is -1 for the rest. */
export interface MachineWord {
  index: number;
  name: string;
  colour: string;
  share: number;
}

/** The words at a part; in `equation`, `_{…}` and `^{…}` are below and above the line. */
export interface MachinePart {
  name: string;
  equation: string;
  mark: string;
  value: string;
  sentence: string;
}

export type PartName =
  | "picture"
  | "blocks"
  | "heads"
  | "matrix"
  | "values"
  | "words"
  | "scores"
  | "mask";

export interface MachineValue extends Shown {
  kind: "machine";
  model: string;
  mask: Packed;
  shape: Pair;
  data: Packed;
  by_block: BlobName;
  blocks: MachineBlock[];
  marks: Record<string, string>;
  bright: number;
  fused: number[];
  attention: string;
  unused: ("q" | "k" | "v")[];
  local: string;
  norms_of: number;
  median: number;
  thresholds: [tokens: number, channels: number];
  channel: number;
  repaired: [channel: number, norm: number][];
  similar: [inside: number | null, across: number | null];
  miou: number | null;
  threshold: number;
  amf: boolean;
  amf_note: string;
  cs: boolean;
  cs_note: string;
  fault: [channel: number, gain: number, blocks: number[]] | null;
  words: MachineWord[];
  rest: number;
  parts: Record<PartName, MachinePart>;
}

/** Files of an answer: `name` are the words that name them. */
export interface ShareValue {
  kind: "share";
  picture: BlobName;
  name: string;
  is_upload: boolean;
}

export interface FiguresValue {
  kind: "figures";
  preview: BlobName;
  png: BlobName;
  pdf: BlobName;
  picture: BlobName;
  zip: BlobName;
  name: string;
}

export type ShareWord =
  | "picture"
  | "link"
  | "without"
  | "copied"
  | "drawing"
  | "shared"
  | "saved"
  | "ready"
  | "gone"
  | "failed"
  | "figure"
  | "png"
  | "pdf"
  | "zip"
  | "small";

/** What a person does in a widget; `EVENTS` of `widgets/__init__.py` says which event of Gradio it is. */
export type EventName =
  | "select"
  | "endSimulation"
  | "backgroundOff"
  | "opacity"
  | "simulate"
  | "openMachine"
  | "closeMachine"
  | "flip"
  | "ownPhoto"
  | "photo"
  | "closeWhy";

/** What `document.head` writes into the document: `browser.toml` and more. */
export interface PageWords {
  events: Record<EventName, string>;
  none: string;
  edited: string;
  done: string;
  pointing: { mouse: string; touch: string; swipe: string };
  old: string;
  elsewhere: string;
  share: Record<ShareWord, string>;
  photo: Record<string, string>;
  camera: Record<string, string>;
  terms: Record<string, string>;
  examples: [name: string, title: string][];
  keys: string[];
  lanes: { tab: string; heavy: boolean }[];
  built: string[];
}
