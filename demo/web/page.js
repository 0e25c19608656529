// Functions that events of page.py run in the browser, and what presses do besides.

document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && document.activeElement.matches("dfn")) document.activeElement.blur();
});

/** A tap beside an open tooltip closes it, and does not choose a patch, too. */
let isClosing = false;
document.addEventListener(
  "pointerdown",
  ({ target, pointerType }) => {
    const term = document.activeElement.closest("dfn");
    isClosing = pointerType === "touch" && term !== null && !term.contains(target);
  },
  true,
);
document.addEventListener(
  "click",
  (event) => {
    const { target } = event;
    if (isClosing && target.closest("[role=application]")) event.stopPropagation();
    isClosing = false;
    if (target.matches("#head button")) document.querySelector("#learn-button").click();
    // On a phone, the examples are below the mask.
    if (innerWidth <= 700 && target.closest("#samples button"))
      document.querySelector("#canvas").scrollIntoView();
    if (innerWidth <= 700 && target.closest("#settings > button"))
      setTimeout(() => document.querySelector("#settings").scrollIntoView(), 200);
    target.closest(":is(#share, #compare-head) button.secondary")?.classList.add("saving");
  },
  true,
);

/** On a phone, the outcome of a guess and its masks are below the fold. */
function showOutcome(name) {
  if (innerWidth <= 700) document.querySelector(`#outcome-${name}`).scrollIntoView();
}

/** Called when a file is there, or could not be made. */
function endSaving(name) {
  document.querySelector(`#${name}`).classList.remove("saving");
}

/** Save a file, and say so on its button. */
function saveFile({ url, orig_name }, name) {
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: orig_name || "" });
  link.click();
  const { classList } = document.querySelector(`#${name}`);
  classList.add("saved");
  setTimeout(() => classList.remove("saved"), 3000);
}

/** Over plain HTTP a page has no clipboard, but it can copy a selection. */
async function copyLink(link) {
  try {
    await navigator.clipboard.writeText(link);
    return "Copied";
  } catch {
    const text = document.querySelector("#link textarea");
    text.disabled = false;
    text.select();
    const isCopied = document.execCommand("copy");
    text.disabled = true;
    return isCopied ? "Copied" : "Copy it manually";
  }
}

/** For page.py. */
Object.assign(window, { copyLink, endSaving, saveFile, showOutcome });
