// The page's one state, and the only code that changes it.
//
//   change(values) ─► the address ─► what is here already is drawn ─► what is missing is asked for
//
// An answer comes in pieces. Each is a function of the photo and of some settings, which the server
// names, so a piece has a key: what was answered once is never asked for again, and an answer that
// comes late is kept under its own key and disturbs nothing.
import { drawCanvas } from "./canvas.js";
import { drawCompare } from "./compare.js";
import { drawDiagram } from "./diagram.js";
import { drawForm } from "./form.js";
import { drawLearn } from "./learn.js";
import * as marks from "./marks.js";
import * as photos from "./photos.js";
import { drawShare } from "./share.js";
import { explainTerms, make, recall, stateOf } from "./shared.js";
import * as shown from "./shown.js";
import { drawStrip } from "./strip.js";
import { Client } from "./vendor/gradio-client.js";

/** @param {string} selector @returns {any} */
const $ = (selector) => document.querySelector(selector);
/** @param {string} selector @returns {any[]} */
const $$ = (selector) => [...document.querySelectorAll(selector)];
/** What the server says of itself once; see `index` in server.py. */
export const FACTS = JSON.parse($("#facts").textContent);
/** A tab is a panel of the page, what draws it (DRAWN, below), and its pieces on the server. */
const TABS = $$("[role=tabpanel]").map(({ id }) => id);
/**
 * The state: every setting by its name, and
 *   photo   the name of an example or of an upload; "" if a link left its photo with its owner
 *   tab     the open tab
 *   patch   the pinned patch, from 0, or null
 *   step    the lesson whose masks are shown, from 1; 0 for none
 * No words are the photo's own words.
 */
const DEFAULTS = { ...FACTS.settings, photo: FACTS.opening, tab: "segment", patch: null, step: 0 };
/** Their change makes an entry in the history. */
const STEPS = ["photo", "words", "marks", "tab", "step"];
const MOST_IN_ADDRESS = 2000; // characters of words; longer ones stay in the history's entry
const MOST_PIECES = 400;

export let state = { ...DEFAULTS };
/** The state before an example, a lesson or a link in a note took the visitor's place. */
let left = null;
/** The state in which a simulation was opened, or null. */
let origin = null;
/** Typed words that others have replaced. */
let undone = "";
/** Pieces by key, the oldest first. */
const pieces = new Map();

// --- the state -----------------------------------------------------------------------------------

/** Change the state; what depends on it follows. */
export function change(values) {
  const before = state;
  if (sending && "words" in values && !("photo" in values)) {
    sending.words = values.words; // typed for the photo that is on its way
    return;
  }
  const { backbone = before.backbone } = values;
  if (backbone === FACTS.damaged && before.backbone !== backbone) origin = before;
  // A simulation ends with the photo that it was opened on, or with a newer one of the visitor.
  if (before.backbone === FACTS.damaged && backbone !== FACTS.damaged && !isUpload(before.photo))
    if (origin && origin.photo !== before.photo) {
      const { photo, words, marks } = origin;
      values = { photo, words, marks, ...values };
    }
  const next = { ...state, ...values };
  const isOther = next.photo !== before.photo;
  if (isOther && !("words" in values)) next.words = "";
  if (isOther && !("marks" in values)) next.marks = "";
  if (["photo", "words", "backbone", "short_side"].some((name) => next[name] !== before[name]))
    next.patch = values.patch ?? null;
  if (before.words && before.words !== next.words && !contains(next.words, before.words))
    undone = before.words;
  if (undone === next.words) undone = "";
  if ((isOther && isUpload(before.photo) && !isUpload(next.photo)) || (next.step && !before.step))
    left = before;
  if (isUpload(next.photo)) left = null;
  if ("photo" in values) reset();
  refused = "";
  complain("");
  next.shown = shown.among(next.backbone, next.words);
  state = next;
  write(STEPS.some((name) => next[name] !== before[name]));
  draw();
  ask();
}

/** A newer choice: what failed is of the past, and what is on its way is not wanted any more. */
function reset() {
  refused = lost = "";
  sending = null;
  complain("");
}

/** What went wrong stays in view until the next change. */
function complain(text) {
  Object.assign($("#photo .gone"), { textContent: text, hidden: !text });
}

const contains = (text, words) =>
  words.split(",").every((word) => text.split(",").some((one) => one.trim() === word.trim()));
export const isUpload = (photo) => photo !== "" && !FACTS.photos.includes(photo);

