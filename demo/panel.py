"""One card of the page: figures with captions, a plot and a sentence, with a badge at the top.

A card's value is plain data; the browser builds it with ``textContent`` only. Pictures travel
inside the value: one answer, no second round trip.

Usage::

    card = panel.build("chosen-attention", "Attention")
    panel.value("Attention", figures=[panel.figure(picture, "block 6 of 12", "alt")], note="…")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from PIL import Image

from demo.widgets import values

Value = dict[str, Any]

_SCRIPT = """
const el = (tag, cls, text) => {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text) e.textContent = text;
  return e;
};
const figure = (f) => {
  const box = el('figure', 'fig'), image = el('img', f.pixels ? 'pixels' : '');
  image.src = f.src; image.alt = f.alt; image.style.aspectRatio = f.ratio;
  box.append(image, el('figcaption', '', f.caption));
  return box;
};
const table = ({ headers, rows, caption }) => {
  const grid = el('table'), head = el('tr'), wide = el('div', 'wide');
  head.append(...headers.map(name => {
    const th = el('th', '', name); th.scope = 'col'; return th;
  }));
  const lines = rows.map(([name, ...cells]) => {
    const line = el('tr'), th = el('th'), best = Math.max(...cells.map(parseFloat));
    th.scope = 'row'; th.append(el('bdi', '', name));
    line.append(th, ...cells.map(text => el('td', parseFloat(text) === best ? 'best' : '', text)));
    return line;
  });
  const top = el('thead'), body = el('tbody');
  top.append(head); body.append(...lines);
  grid.append(el('caption', '', caption), top, body);
  wide.tabIndex = 0; wide.setAttribute('role', 'region'); wide.setAttribute('aria-label', caption);
  wide.append(grid);
  return wide;
};
function draw() {
  const v = props.value || {}, card = element.querySelector('.card');
  if (!card || (v.id && card.dataset.shown === v.id)) return;
  card.dataset.shown = v.id || '';
  const head = el('header', 'head');
  head.append(el('h4', '', v.title));
  if (v.badge) head.append(el('span', 'badge', v.badge));
  const next = [head];
  if (v.figures && v.figures.length) {
    const grid = el('div', 'figs');
    grid.style.setProperty('--columns', v.columns || 1);
    grid.append(...v.figures.map(figure));
    next.push(grid);
  }
  if (v.table) next.push(table(v.table));
  if (v.plot) { const plot = el('div', 'plot'); plot.innerHTML = v.plot; next.push(plot); }
  if (v.note) next.push(el('p', 'note', v.note));
  if (next.length === 1) next.push(el('div', 'waiting'));
  card.replaceChildren(...next);
}
draw();
watch('value', draw);
"""

CSS = """
.card, .cardbox { background: var(--background-fill-primary); border-radius: 12px; padding: 12px;
  border: 1px solid var(--border-color-primary); color: var(--body-text-color); }
.card { display: flex; flex-direction: column; gap: 8px; font-size: 13px; line-height: 1.4;
  min-height: 260px; }
.cardbox { min-height: 260px; gap: 6px; }
.card .head { display: flex; align-items: baseline; justify-content: space-between; gap: 8px; }
.card h4 { margin: 0; font-size: 14px; font-weight: 600; color: var(--body-text-color); }
.card .badge { font-size: 12px; font-weight: 600; padding: 1px 8px; border-radius: 99px;
  white-space: nowrap; background: var(--background-fill-secondary); color: var(--body-text-color);
  border: 1px solid var(--border-color-primary); font-variant-numeric: tabular-nums; }
.card .figs { display: grid; gap: 8px; align-items: start;
  grid-template-columns: repeat(var(--columns, 1), minmax(0, 1fr)); }
.card .fig { margin: 0; min-width: 0; }
.card .fig img { display: block; width: 100%; margin: 0; border-radius: 6px; object-fit: contain; }
.card .fig img.pixels { image-rendering: pixelated; background: #000; }
.card figcaption { font-size: 12px; line-height: 1.35; margin-top: 3px; }
.card .note { margin: 0; font-size: 12.5px; overflow-wrap: anywhere; }
.card .plot { display: grid; gap: 8px;
  grid-template-columns: repeat(auto-fit, minmax(min(230px, 100%), 1fr)); }
.card .plot svg { display: block; width: 100%; height: auto; max-width: 400px; }
.card .wide { overflow-x: auto; contain: inline-size; border-radius: 6px; }
.card table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0;
  display: table; }
.card caption { text-align: left; caption-side: bottom; padding-top: 6px; font-size: 12.5px; }
.card th, .card td { padding: 5px 6px; border: 0; text-align: right; font-size: 12.5px;
  border-top: 1px solid var(--border-color-primary); font-weight: 400; vertical-align: bottom;
  background: none; color: inherit; }
.card th:first-child { text-align: left; overflow-wrap: break-word; min-width: 84px; }
.card td { white-space: nowrap; }
.card thead th { font-weight: 600; white-space: normal; border-top: 0; line-height: 1.25; }
.card tbody tr:first-child > * { font-weight: 600; border-top-width: 2px; }
.card td.best { font-weight: 700; }
#result .block:has(> .html-container), #result .html-container { padding: 0 !important;
  border-width: 0 !important; background: none; overflow: visible; }
.sidebyside .panel, .channelrow > .column > .panel:only-child, .channelrow .panel:only-child .card,
.panel > .html-container { height: 100%; }
.card .waiting { flex: 1; border-radius: 8px; background: var(--background-fill-secondary); }
"""


def build(name: str, title: str) -> gr.HTML:
    """A card that waits for its value."""
    return gr.HTML(
        {"title": title},
        html_template='<section class="card"></section>',
        js_on_load=_SCRIPT,
        apply_default_css=False,
        elem_id=name,
        elem_classes=["panel"],
        label=title,
    )


def value(
    title: str,
    *,
    figures: Sequence[Value] = (),
    columns: int = 1,
    plot: str = "",
    table: Value | None = None,
    note: str = "",
    badge: str = "",
) -> Value:
    """A card's value; text may hold a visitor's words, but ``plot`` is SVG of our own.

    ``table`` holds "headers", "rows" (each a name, then a cell per header) and a "caption".
    """
    return {
        "title": title,
        "figures": list(figures),
        "columns": columns,
        "plot": plot,
        "table": table,
        "note": note,
        "badge": badge,
    }


def figure(
    picture: Image.Image,
    caption: str,
    alt: str,
    ratio: str = "",
    pixels: bool = False,
) -> Value:
    """A picture and its caption; ``ratio`` (CSS) is the room it gets, by default its own shape."""
    return {
        "src": values.png_url(picture) if pixels else values.image_url(picture, 512),
        "caption": caption,
        "alt": alt,
        "ratio": ratio or shape(picture),
        "pixels": pixels,
    }


def shape(picture: Image.Image) -> str:
    """CSS aspect ratio of a picture, so that nothing jumps while it loads."""
    return f"{picture.width} / {picture.height}"
