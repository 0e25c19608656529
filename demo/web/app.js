// The page: what follows a change of the state, and what every press changes.
import { createCanvas } from "./canvas.js";
import { createCompare } from "./compare.js";
import { createDiagram } from "./diagram.js";
import { inside, makeButton, setText, showValue, toast } from "./elements.js";
import * as exemplars from "./exemplars.js";
import { createForm } from "./form.js";
import { createLearn } from "./learn.js";
import * as marks from "./marks.js";
import * as photos from "./photos.js";
import * as pieces from "./pieces.js";
import { LOST, upload } from "./server.js";
import { createShare } from "./share.js";
import {
  change,
  comeBack,
  correct,
  endSimulation,
  FACTS,
  forget,
  isUpload,
  putAside,
  replaced,
  returnTo,
  showsPhoto,
  start,
  state,
  stateFor,
  TABS,
} from "./state.js";
import { createStrip } from "./strip.js";
import { explainTerms } from "./tips.js";
import { createOffer } from "./weights.js";
import { contains } from "./words.js";

/** @import { Pieces, Weights } from "./types.js" */

const { $, $$ } = inside(document);
/** The upload on its way, and the words that were typed for it meanwhile.
 * @type {?{ words: ?string, end: AbortController }} */
let sending = null;
/** Whether the visitor knows that this browser stores nothing. */
let isTold = false;
/** The last model that has answered. */
let working = FACTS.settings.backbone;

// --- what follows a change -----------------------------------------------------------------------

/** @param {boolean} isChosen whether a photo was chosen */
function follow(isChosen) {
  if (isChosen) giveUp(); // a newer choice than what is on its way
  complain("");
  proceed();
}

/** Draw what is here, and ask for the rest. */
function proceed() {
  draw();
  if (!sending)
    pieces.ask({ draw, end: proceed, gone: sendAgain, offer: offerWeights, error: refuse });
}

/** The server has not the model that was chosen. @param {Weights} offered */
function offerWeights(offered) {
  $("#settings").open = true;
  parts.offer(offered);
  change({ backbone: working });
}

/** @param {string} text */
function refuse(text) {
  complain(text);
  draw();
}

/** What went wrong stays in view until the next change. @param {string} text */
function complain(text) {
  setText($(".gone"), text);
}

/** What the page waits for. */
function phase() {
  if (sending) return "sending";
  if (pieces.isRefused()) return "failed";
  return pieces.isMissing() ? "waiting" : "idle";
}

/** The style sheet reads it. */
function drawPhase() {
  document.body.dataset.phase = phase();
}

// --- words, and photos ---------------------------------------------------------------------------

/** Words are for the photo that is on its way, if there is one. @param {string} words */
function changeWords(words) {
  if (sending) sending.words = words;
  else change({ words });
}

/** Add a word to those that are typed. @param {string} word */
function addWord(word) {
  const others = typed.value.replace(/[\s,]+$/, "");
  changeWords([others, word].filter(Boolean).join(", "));
}

/** Keep a word that marks show, for other photos. @param {string} word */
function keepExemplar(word) {
  const embeddings = pieces.find("embeddings");
  if (!embeddings) return toast("This is still being computed. Press again.");
  const embedding = embeddings[word];
  if (!embedding) return toast("Another mark says the opposite. Remove one of them.");
  exemplars.keep(state.backbone, word, embedding);
  toast(`“${word}” is kept in this browser. On another photo, press “+ ${word}”.`);
  draw();
}

/** End an upload that is on its way. */
function giveUp() {
  sending?.end.abort();
  sending = null;
}

/** Upload a file, which is shown at once, and choose it. @param {File | undefined} file */
async function send(file) {
  if (!file) return;
  const mine = { words: /** @type {?string} */ (null), end: new AbortController() };
  complain("");
  giveUp();
  sending = mine;
  drawPhase();
  const url = URL.createObjectURL(file);
  parts.canvas.preview(url);
  Object.assign($("#photo img"), { src: url }).dataset.photo = ""; // a refusal brings back the old one
  const [name, error] = await upload(file, mine.end.signal);
  if (name) await photos.keep(name, file);
  if (sending !== mine) return; // something else has been chosen meanwhile
  sending = null;
  if (name) {
    if (!photos.isLasting && !isTold)
      toast("This browser stores nothing: your photo is kept until you leave.");
    isTold = true;
    return change({ ...stateFor(name), words: mine.words ?? (state.photo ? "" : state.words) });
  }
  if (mine.words) putAside(mine.words);
  complain(error);
  parts.canvas.restore();
  proceed();
}

