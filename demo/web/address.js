// The address is the state: it encodes the photo, every setting and the open tab. Uploaded photos
// and words too long for a link stay in this browser's storage under a key in the address. In a
// frame, as on a Space, nobody sees the address, so the last one is stored, too.
//
// A history entry has the state { isAnswered, ofPhoto, step, back }: whether the page has shown it,
// the last tab that showed the photo, the step of a lesson, and the address to return to after it.

/** Parameters whose change adds an entry to the history, as another tab does. */
const PHOTO = ["example", "kept"];
const PHOTO_AND_WORDS = [...PHOTO, "words"];
const MOST_KEPT = 100;
const isFramed = window !== window.parent;
/** What the server sent: the link of the last answer, and what it leaves out. */
let answered = { link: "", photo: "", words: "" };
/** How many requested addresses are not answered yet. */
let pending = 1; // the one that the page opens with
/** The open tab, and the last one that shows the photo. */
const tabs = { open: "segment", ofPhoto: history.state?.ofPhoto ?? "segment" };

/** A value in the browser's local or session storage; in memory if the browser has none. */
function stored(kind, name, value) {
  return {
    read() {
      try {
        return JSON.parse(window[kind].getItem(name)) ?? value;
      } catch {
        return value;
      }
    },
    write(next) {
      value = next;
      try {
        window[kind].setItem(name, JSON.stringify(next));
      } catch {
        // This browser stores nothing.
      }
    },
  };
}
const storage = stored("localStorage", "gclip", {});
const readStorage = () => ({ kept: {}, ...storage.read() });
/** Store these values along with the others. */
const writeStorage = (values) => storage.write({ ...readStorage(), ...values });
/** The guesses in Learn, by step; a reload keeps them. */
const guesses = stored("sessionStorage", "gclip-guesses", []);

/** The key of what a link leaves out; the same content has the same key. */
function keep(content) {
  const { kept } = readStorage();
  const isSame = ([, other]) => JSON.stringify(other) === JSON.stringify(content);
  const random = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36));
  const [key] = Object.entries(kept).find(isSame) ?? [`k${random.join("")}`];
  delete kept[key]; // the newest comes last
  const entries = [...Object.entries(kept), [key, content]].slice(-MOST_KEPT);
  writeStorage({ kept: Object.fromEntries(entries) });
  return key;
}

const parameters = () => new URLSearchParams(location.search);
/** Gradio has parameters of its own, such as the theme. */
const isOwn = ([name]) => name !== "view" && !name.startsWith("__");
const own = (query) => {
  const found = new URLSearchParams([...new URLSearchParams(query)].filter(isOwn));
  found.sort(); // so that equal states have equal addresses
  return found;
};
const withTab = (query, name) => {
  if (name === "segment") query.delete("tab");
  else query.set("tab", name);
  return query;
};

/** Make a query the page's address, in the current history entry or in a new one. */
function write(query, state, isNew = false) {
  const others = [...parameters()].filter((entry) => !isOwn(entry));
  const whole = new URLSearchParams([...own(query), ...others]);
  history[isNew ? "pushState" : "replaceState"](state, "", `?${whole}`);
  if (isFramed) writeStorage({ last: { opened, query: `${own(query)}` } });
  showLesson();
}

const opened = `${own(parameters())}`;
const { last } = readStorage();
if (isFramed && !history.state && last?.opened === opened) write(last.query, null);

/** What the server needs to show the address: the input of page.py's open_address. */
function readAddress() {
  const query = own(parameters());
  query.delete("patch"); // the browser's
  const { photo = "", words = "" } = readStorage().kept[parameters().get("kept")] ?? {};
  return JSON.stringify({ query: `${query}`, photo, words });
}

/** Called after the answer to an address, or after an error. */
function settleAddress() {
  pending = Math.max(0, Math.min(pending - 1, 1)); // page.py skips all but the last
  document.querySelector("#words button").setAttribute("aria-label", "Segment"); // it has no name
  write(withTab(parameters(), tabs.open), { ...history.state, isAnswered: true });
  if (history.state.step) document.querySelector("#lesson").scrollIntoView({ block: "nearest" });
  document.dispatchEvent(new Event("answered"));
}

/**
 * Write the address of an answer. Returns the link to share, and whether it includes the photo:
 * only the one that its owner chose to include.
 */
function recordAnswer(text, isIncluded) {
  const { photo: before } = answered;
  answered = JSON.parse(text || '{ "link": "" }');
  if (!text) return [shareLink(), false]; // there is no photo
  const { link, photo, words } = answered;
  const query = withTab(new URLSearchParams(link), tabs.open);
  if (photo || words) query.set("kept", keep({ photo, words }));
  const [shown, state] = [parameters(), history.state];
  const isSame = (names) => names.every((name) => shown.get(name) === query.get(name));
  if (isSame(PHOTO) && shown.has("patch")) query.set("patch", shown.get("patch"));
  // A late answer to another address may be shown meanwhile: settleAddress says which is the last.
  const isAnswered = state?.isAnswered || !pending;
  if (!state?.isAnswered || isSame(PHOTO_AND_WORDS)) write(query, { ...state, isAnswered });
  else if (!pending) write(query, isSame(PHOTO) ? state : { isAnswered: true }, true);
  // otherwise the visitor has left this address meanwhile
  const isStillIncluded = isIncluded && photo === before;
  return [shareLink(isStillIncluded), isStillIncluded];
}

