// What events of page.py run in the browser.

function saveFile({ url, orig_name }) {
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: orig_name || "" });
  link.click();
}

/** On plain http a page has no clipboard, but it may copy what is selected. */
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
    return isCopied ? "Copied" : "Copy it by hand";
  }
}

/** Scroll to what a press has made elsewhere, where it is not in view. */
function reveal(id) {
  document.getElementById(id)?.scrollIntoView({ block: "nearest" });
}