/** Leave a lesson or an example for the visitor's own photo. */
function comeBack(tab = "segment") {
  const to = left;
  left = null;
  change({ ...DEFAULTS, ...to, tab, step: 0 });
}

/** Keep a word that marks show, for other photos. */
export function keepShown(word) {
  const embedding = piece("embeddings")?.[word];
  if (!embedding) return;
  shown.keep(state.backbone, word, embedding);
  toast(`“${word}” is kept in this browser. On another photo, press “+ ${word}”.`);
  draw();
}

/** Add a word to those of the box. */
export function addWord(word) {
  const typed = box.value.replace(/[\s,]+$/, "");
  change({ words: [typed, word].filter(Boolean).join(", ") });
}

// --- the address ---------------------------------------------------------------------------------

/** A setting as the address has it, in its own type; undefined if it cannot be used. */
function settingOf(name, text) {
  const {
    type,
    enum: choices,
    minimum = -1e9,
    maximum = 1e9,
    maxLength = 1e9,
  } = FACTS.schema[name];
  if (type === "boolean") {
    const isOn = ["1", "true"].includes(text.toLowerCase());
    return isOn || ["0", "false"].includes(text.toLowerCase()) ? isOn : undefined;
  }
  if (choices) return choices.includes(text) ? text : undefined;
  if (type === "string") return text.length <= maxLength ? text : undefined;
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const isWhole = type !== "integer" || Number.isInteger(number);
  return number >= minimum && number <= maximum && isWhole ? number : undefined;
}

/** The state that an address stands for, and a note on what it cannot restore. */
export function read(query, kept = {}) {
  const found = { ...DEFAULTS };
  const unused = [];
  for (const [name, text] of new URLSearchParams(query)) {
    if (name === "shown") unused.push(name);
    else if (Object.hasOwn(FACTS.schema, name)) {
      const value = settingOf(name, text);
      if (value === undefined) unused.push(name);
      else found[name] = value;
    } else if (name === "example" && text === "own") found.photo = "";
    else if (name === "example" && FACTS.photos.includes(text)) found.photo = text;
    else if (name === "photo" && /^\w{16,64}$/.test(text)) found.photo = text;
    else if (name === "tab" && TABS.includes(text)) found.tab = text;
    else if (name === "patch") found.patch = Number.parseInt(text.split(".").at(-1), 10) - 1;
    else if (name === "step") found.step = FACTS.lessons[Number(text) - 1] ? Number(text) : 0;
    else if (!["kept", "window", "stride", "view"].includes(name) && !name.startsWith("__"))
      unused.push(name); // of older links, or Gradio's
  }
  if (!(found.patch >= 0)) found.patch = null;
  if (!found.photo) found.tab = "segment";
  const rest = unused.length > 5 ? ` and ${unused.length - 5} more` : "";
  const words = kept.words ?? found.words;
  found.shown = shown.among(found.backbone, words);
  const names = unused.slice(0, 5).map((name) => name.slice(0, 20));
  const note = unused.length ? `Ignored in this link: ${names.join(", ")}${rest}.` : "";
  return [{ ...found, ...kept }, note];
}

/** The query of a state; that of a link to share has the backbone and not the visitor's photo. */
export function queryOf(from, { isShared = false, withPhoto = true } = {}) {
  const query = new URLSearchParams();
  if (!isUpload(from.photo)) query.set("example", from.photo || "own");
  else if (withPhoto) query.set("photo", from.photo);
  else query.set("example", "own");
  for (const name of Object.keys(FACTS.schema)) {
    const value = from[name];
    if (value === DEFAULTS[name] && !(isShared && name === "backbone")) continue;
    if (name === "shown" || (name === "words" && value.length > MOST_IN_ADDRESS)) continue;
    query.set(name, typeof value === "boolean" ? Number(value) : value);
  }
  if (from.tab !== "segment") query.set("tab", from.tab);
  if (from.patch !== null) query.set("patch", from.patch + 1);
  if (from.step && !isShared) query.set("step", from.step);
  return query;
}

/** In the frame of a Space, whose address a reload forgets. */
const isFramed = self !== top;

function write(isNew) {
  const query = queryOf(state);
  for (const [name, value] of new URLSearchParams(location.search))
    if (name.startsWith("__")) query.set(name, value);
  const kept = state.words.length > MOST_IN_ADDRESS ? { words: state.words } : {};
  try {
    history[isNew ? "pushState" : "replaceState"]({ kept, left, origin }, "", `?${query}`);
  } catch {
    // Safari refuses more than a hundred in half a minute, such as from a held key.
  }
  if (isFramed) recall("address", query.toString());
}