/** The server has lost a photo: send it again, if this browser has it. @param {string} gone */
async function sendAgain(gone) {
  const file = await photos.find(gone);
  const [name] = file ? await upload(file) : [];
  if (state.photo !== gone) return proceed();
  if (name) {
    await photos.keep(name, file);
    correct({ photo: name });
  } else {
    const absent = file ? "The photo did not reach the server. Reload the page." : LOST;
    correct({ photo: "", absent, tab: "segment" });
  }
}

/** Forget all photos, and what was computed of them. */
async function forgetPhotos() {
  giveUp();
  const forgotten = photos.forget();
  exemplars.forget();
  pieces.forget();
  forget();
  await forgotten;
}

// --- drawing -------------------------------------------------------------------------------------

const typed = $("#typed");
const parts = {
  canvas: createCanvas($("#canvas"), { addWord, keepExemplar }),
  diagram: createDiagram($("#diagram")),
  compare: createCompare($("#compare")),
  learn: createLearn($("#learn"), $("#intro"), (mode) => parts.canvas.compare(mode)),
  share: createShare($("#share"), forgetPhotos),
  offer: createOffer($("#offer")),
  form: createForm($("#form"), FACTS.schema, change),
  samples: createStrip($("#samples"), ({ name }) => {
    change({ photo: name, step: 0, tab: state.tab === "learn" ? "segment" : state.tab });
    if (getComputedStyle($("#columns")).display === "flex") $("#canvas").scrollIntoView(); // above
  }),
  lists: createStrip($("#lists"), ({ words }) => change({ words })),
  undo: createStrip($("#undo"), ({ words }) => changeWords(words)),
  chips: createStrip($("#chips"), ({ word, settings }) =>
    word ? addWord(word) : change(settings),
  ),
  attention: createStrip($("#attention .strip")),
};
explainTerms();

/** Draw a part with its pieces, if they are here; else it stays as it is, and is marked.
 * @template {(keyof Pieces)[]} N
 * @param {HTMLElement} element @param {[...N]} names
 * @param {(...values: { [I in keyof N]: Pieces[N[I]] }) => void} drawPart */
function drawIfHere(element, names, drawPart) {
  if (!state.photo) return;
  const values = /** @type {any} */ (names.map(pieces.find));
  const isHere = values.every((/** @type {unknown} */ value) => value !== undefined);
  element.classList.toggle("stale", !isHere);
  element.classList.toggle("anew", !isHere && element.dataset.photo !== state.photo);
  if (!isHere) return;
  element.dataset.photo = state.photo;
  drawPart(...values);
}

/** Draw the state: the only function that does. */
function draw() {
  drawPhase();
  document.body.dataset.tab = state.tab;
  for (const tab of TABS) {
    $(`#${tab}`).hidden = tab !== state.tab;
    $(`#open-${tab}`).setAttribute("aria-selected", tab === state.tab);
    $(`#open-${tab}`).tabIndex = tab === state.tab ? 0 : -1;
  }
  drawInputs();
  drawBanners();
  if (!state.photo) parts.canvas.empty(state.absent);
  DRAWN[state.tab]();
}

/** @type {Record<string, () => void>} */
const DRAWN = {
  segment: drawSegment,
  how: () =>
    drawIfHere($("#diagram"), ["canvas", "patches", "tower", "detail"], parts.diagram.draw),
  compare: () => drawIfHere($("#compare"), ["methods", "large"], parts.compare.draw),
  learn: () => parts.learn.draw((name) => pieces.find(`lesson ${name}`)),
  share: () =>
    parts.share.draw(pieces.find("python"), pieces.find("words")?.text, pieces.find("canvas")),
};

function drawInputs() {
  const words = pieces.find("words");
  if (words) working = state.backbone;
  drawWords(words);
  const image = $("#photo img");
  image.hidden = !state.photo;
  if (image.dataset.photo !== state.photo && state.photo && (words || pieces.isRefused())) {
    image.src = photos.smallOf(photos.urlOf(state.photo));
    image.dataset.photo = state.photo;
  }
  $("#photo .back").hidden = !returnTo || state.step > 0 || !isUpload(returnTo.photo);
  parts.form(state);
  const isFirst = !$("#samples img");
  if (isFirst && !["idle", "failed"].includes(phase())) return;
  const selected = FACTS.examples.findIndex(({ name }) => name === state.photo);
  parts.samples({ items: FACTS.examples, columns: 3, selected });
  const lists = FACTS.lists[state.photo] ?? [];
  const items = lists.map((caption, i) => ({ caption, words: i ? caption : "" }));
  parts.lists({ items, selected: Math.max(0, lists.indexOf(state.words)) });
}

