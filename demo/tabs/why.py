"""Why here?: the best words at one pixel under every variant."""

from __future__ import annotations

import gradio as gr
from gradio.events import Dependency

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab
from demo.look import Look, Studio
from demo.settings import as_text
from demo.views import compare
from demo.views import why as views
from demo.widgets import values

TYPED = "(row, column) => [row, column].every(Number.isFinite) ? `${row},${column}` : ''"


def build(studio: Studio, controls: Controls) -> Tab:
    """The mask to point at, row and column for the keyboard, and the scores."""
    gr.Markdown(wording.WHY_INTRO, elem_classes=["gclip-note"])
    pixel = controls.hidden("pixel")
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=4, min_width=280, elem_classes=["cardbox"]):
            mask = widgets.mask(elem_id="why-mask")
            with gr.Row(elem_classes=["plantrow"]):
                row = gr.Number(
                    None,
                    label=wording.ROW,
                    precision=0,
                    minimum=0,
                    min_width=100,
                    elem_id="why-row",
                )
                column = gr.Number(
                    None,
                    label=wording.COLUMN,
                    precision=0,
                    minimum=0,
                    min_width=100,
                    elem_id="why-column",
                )
        with gr.Column(scale=6, min_width=300, elem_classes=["cardbox"]):
            scores = widgets.scores(elem_id="why-scores")

    def show(look: Look) -> Answer:
        settings, image, chosen = look.settings, look.picture.image, look.mask(look.chosen)
        at = views.inside(settings.pixel, (image.height, image.width))
        found = views.see(look, at, compare.shown(settings.extras))
        return {
            mask: values.mask_value(
                image, chosen.labels, chosen.names, chosen.title, settings.opacity, pick=True,
                pixel=at, slider=False, badge=wording.miou(chosen.miou),
            ),
            row: at[0],
            column: at[1],
            scores: values.scores_value([(one.title, one.top) for one in found], chosen.names, at),
        }  # fmt: skip

    def point(event: gr.SelectData) -> str:
        return as_text("pixel", (int(event.index[0]), int(event.index[1])))

    def wire() -> list[Dependency]:
        typed = [
            number.submit(fn=None, js=TYPED, inputs=[row, column], outputs=pixel, **QUIET)
            for number in (row, column)
        ]
        return [mask.select(point, None, pixel, **QUIET), *typed]

    return Tab(outputs=[mask, row, column, scores], show=show, wire=wire)
