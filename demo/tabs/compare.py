"""Compare: every variant from one trunk, and what changed between two of them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from demo import panel, says, widgets, wording
from demo.controls import Controls
from demo.drawing import render
from demo.service import CompareView, Mask, Request, Service, Status
from demo.tabs import Answer, Tab
from demo.variants import VARIANTS
from demo.widgets import values

CSS = """
.variants { display: grid !important; gap: 10px; align-items: stretch;
  grid-template-columns: repeat(auto-fill, minmax(min(250px, 100%), 1fr)); }
.variants > * { min-width: 0 !important; width: auto !important; }
"""


def build(service: Service, controls: Controls) -> Tab:
    """Masks of all variants; then two of them, their difference and a swipe."""
    usual = [v.name for v in VARIANTS.values() if not v.asked_for]
    more = [v.name for v in VARIANTS.values() if v.asked_for]
    cards: dict[str, list[Component]] = {}
    with gr.Row(elem_classes=["variants"]):
        cards |= {name: _card(name) for name in usual}
        with gr.Column(min_width=200, elem_classes=["cardbox", "explained"]):
            gr.Markdown(wording.COMPARE_INTRO)
            favoured = says.build("favoured", "Whom the model favours")
            controls.add("extras", gr.Checkbox(False, label=wording.EXTRAS, elem_id="extras"))
    with gr.Row(elem_classes=["variants"], visible=False) as extra_row:
        cards |= {name: _card(name) for name in more}
    gr.Markdown(f"### {wording.WHAT_CHANGED}")
    choices = [(variant.title, variant.name) for variant in VARIANTS.values()]
    with gr.Row():
        controls.add("left", gr.Dropdown(choices, value="clearclip", label=wording.FROM))
        controls.add("right", gr.Dropdown(choices, value="amf_cs", label=wording.TO))
    with gr.Row():
        with gr.Column(min_width=280):
            change = panel.build("change", wording.WHAT_CHANGED)
        with gr.Column(min_width=280, elem_classes=["cardbox"]):
            swipe = widgets.swipe(elem_id="swipe", empty=wording.SWIPE_EMPTY)

    def show(service: Service, request: Request) -> tuple[Answer, Status]:
        settings = request.settings
        names = (*usual, *(more if settings.extras else ()))
        view = service.compare(request, names)
        pair = service.compare(request, (settings.left, settings.right))
        answer: Answer = {
            extra_row: gr.Row(visible=settings.extras),
            favoured: says.value(notes=[wording.favoured(settings.backbone)]),
        }
        for place, (name, mask) in enumerate(zip(names, view.masks, strict=True)):
            answer |= dict(zip(cards[name], _shown(view, place, mask, settings.opacity),
                               strict=True))  # fmt: skip
        return answer | {change: _change(pair), swipe: _swipe(pair)}, view.status

    parts = [part for card in cards.values() for part in card]
    return Tab(outputs=[*parts, extra_row, favoured, change, swipe], show=show)


def _card(name: str) -> list[Component]:
    with gr.Column(min_width=200, elem_classes=["cardbox"]):
        return [widgets.mask(elem_id=f"variant-{name}"), says.build(f"said-{name}", name)]


def _shown(view: CompareView, place: int, mask: Mask, opacity: float) -> tuple[Any, Any]:
    value = values.mask_value(
        view.picture.image,
        mask.labels,
        mask.names,
        mask.title,
        opacity,
        slider=False,
        max_side=448,
        badge=wording.miou(mask.miou),
    )
    note = (
        wording.changed_against(view.changed[place - 1], view.masks[place - 1].title)
        if place
        else wording.FIRST_VARIANT
    )
    return value, says.value(note)


def _change(pair: CompareView) -> panel.Value:
    before, after = pair.masks
    picture, share = render.change_map(
        pair.picture.image, before.labels, after.labels, len(before.names), 640
    )
    return panel.value(
        wording.WHAT_CHANGED,
        figures=[panel.figure(picture, wording.CHANGE_CAPTION, wording.CHANGE_CAPTION)],
        badge=wording.changed_badge(share),
        note=wording.change_note(before.title, after.title, before.miou, after.miou),
    )


def _swipe(pair: CompareView) -> Any:
    pictures = [
        render.overlay(pair.picture.image, mask.labels, mask.names, max_side=768)
        for mask in pair.masks
    ]
    return values.swipe_value(*pictures, tuple(mask.title for mask in pair.masks))
