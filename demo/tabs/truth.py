"""Truth: mIoU of every variant where the mask is known, and how alike Values are in regions."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import Dependency

from demo import panel, widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, slide_opacity
from demo.drawing import plots
from demo.host.files import path_of
from demo.look import Look, Studio
from demo.source import mask_colours
from demo.views import compare as views
from demo.views.channels import see_alikeness, see_norms
from demo.views.compare import TruthView
from demo.widgets import values
from gclip_core.errors import GclipError

HEADERS = ["value", "colour", "share", "class"]


def build(studio: Studio, controls: Controls) -> Tab:
    """The truth, a table of IoU, the similarity of Values; and a mask of one's own."""
    gr.Markdown(wording.TRUTH_INTRO, elem_classes=["gclip-note"])
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=4, min_width=280, elem_classes=["cardbox"]):
            known = widgets.mask(elem_id="truth-mask", empty=wording.TRUTH_EMPTY)
            slide_opacity(known, controls)
        with gr.Column(scale=6, min_width=280):
            table = panel.build("iou-table", wording.IOU_TITLE)
            similarity = panel.build("similarity", wording.SIMILARITY)
    with gr.Accordion(wording.OWN_MASK, open=False, elem_id="own-mask"):
        gr.Markdown(wording.OWN_MASK_HINT, elem_classes=["gclip-note"])
        file = gr.File(
            label=wording.OWN_MASK_FILE, file_types=[".png"], type="filepath", elem_id="mask-file"
        )
        classes = gr.Dataframe(
            headers=HEADERS, datatype="str", label=wording.OWN_MASK_CLASSES, interactive=True,
            type="array", elem_id="mask-classes", static_columns=[0, 1, 2],
        )  # fmt: skip
        said = gr.Markdown("")

    def show(look: Look) -> Answer:
        view = views.see_truth(look)
        shown = (
            values.mask_value(
                look.picture.image, view.labels, view.names, wording.TRUTH_TITLE,
                look.settings.opacity,
            )
            if view.labels is not None
            else None
        )  # fmt: skip
        alike = [(row.title, row.inside, row.across) for row in see_alikeness(look)]
        plot = plots.similarity_plot(alike, look.segmenter.backbone.title)
        regions = "the truth" if look.truth else "the mask shown"
        note = wording.similarity_note(regions, see_norms(look).found.cs_reason)
        return {
            known: shown,
            table: _table(view),
            similarity: panel.value(wording.SIMILARITY, plot=plot, note=note),
        }

    def read(path: str | None) -> tuple[Any, str]:
        if not path:
            return [], ""
        try:
            found = mask_colours(path)
        except GclipError as error:
            return [], str(error)
        rows = [[str(c.value), c.colour, f"{c.share * 100:.1f} %", c.name] for c in found]
        return rows, wording.OWN_MASK_READ

    def wire() -> list[Dependency]:
        return [
            file.change(read, file, [classes, said], **QUIET),
            classes.input(fn=None, js="() => []", **QUIET),
        ]

    return Tab(
        outputs=[known, table, similarity],
        show=show,
        wire=wire,
        extra={"truth_file": (file, path_of), "truth_classes": (classes, _classes)},
    )


def _table(view: TruthView) -> panel.Value:
    """IoU of every class under every variant; a sentence where no truth is known."""
    if not view.iou:
        return panel.value(wording.IOU_TITLE, note=wording.TRUTH_EMPTY)
    rows = [("mIoU", view.miou), *view.iou]
    table = {
        "headers": ["class", *view.titles],
        "rows": [[name, *map(_percent, ious)] for name, ious in rows],
        "caption": wording.IOU_TABLE,
    }
    return panel.value(wording.IOU_TITLE, table=table)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _classes(raw: Any) -> tuple[tuple[int, str], ...]:
    """Pairs (value in the mask, class name) of the table's raw value; rows without a class out."""
    data = raw.get("data", []) if isinstance(raw, dict) else getattr(raw, "data", raw) or []
    pairs = []
    for row in data:
        if len(row) == len(HEADERS) and str(row[0]).isdigit() and str(row[3]).strip():
            pairs.append((int(row[0]), str(row[3]).strip()))
    return tuple(pairs)