/** Back, reload and a link: the address is read. */
function open() {
  const isLink = [...new URLSearchParams(location.search).keys()].some((n) => !n.startsWith("__"));
  const query = isFramed && !isLink ? recall("address") : location.search;
  const [opened, note] = read(query ?? "", history.state?.kept);
  state = opened;
  reset();
  left = history.state?.left ?? null;
  origin = history.state?.origin ?? null;
  if (note) toast(note);
  draw();
  ask();
}

// --- pieces --------------------------------------------------------------------------------------

const SETTINGS = Object.keys(FACTS.schema);

/** Whether a piece ignores a setting, or the photo. */
const ignores = (name, setting) => FACTS.pieces[name][1].includes(setting);
/** What keys are made of. */
const ASKED = ["photo", ...SETTINGS].filter((setting) => !FACTS.switches.includes(setting));

function keyOf(name, of) {
  const used = ASKED.filter((setting) => !ignores(name, setting));
  return JSON.stringify([name, ...used.map((setting) => of[setting])]);
}

/** A piece of the current state; undefined if it is not here yet. */
function piece(name) {
  const value = pieces.get(keyOf(name, state));
  const switches = FACTS.switches.filter((one) => !ignores(name, one));
  // A value for each state, but an idle switch has none.
  return switches.length ? value?.[stateOf(switches) % value.length] : value;
}

const namesOf = (tab) =>
  Object.keys(FACTS.pieces).filter((name) => {
    const [tabs] = FACTS.pieces[name];
    return !tabs.length || tabs.includes(tab);
  });

const missing = (of) =>
  namesOf(of.tab).filter(
    (name) => (of.photo || ignores(name, "photo")) && !pieces.has(keyOf(name, of)),
  );

let client = null;
/** The request on its way, and the one that the server has refused. */
let job = null;
let refused = "";
let failures = 0;

/** A client whose requests do not repeat the page's address, whose words a proxy would log. */
class Private extends Client {
  fetch(url, options) {
    const address = new URL(url, location.href);
    if (address.pathname.endsWith("/queue/join"))
      for (const name of [...address.searchParams.keys()])
        if (!name.startsWith("__")) address.searchParams.delete(name);
    return super.fetch(address, options);
  }
}
const connect = () => Private.connect(new URL(".", location.href).href.replace(/\/$/, ""));
const connected = () => {
  client ??= connect();
  return client;
};

/** Ask for the pieces that are missing, unless they are on their way. */
async function ask() {
  const of = state;
  const names = missing(of);
  if (!names.length || sending) return phase();
  const id = JSON.stringify(names.map((name) => keyOf(name, of)));
  if (job?.id === id || refused === id) return phase();
  const mine = { id }; // the server ends the request before it
  job = mine;
  try {
    const settings = Object.fromEntries(SETTINGS.map((name) => [name, of[name]]));
    const photo = of.photo || FACTS.opening; // for the lessons, which have their own
    const stream = (await connected()).submit("/answer", [photo, settings, names]);
    for await (const message of stream) {
      if (message.type !== "data") continue;
      if (!receive(message.data[0], of, mine)) return;
    }
    if (job !== mine) return; // a newer request has taken its place
    if (missing(of).length) throw new Error("incomplete"); // the connection is lost
    job = null;
    failures = 0;
    draw();
    ask();
  } catch {
    if (job !== mine) return; // a newer request has taken its place
    job = null;
    client = null;
    failures += 1;
    if (failures > 2) toast("The server does not respond. Trying again …");
    setTimeout(ask, Math.min(500 * failures, 5000));
  }
}

/** Keep what a message brings; returns whether more may follow. */
function receive({ gone, offer, error, ...values }, of, mine) {
  if (gone === undefined && !offer && !error) {
    for (const name of Object.keys(values)) {
      const key = keyOf(name, of);
      pieces.delete(key);
      pieces.set(key, values[name]);
    }
    while (pieces.size > MOST_PIECES) pieces.delete(pieces.keys().next().value);
    draw();
    return true;
  }
  if (job !== mine) return false; // a newer request has taken its place
  job = null;
  if (gone !== undefined) sendAgain(gone);
  else if (offer) offerDownload(offer);
  else {
    refused = mine.id;
    complain(error);
  }
  draw();
  return false;
}

/** The one place that says what the page waits for. */
function phase() {
  const isWaiting = missing(state).length > 0;
  const answering = refused ? "failed" : isWaiting ? "waiting" : "idle";
  document.body.dataset.phase = sending ? "sending" : answering;
}

