// How a request went: problems, notes and the status line; the page hears of it too.
root.setAttribute("role", "status");
root.setAttribute("aria-live", "polite");
mount(async (value) => {
  if (value.state) document.dispatchEvent(new CustomEvent("gclip:said", { detail: value }));
  return value.lines.map(([kind, text]) => make("p", kind, text));
});
