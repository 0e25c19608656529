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
function draw() {
  const v = props.value || {}, card = element.querySelector('.card');
  if (!card) return;
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
.card .plot svg { display: block; width: 100%; height: auto; }
#result .block:has(> .html-container), #result .html-container { padding: 0 !important;
  border-width: 0 !important; background: none; overflow: visible; }
.panel, .panel > .html-container { height: 100%; }
.card .plot svg { max-width: 640px; }
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
    note: str = "",
    badge: str = "",
) -> Value:
    """A card's value. ``plot`` is SVG of our own; all other text may hold a visitor's words."""
    return {
        "title": title,
        "figures": list(figures),
        "columns": columns,
        "plot": plot,
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
