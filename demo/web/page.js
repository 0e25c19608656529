// Functions that events of page.py run in the browser, and what Escape does.

document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && document.activeElement.matches("dfn")) document.activeElement.blur();
});

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