// --- photos --------------------------------------------------------------------------------------

/** The upload on its way, and the words that were typed for it meanwhile. */
let sending = null;
/** Whether the visitor knows that this browser stores nothing. */
let isTold = false;

/** The URL of a photo: the visitor's own file, or the server's copy. */
export const urlOf = (photo) => photos.urlOf(photo) ?? `photos/${photo}`;

/** Upload a file, which is shown at once, and choose it. */
export async function send(file) {
  if (!file) return;
  const mine = { words: null };
  complain("");
  sending = mine;
  phase();
  const url = URL.createObjectURL(file);
  parts.canvas.preview("", url);
  Object.assign($("#photo img"), { src: url }).dataset.photo = ""; // or the old one again, below
  const [name, error] = await upload(file);
  if (sending !== mine) return; // another file has been chosen meanwhile
  sending = null;
  if (name) {
    await photos.keep(name, file);
    if (!photos.isLasting && !isTold)
      toast("This browser stores nothing: your photo is kept until you leave.");
    isTold = true;
    return change({
      ...DEFAULTS,
      ...settingsOf(state),
      photo: name,
      words: mine.words ?? (state.photo ? "" : state.words),
    });
  }
  if (mine.words) undone = mine.words; // one press away
  complain(error);
  parts.canvas.restore();
  draw();
  ask();
}

/** What a visitor has set stays with another photo, but for what was set for the old one. */
const settingsOf = ({ photo, words, marks, patch, step, tab, enlarged, ...settings }) => ({
  ...settings,
  tab: ["learn", "share"].includes(tab) ? "segment" : tab,
});

/** Send a file; returns its name on the server, or why it was refused. */
async function upload(file) {
  if (/\.hei[cf]$/i.test(file.name ?? ""))
    return ["", "HEIC files cannot be read here. Export the photo as JPEG, and choose that."];
  try {
    const sent = await fetch("photos", { method: "POST", body: file });
    const { photo, error } = await sent.json();
    return [photo, error ?? "The server did not take this photo. Try again."];
  } catch {
    return ["", "The photo did not reach the server. Try again."];
  }
}

/** The server has lost a photo: send it again, if this browser has it. */
async function sendAgain(gone) {
  const file = await photos.find(gone);
  const [name] = file ? await upload(file) : [];
  if (state.photo !== gone) return ask();
  if (name) {
    await photos.keep(name, file);
    state = { ...state, photo: name };
    write(false);
  } else {
    state = { ...state, photo: "", tab: "segment" };
    lost = file ? "The photo did not reach the server. Reload the page." : LOST;
  }
  draw();
  ask();
}

const LOST =
  "The server keeps photos for a day at most, and this one is gone. Choose yours, or an example.";
const ABSENT = "The photo of this link stayed with its owner. Choose one of yours.";
let lost = "";

/** Forget all photos, and what was computed of them. */
export async function forgetPhotos() {
  const forgotten = photos.forget();
  shown.forget();
  pieces.clear();
  left = origin = null;
  undone = "";
  const isOwn = isUpload(state.photo);
  const own = isOwn ? { ...DEFAULTS, ...settingsOf(state), photo: FACTS.opening } : state;
  state = { ...own, tab: "share", shown: "" };
  write(false);
  draw();
  ask();
  await forgotten;
}

// --- downloads of weights ------------------------------------------------------------------------

let working = "";
function offerDownload({ name, text, canDownload }) {
  const group = $("#offer");
  $("#settings").open = true;
  group.hidden = false;
  group.querySelector("p").textContent = text;
  group.querySelector(".start").hidden = !canDownload;
  group.querySelector(".stop").hidden = true;
  group.querySelector(".start").onclick = () => download(name);
  state = { ...state, backbone: working || FACTS.settings.backbone };
  write(false);
  draw();
  ask();
}

async function download(name) {
  const group = $("#offer");
  const say = (text) => Object.assign(group.querySelector("p"), { textContent: text });
  const stream = (await connect()).submit("/fetch", [name]); // cancelling ends a session's streams
  const isRunning = (on) => {
    group.querySelector(".start").hidden = on;
    group.querySelector(".stop").hidden = !on;
  };
  group.querySelector(".stop").onclick = () => {
    stream.cancel();
    say("Cancelled. Nothing has changed.");
    isRunning(false);
  };
  isRunning(true);
  let failed = "";
  for await (const { type, data } of stream) {
    if (type !== "data") continue;
    failed = data[0].error ?? "";
    say(data[0].text ?? failed);
  }
  isRunning(false);
  if (failed || group.querySelector("p").textContent.startsWith("Cancelled")) return;
  group.hidden = true;
  change({ backbone: name });
}

