"""Compare: every variant from one trunk, and what changed between two of them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from demo import panel, says, widgets, wording
from demo.controls import Answer, Controls, Tab
from demo.drawing import render
from demo.look import Look, Mask, Studio
from demo.variants import VARIANTS
from demo.views import compare as views
from demo.widgets import values

CSS = """
.variants { display: grid !important; gap: 10px; align-items: stretch;
  grid-template-columns: repeat(auto-fill, minmax(min(250px, 100%), 1fr)); }
.variants > * { min-width: 0 !important; width: auto !important; }
"""


def build(studio: Studio, controls: Controls) -> Tab:
    """Masks of all variants; then two of them, their difference and a swipe."""
    usual = views.shown(extras=False)
    more = tuple(name for name in views.shown(extras=True) if name not in usual)
    cards: dict[str, list[Component]] = {}
    with gr.Row(elem_classes=["variants"]):
        cards |= {name: _card(name) for name in usual}
        with gr.Column(min_width=200, elem_classes=["cardbox", "explained"]):
            gr.Markdown(wording.COMPARE_INTRO)
            favoured = says.build("favoured", "Whom the model favours")
            controls.make("extras", elem_id="extras")
    with gr.Row(elem_classes=["variants"], visible=False) as extra_row:
        cards |= {name: _card(name) for name in more}
    gr.Markdown(f"### {wording.WHAT_CHANGED}")
    choices = [(variant.title, variant.name) for variant in VARIANTS.values()]
    with gr.Row():
        controls.make("left", choices=choices)
        controls.make("right", choices=choices)
    with gr.Row():
        with gr.Column(min_width=280):
            change = panel.build("change", wording.WHAT_CHANGED)
        with gr.Column(min_width=280, elem_classes=["cardbox"]):
            swipe = widgets.swipe(elem_id="swipe", empty=wording.SWIPE_EMPTY)

    def show(look: Look) -> Answer:
        settings = look.settings
        view = views.see(look, views.shown(settings.extras))
        pair = views.mask(look, settings.left), views.mask(look, settings.right)
        answer: Answer = {
            extra_row: gr.Row(visible=settings.extras),
            favoured: says.value(notes=[wording.favoured(settings.backbone)]),
        }
        before: Mask | None = None
        for (name, mask), moved in zip(view.masks.items(), (0.0, *view.changed), strict=True):
            value = values.mask_value(
                look.picture.image, mask.labels, mask.names, mask.title, settings.opacity,
                slider=False, max_side=448, badge=wording.miou(mask.miou),
            )  # fmt: skip
            note = wording.changed_against(moved, before.title) if before else wording.FIRST_VARIANT
            answer |= dict(zip(cards[name], (value, says.value(note)), strict=True))
            before = mask
        image = look.picture.image
        return answer | {change: _change(image, *pair), swipe: _swipe(image, *pair)}

    parts = [part for card in cards.values() for part in card]
    return Tab(outputs=[*parts, extra_row, favoured, change, swipe], show=show)


def _card(name: str) -> list[Component]:
    with gr.Column(min_width=200, elem_classes=["cardbox"]):
        return [widgets.mask(elem_id=f"variant-{name}"), says.build(f"said-{name}", name)]


def _change(image: Image.Image, before: Mask, after: Mask) -> panel.Value:
    picture, share = render.change_map(image, before.labels, after.labels, len(before.names), 640)
    return panel.value(
        wording.WHAT_CHANGED,
        figures=[panel.figure(picture, wording.CHANGE_CAPTION, wording.CHANGE_CAPTION)],
        badge=wording.changed_badge(share),
        note=wording.change_note(before.title, after.title, before.miou, after.miou),
    )


def _swipe(image: Image.Image, *pair: Mask) -> Any:
    pictures = [render.overlay(image, mask.labels, mask.names, max_side=768) for mask in pair]
    return values.swipe_value(*pictures, tuple(mask.title for mask in pair))
