// The best words at one pixel under every variant, beside the place that was asked about.
import { clamp, fault, make, percent } from "./dom.js";

export const why = ({ root, mount, trigger }) => {
  const away = () => {
    if (root.hidden) return;
    const within = root.contains(document.activeElement);
    root.hidden = true;
    if (window.gclipAsked) window.gclipAsked.spot.hidden = true;
    if (within) window.gclipAsked?.stage.focus({ preventScroll: true });
    trigger("clear");
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") away();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!root.contains(event.target) && !event.target.closest?.(".gw-stage")) away();
  });
  const put = () => {
    const asked = window.gclipAsked;
    if (root.hidden || !asked?.stage.isConnected) return;
    const stage = asked.stage.getBoundingClientRect(),
      spot = asked.spot.getBoundingClientRect(),
      mine = root.getBoundingClientRect(),
      gap = 12;
    if (innerWidth <= 640) return void (root.style.left = root.style.top = "");
    // Beside the picture where there is room, else beside the pixel.
    const room = (edge) => edge + gap + mine.width < innerWidth - 8;
    const left = room(stage.right)
      ? stage.right + gap
      : room(spot.right)
        ? spot.right + gap
        : spot.left - gap - mine.width;
    root.style.left = `${clamp(left, 8, innerWidth - mine.width - 8)}px`;
    root.style.top = `${clamp(spot.top - mine.height / 3, 8, Math.max(8, innerHeight - mine.height - 8))}px`;
  };
  addEventListener("resize", put);
  addEventListener("gclip:placed", (event) => (event.detail.stale ? away() : put()));
  addEventListener("scroll", put, { passive: true, capture: true });
  mount(async (value) => {
    const grid = make("div", "gw-columns"),
      head = make("div", "gw-head"),
      close = make("button", "gw-button", "Close");
    close.addEventListener("click", away);
    head.append(make("span", "gw-title", value.title), ...fault(value), close);
    for (const variant of value.variants) {
      const part = make("section"),
        list = make("ol");
      part.append(make("h2", "gw-title", variant.title));
      for (const entry of variant.entries) {
        const item = make("li", entry.label ? "gw-label" : ""),
          bar = make("span", "gw-share"),
          fill = make("span"),
          name = make("bdi", "gw-name", entry.name);
        if (entry.colour === null) fill.className = "gw-rest";
        else fill.style.background = entry.colour;
        fill.style.width = `${100 * entry.score}%`;
        bar.append(fill);
        name.title = entry.name;
        item.append(name, make("span", "gw-percent", percent(entry.score)), bar);
        list.append(item);
      }
      part.append(list);
      grid.append(part);
    }
    root.setAttribute("role", "dialog");
    root.setAttribute("aria-label", value.title);
    root.tabIndex = -1;
    root.hidden = false;
    root.addEventListener(
      "placed",
      () => {
        root.dataset.ready = "1";
        put();
        if (window.gclipAsked?.keyboard) root.focus({ preventScroll: true });
      },
      { once: true },
    );
    return [head, grid, make("p", "gw-note", value.note)];
  });
};