// --- drawing -------------------------------------------------------------------------------------

explainTerms(document);
const box = $("#typed");
const parts = {
  canvas: drawCanvas($("#canvas")),
  diagram: drawDiagram($("#diagram")),
  compare: drawCompare($("#compare")),
  learn: drawLearn($("#learn"), $("#intro")),
  share: drawShare($("#share")),
  form: drawForm($("#form"), { schema: FACTS.schema }, change),
  samples: drawStrip($("#samples"), ({ name }) => {
    change({ photo: name, step: 0, tab: state.tab === "learn" ? "segment" : state.tab });
    if (innerWidth <= 700) $("#canvas").scrollIntoView();
  }),
  undo: drawStrip($("#undo"), ({ words }) => change({ words })),
  chips: drawStrip($("#chips"), ({ word, settings }) => (word ? addWord(word) : change(settings))),
  attention: drawStrip($("#attention .strip")),
};

/** Draw a part with its pieces, if they are here; else it stays as it is, and is marked. */
function show(element, names, drawPart) {
  if (!state.photo) return;
  const values = names.map(piece);
  const isHere = values.every((value) => value !== undefined);
  element.classList.toggle("stale", !isHere);
  element.classList.toggle("anew", !isHere && element.dataset.photo !== state.photo);
  if (!isHere) return;
  element.dataset.photo = state.photo;
  drawPart(...values);
}

/** Compare the masks of the tab Segment: "", "swipe" or "changes". */
export const compare = (mode) => parts.canvas.compare(mode);

/** Draw the state: the only function that does. */
function draw() {
  phase();
  document.body.dataset.tab = state.tab;
  for (const tab of TABS) {
    $(`#${tab}`).hidden = tab !== state.tab;
    $(`#open-${tab}`).setAttribute("aria-selected", tab === state.tab);
    $(`#open-${tab}`).tabIndex = tab === state.tab ? 0 : -1;
  }
  drawInputs();
  if (!state.photo) parts.canvas.empty(lost || ABSENT);
  DRAWN[state.tab]();
}

const DRAWN = {
  segment: drawSegment,
  how: () => show($("#diagram"), ["canvas", "patches", "tower", "detail"], parts.diagram.draw),
  compare: () => show($("#compare"), ["methods", "large"], parts.compare.draw),
  learn: () => parts.learn.draw((name) => piece(`lesson ${name}`)),
  share: () => parts.share.draw(piece("python"), piece("words")?.text),
};

function drawInputs() {
  const words = piece("words");
  if (words) working = state.backbone;
  const isTyping = document.activeElement === box && box.dataset.shown !== box.value;
  if (!isTyping) {
    if (state.words || words) box.value = state.words || words.text;
    box.dataset.shown = box.value;
  }
  const isOwn = !state.words || words?.isOwn;
  const isComing = !words && state.photo !== "" && !refused;
  const chosen = words ? "chosen for this photo" : isComing ? "being chosen …" : "";
  $("#words small").textContent = isOwn ? chosen : "";
  $("#words").classList.toggle("coming", !state.words && isComing);
  const image = $("#photo img");
  if (image.dataset.photo !== state.photo && state.photo && (words || refused)) {
    image.src = photos.urlOf(state.photo) ?? `photos/${state.photo}?preview`;
    image.dataset.photo = state.photo;
  }
  image.hidden = !state.photo;
  $("#photo .back").hidden = !left || state.step > 0 || !isUpload(left.photo);
  $("#simulation").hidden =
    state.backbone !== FACTS.damaged || ["learn", "share"].includes(state.tab);
  $("#simulation span").hidden = state.amf;
  $("#lesson").hidden = !state.step;
  $("#lesson b").textContent = state.step || "";
  parts.undo({ items: undone ? [{ caption: `↺ ${short(undone)}`, words: undone }] : [] });
  parts.form.refresh(state);
  $("#background input").checked = state.background;
  if (["idle", "failed"].includes(document.body.dataset.phase) && !$("#samples img"))
    parts.samples({ items: FACTS.examples, columns: 3 });
}

const short = (text) => (text.length <= 40 ? text : `${text.slice(0, 39)}…`);