/** Write the pinned patch into the address, as `photo.patch`; "" for none. */
function recordPatch(patch) {
  const query = parameters();
  if (patch) query.set("patch", patch);
  else query.delete("patch");
  write(query, history.state);
}

/** The link to share, to the tab that showed the photo last. */
function shareLink(isIncluded) {
  if (!answered.link) return "";
  const query = withTab(new URLSearchParams(answered.link), tabs.ofPhoto);
  if (parameters().has("patch")) query.set("patch", parameters().get("patch"));
  if (isIncluded && answered.photo) query.set("photo", answered.photo);
  return new URL(`?${query}`, location.href.split("?")[0]).href;
}

/** A tab was opened; Gradio also opens the first one with the page. */
function turnTo(name, isIncluded) {
  const isOther = name !== tabs.open;
  tabs.open = name;
  if (name !== "share" && name !== "learn") tabs.ofPhoto = name;
  const { ofPhoto } = tabs;
  if (!pending) write(withTab(parameters(), name), { ...history.state, ofPhoto }, isOther);
  return [name, shareLink(isIncluded)];
}

/** Show the address of a lesson's step, from which the visitor can return. */
function lendPage(step, query, isSwipe) {
  const back = history.state?.back ?? `${withTab(parameters(), "segment")}`;
  write(query, { step, back }, true);
  document.dispatchEvent(new CustomEvent("lesson", { detail: { isSwipe } }));
  openAddress();
  scrollTo(0, 0);
}

function showLesson() {
  const { step } = history.state ?? {};
  document.body?.classList.toggle("in-lesson", Boolean(step));
  const place = document.querySelector("#lesson b");
  if (step && place) place.textContent = step;
}

function openAddress() {
  pending++;
  showLesson();
  document.querySelector("#open-address").click();
}

const readGuesses = () => JSON.stringify(guesses.read());

function addGuess(step, guess) {
  guesses.write([...guesses.read().slice(0, step), guess]);
  return readGuesses();
}

/** The words of the last answer, the photo of the last request, and whether words were typed since. */
const known = { filled: "", photo: null, isTyped: false };
const wordsBox = () => document.querySelector("#words textarea");
document.addEventListener("input", ({ target }) => {
  if (target !== wordsBox()) return;
  known.isTyped = true;
  markWords(false);
});

/** The inputs of a request. Words that are typed while a photo is uploaded are for that photo. */
function readInputs(seen, tab, photo, words, ...others) {
  if (photo?.path !== known.photo) document.body.classList.remove("awaiting");
  const isBefore = document.body.classList.contains("awaiting");
  // Gradio reads the inputs a little before it calls this.
  if (!isBefore && words === wordsBox().value) known.isTyped = false;
  known.photo = photo?.path;
  return [seen, tab, photo, isBefore ? known.filled : words, ...others];
}

/** The words of an answer, unless others were typed meanwhile. */
function fillWords(answer) {
  const [, words, isOwn] = JSON.parse(answer);
  if (pending > 1) return wordsBox().value; // a late answer to an address that was left
  known.filled = words;
  if (known.isTyped) return wordsBox().value;
  markWords(isOwn);
  return words;
}

/** Say whether the words are the photo's own. */
function markWords(isOwn) {
  document.querySelector("#words").classList.toggle("own", isOwn);
}

/** Words that are added at once are submitted together. */
let submitting = 0;
function submitWords(words) {
  const box = wordsBox();
  box.value = words;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  clearTimeout(submitting);
  submitting = setTimeout(() => document.querySelector("#words button").click(), 100);
}

addEventListener("popstate", openAddress);
document.addEventListener("click", ({ target }) => {
  if (target.matches("#intro .again")) {
    guesses.write([]);
    location.reload();
  }
  const button = target.closest("#lesson button");
  if (!button) return;
  write(withTab(new URLSearchParams(history.state.back), button.dataset.tab), null, true);
  document.dispatchEvent(new CustomEvent("lesson", { detail: { isSwipe: false } }));
  openAddress();
  scrollTo(0, 0);
});

/** For page.py and shared.js. */
window.gclip = {
  addGuess,
  fillWords,
  lendPage,
  readAddress,
  readGuesses,
  readInputs,
  recordAnswer,
  recordPatch,
  settleAddress,
  shareLink,
  submitWords,
  turnTo,
};
