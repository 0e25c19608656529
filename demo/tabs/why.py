"""Why here?: the best words at one pixel under every variant."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import widgets, wording
from demo.controls import Controls
from demo.service import Request, Service, Status
from demo.settings import PAIR
from demo.tabs import QUIET, Answer, Tab
from demo.variants import VARIANTS
from demo.widgets import values
from gclip_core.types import Grid

TYPED = "(row, column) => [row, column].every(Number.isFinite) ? `${row},${column}` : ''"


def build(service: Service, controls: Controls) -> Tab:
    """The mask to point at, row and column for the keyboard, and the scores."""
    gr.Markdown(wording.WHY_INTRO, elem_classes=["gclip-note"])
    pixel = controls.add(
        "pixel", gr.Textbox("", visible=False), _pixel_of, _written, triggers=False
    )
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

    def show(service: Service, request: Request) -> tuple[Answer, Status]:
        settings = request.settings
        view = service.result(request)
        at = _inside(settings.pixel, (view.picture.image.height, view.picture.image.width))
        names = tuple(v.name for v in VARIANTS.values() if settings.extras or not v.asked_for)
        found = service.explain(request, *at, names)
        answer: Answer = {
            mask: values.mask_value(
                view.picture.image,
                view.mask.labels,
                view.mask.names,
                view.mask.title,
                settings.opacity,
                pick=True,
                pixel=at,
                slider=False,
                badge=wording.miou(view.mask.miou),
            ),
            row: at[0],
            column: at[1],
            scores: values.scores_value(
                [(one.title, one.top) for one in found], view.mask.names, at
            ),
        }
        return answer, view.status

    def point(event: gr.SelectData) -> str:
        return _written((int(event.index[0]), int(event.index[1])))

    typed = [
        number.submit(fn=None, js=TYPED, inputs=[row, column], outputs=pixel, **QUIET)
        for number in (row, column)
    ]
    pointed = mask.select(point, None, pixel, **QUIET)
    return Tab(outputs=[mask, row, column, scores], show=show, changes=[pointed, *typed])


def _inside(pixel: tuple[int, int] | None, size: Grid) -> tuple[int, int]:
    """The pixel, moved inside an image of ``size``; its middle where none was chosen."""
    if pixel is None:
        return size[0] // 2, size[1] // 2
    return min(pixel[0], size[0] - 1), min(pixel[1], size[1] - 1)


def _pixel_of(text: Any) -> tuple[int, int] | None:
    try:
        return PAIR.read(str(text)) if text else None
    except ValueError:
        return None


def _written(pixel: tuple[int, int] | None) -> str:
    return "" if pixel is None else PAIR.write(pixel)