function drawSegment() {
  if (state.photo && !piece("canvas") && !sending) parts.canvas.preview(state.photo);
  show($("#canvas"), ["canvas"], (value) => parts.canvas.draw(value, piece("matrices")));
  show($("#chips"), ["chips"], ({ items, ...others }) => {
    const marked = marks.read(state.marks).map(({ word }) => word);
    const more = shown.names(state.backbone).filter((word) => !contains(box.value, word));
    parts.chips({
      items: [...items, ...more.map((word) => ({ caption: `+ ${word}`, word }))].filter(
        ({ word }) => !marked.includes(word),
      ),
      ...others,
    });
  });
  show($("#attention"), ["attention_text", "attention"], (text, strip) => {
    $("#attention .text").textContent = text;
    parts.attention(strip);
  });
  show($("#norms"), ["norms"], ({ url, text }) => {
    $("#norms img").src = url;
    $("#norms .text").textContent = text;
  });
}

let fading = 0;
export function toast(text) {
  $("#toast").textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => toast(""), 8000);
}

/** A file of `share.FILES`, made by the server. */
export async function made(file, label = 0) {
  const settings = Object.fromEntries(SETTINGS.map((name) => [name, state[name]]));
  const { data } = await (await connected()).predict("/download", [
    state.photo,
    settings,
    file,
    label,
  ]);
  const [{ gone, error, name, data: text }] = data;
  if (gone !== undefined) throw new Error(LOST);
  if (error) throw new Error(error);
  const response = await fetch(`data:application/octet-stream;base64,${text}`);
  return [name, await response.blob()];
}

// --- presses -------------------------------------------------------------------------------------

for (const tab of TABS) {
  const button = Object.assign(make("button", "", $(`#${tab}`).dataset.title), {
    type: "button",
    id: `open-${tab}`,
    role: "tab",
    onclick: () => change({ tab }),
  });
  button.setAttribute("aria-controls", tab);
  $("[role=tablist]").append(button);
}
$("[role=tablist]").onkeydown = ({ key }) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (!step) return;
  const tab = TABS[(TABS.indexOf(state.tab) + step + TABS.length) % TABS.length];
  change({ tab });
  $(`#open-${tab}`).focus();
};
for (const button of $$("[data-open]")) button.onclick = () => change({ tab: button.dataset.open });
for (const button of $$("[data-return]")) button.onclick = () => comeBack(button.dataset.return);
$("#photo .back").onclick = () => comeBack();
$("#simulation button").onclick = () => change({ backbone: FACTS.undamaged, amf: true });
$("#photo input").onchange = ({ target }) => {
  send(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
};
$("#background input").onchange = ({ target }) => change({ background: target.checked });

const submitWords = () => {
  if (box.value === box.dataset.shown) return;
  if (!/[^\s,;]/.test(box.value)) box.value = ""; // only separators: the photo's own words
  box.dataset.shown = box.value;
  change({ words: box.value.trim() });
};
$("#words").onsubmit = (event) => {
  event.preventDefault();
  submitWords();
};
box.maxLength = FACTS.schema.words.maxLength;
box.onblur = submitWords;
box.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  submitWords();
};

addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files[0]);
});
addEventListener("paste", ({ clipboardData }) => send(clipboardData.files[0]));

/** On narrow screens, a tooltip is below its term, or above it where there is no room. */
function placeTip() {
  const term = $("dfn:is(:hover, :focus)");
  if (!term || innerWidth > 700) return;
  const tip = term.querySelector("[role=tooltip]");
  const { top, bottom } = term.getBoundingClientRect();
  const isLow = bottom + tip.offsetHeight + 12 > innerHeight;
  tip.style.top = `${isLow ? top - tip.offsetHeight - 6 : bottom + 6}px`;
}
for (const event of ["focusin", "pointerover", "scroll"]) addEventListener(event, placeTip);

/** A tooltip closes by Escape, and by a tap on it or beside it, which then does nothing else. */
let closing = null;
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") $("dfn:focus")?.blur();
});
document.addEventListener(
  "pointerdown",
  ({ pointerType }) => {
    closing = pointerType === "touch" ? document.activeElement.closest("dfn") : null;
  },
  true,
);
document.addEventListener(
  "click",
  (/** @type {any} */ event) => {
    if (closing && event.target.closest("[role=application]")) event.stopPropagation();
    closing?.blur();
    closing = null;
  },
  true,
);

const theme = new URLSearchParams(location.search).get("__theme");
if (["light", "dark"].includes(theme)) document.documentElement.dataset.theme = theme;
addEventListener("popstate", open);
photos.ready.then(open);