/** The words in their box, unless a visitor is typing there, and whose they are.
 * @param {Pieces["words"] | undefined} words */
function drawWords(words) {
  showValue(typed, state.words || (words?.text ?? typed.value));
  const isOwn = !state.words || words?.isOwn;
  const isComing = !words && state.photo !== "" && !pieces.isRefused();
  const chosen = words ? "Chosen for this photo." : isComing ? "Being chosen …" : "";
  setText($("#words small"), isOwn && typed.value === typed.dataset.shown ? chosen : "");
  $("#words").classList.toggle("coming", !state.words && isComing);
  parts.undo({ items: replaced ? [{ caption: `↺ ${short(replaced)}`, words: replaced }] : [] });
}

/** That a simulation or a lesson is shown. */
function drawBanners() {
  $("#simulation").hidden = state.backbone !== FACTS.damaged || !showsPhoto(state.tab);
  $("#lesson").hidden = !state.step;
  $("#lesson b").textContent = state.step || "";
}

/** @param {string} text */
const short = (text) => (text.length <= 40 ? text : `${text.slice(0, 39)}…`);

function drawSegment() {
  if (state.photo && !pieces.find("canvas") && !sending)
    parts.canvas.preview(photos.urlOf(state.photo));
  drawIfHere($("#canvas"), ["canvas"], (value) =>
    parts.canvas.draw(value, pieces.find("matrices")),
  );
  drawIfHere($("#chips"), ["chips"], ({ items, ...others }) => {
    const marked = marks.read(state.marks).map(({ word }) => word);
    const more = exemplars.names(state.backbone).filter((word) => !contains(typed.value, word));
    parts.chips({
      items: [...items, ...more.map((word) => ({ caption: `+ ${word}`, word }))].filter(
        ({ word }) => !marked.includes(word),
      ),
      ...others,
    });
  });
  drawIfHere($("#attention"), ["attention_text", "attention"], (text, strip) => {
    $("#attention .text").textContent = text;
    parts.attention(strip);
    $("#attention .strip").classList.toggle("unused", state.method === "gclip" && !state.amf);
  });
  drawIfHere($("#norms"), ["norms"], ({ url, text }) => {
    $("#norms img").src = url;
    $("#norms .text").textContent = text;
  });
}

// --- presses -------------------------------------------------------------------------------------

for (const tab of TABS) {
  const button = makeButton("", $(`#${tab}`).dataset.title, () => change({ tab }));
  Object.assign(button, { id: `open-${tab}`, role: "tab" });
  button.setAttribute("aria-controls", tab);
  $("[role=tablist]").append(button);
}
$("[role=tablist]").onkeydown = (/** @type {KeyboardEvent} */ event) => {
  const index = TABS.indexOf(state.tab);
  /** @type {Record<string, number>} */
  const targets = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: -1 };
  const to = targets[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const tab = TABS.at(to % TABS.length);
  change({ tab });
  $(`#open-${tab}`).focus();
};
for (const button of $$("[data-open]")) button.onclick = () => change({ tab: button.dataset.open });
for (const button of $$("[data-return]")) button.onclick = () => comeBack(button.dataset.return);
$("#photo .back").onclick = () => comeBack();
$("#simulation button").onclick = () => {
  parts.canvas.compare("");
  endSimulation();
};
const chooser = $("#photo input");
chooser.onchange = () => {
  send(chooser.files[0]);
  chooser.value = ""; // so that the same file can be chosen again
};

const submitWords = () => {
  if (typed.value === typed.dataset.shown) return;
  if (!/[^\s,;]/.test(typed.value)) typed.value = ""; // only separators: the photo's own words
  typed.dataset.shown = typed.value;
  changeWords(typed.value.trim());
};
$("#words").onsubmit = (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  submitWords();
};
typed.oninput = () => setText($("#words small"), "");
typed.maxLength = FACTS.schema.words.maxLength;
typed.onblur = submitWords;
typed.onkeydown = (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  submitWords();
};

const hasFile = (/** @type {DataTransfer} */ { types }) => types.includes("Files");
addEventListener("dragover", (event) => {
  if (hasFile(event.dataTransfer)) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!hasFile(event.dataTransfer)) return; // words for their box
  event.preventDefault();
  send(event.dataTransfer.files[0]);
});
addEventListener("paste", ({ clipboardData }) => {
  // Cells of a table are words with a picture of them.
  if (!clipboardData.types.includes("text/plain")) send(clipboardData.files[0]);
});

const theme = new URLSearchParams(location.search).get("__theme");
if (["light", "dark"].includes(theme)) document.documentElement.dataset.theme = theme;
photos.ready.then(() => start(follow));
