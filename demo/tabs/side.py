"""Side by side: mask, attention maps and weight norms in one row, answering to the switches."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import gradio as gr
import numpy as np
from gradio.components import Component

from demo import panel, says, widgets, wording
from demo.controls import Answer, Controls, Tab, slide_opacity
from demo.drawing import plots, render
from demo.look import Look, Studio
from demo.settings import Settings
from demo.views import side as views
from demo.views.side import Row, SideView
from demo.widgets import values
from demo.widgets.values import Json
from gclip_core.cache import BoundedCache

CARD_BYTES = 64 * 2**20
_plots: BoundedCache[str] = BoundedCache(128)
_cards: BoundedCache[tuple[Json, Json, Json]] = BoundedCache(
    CARD_BYTES, lambda made: sum(len(json.dumps(one)) for one in made)
)

CSS = """
.sidebyside { gap: 10px; flex-wrap: nowrap; align-items: stretch; }
.sidebyside > * { min-width: 0 !important; flex: 1 1 0 !important; }
.sidebyside .panel, .sidebyside .panel div:has(> .card), .sidebyside .card { height: 100%; }
.rowtitle h3 { margin: 0; font-size: 14px; }
@media (max-width: 640px) { .sidebyside { flex-wrap: wrap; }
  .sidebyside > * { flex: 1 1 280px !important; } }
"""


def build(studio: Studio, controls: Controls) -> Tab:
    """Two rows of three cards."""
    rows = [_row("chosen", wording.CHOSEN_ROW), _row("plain", wording.PLAIN_ROW)]
    slide_opacity(rows[0][0], controls)
    return Tab(
        outputs=[*rows[0], *rows[1]],
        show=lambda look: _show(look, views.see(look), rows),
    )


def _row(name: str, title: str) -> list[Component]:
    gr.Markdown(f"### {title}", elem_classes=["rowtitle"])
    with gr.Row(elem_classes=["sidebyside"], elem_id=f"row-{name}"):
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            mask = widgets.mask(elem_id=f"{name}-mask")
            note = says.build(f"{name}-note", "What changed")
        with gr.Column(min_width=200):
            attention = panel.build(f"{name}-attention", wording.ATTENTION)
        with gr.Column(min_width=200):
            norms = panel.build(f"{name}-norms", wording.NORMS)
    return [mask, note, attention, norms]


def _show(look: Look, view: SideView, rows: list[list[Component]]) -> Answer:
    answer: Answer = {}
    block = _norms_block(view)
    for cards, row, is_plain in ((rows[0], view.chosen, False), (rows[1], view.plain, True)):
        note = says.value() if is_plain else _mask_note(view)
        mask, attention, norms = _drawn(look, row, block, is_plain)
        answer |= dict(zip(cards, (mask, note, attention, norms), strict=True))
    return answer


def _drawn(look: Look, row: Row, block: int, is_plain: bool) -> tuple[Json, Json, Json]:
    """The three cards of a row, kept: a switch draws anew only what it changes.

    Each has an id, by which the browser too leaves alone what it shows already.
    """
    settings = look.settings
    method = "gclip" if is_plain else settings.method
    shown = settings.changed(amf=row.amf, cs=row.cs, method=method, tab="side")
    rest = replace(look.request, settings=Settings())
    key = (look.picture.digest, shown, rest, block, is_plain)

    def draw() -> tuple[Json, Json, Json]:
        made = (_mask(look, row, not is_plain), _attention(look, row), _norms(look, row, block))
        return tuple(one | {"id": _digest(one)} for one in made)

    return _cards.get_or_make(key, draw)


def _digest(card: Json) -> str:
    return hashlib.blake2b(json.dumps(card).encode(), digest_size=16).hexdigest()


def _mask(look: Look, row: Row, slider: bool) -> Json:
    settings = look.settings
    return values.mask_value(
        look.picture.image,
        row.mask.labels,
        row.mask.names,
        title=row.mask.title,
        badge=wording.miou(row.mask.miou),
        opacity=settings.opacity,
        pixel=settings.pixel,
        slider=slider,
    )


def _mask_note(view: SideView) -> Json:
    row = view.chosen
    note = wording.mask_note(
        view.changed, row.amf, row.cs, bool(row.found.suppressed), view.plain.mask.miou,
        row.mask.miou,
    )  # fmt: skip
    return says.value(note)


def _attention(look: Look, row: Row) -> Json:
    image, n, grid = look.picture.image, len(row.found.channels), look.grid
    figures = []
    for one in row.maps:
        drawn = render.heat_map(image, one.received, grid, max_side=320)
        drawn = render.token_outlines(drawn, one.tokens, grid)
        is_read = one.kind == "qk"
        caption = wording.map_caption(one.block, n) if is_read else wording.used_caption(n, row.amf)
        alt = wording.received_alt(caption)
        figures.append(panel.figure(drawn, caption, alt))
    square, pooled = render.matrix_picture(row.matrix, 320, 240)
    caption = wording.matrix_caption(n, pooled * row.pooled)
    figures.append(panel.figure(square, caption, caption, panel.shape(image), pixels=True))
    shown = [one.block for one in row.maps if one.kind == "qk"]
    return panel.value(
        wording.ATTENTION,
        figures=figures,
        columns=2,
        note=wording.attention_note(row.found, row.amf, shown),
        badge="AMF on" if row.amf else "AMF off",
    )


def _norms(look: Look, row: Row, block: int) -> Json:
    found, model = row.found, look.segmenter.backbone.title
    key = (
        model, block, found.norms_before[block].numpy().tobytes(),
        found.norms_after[block].numpy().tobytes(), block in found.abnormal,
    )  # fmt: skip
    drawn = _plots.get_or_make(
        key,
        lambda: plots.norms_plot(
            found.norms_before[block],
            found.norms_after[block],
            block,
            len(found.channels),
            model,
            abnormal=block in found.abnormal,
        ),
    )
    return panel.value(
        wording.NORMS,
        plot=drawn,
        note=wording.norms_note(found, row.cs, block),
        badge="CS on" if row.cs else "CS off",
    )


def _norms_block(view: SideView) -> int:
    """The block to show: the first one CS changes, else the one with the largest ratio."""
    found = view.chosen.found
    return min(found.suppressed) if found.suppressed else int(np.argmax(found.ratios[:-1]))
