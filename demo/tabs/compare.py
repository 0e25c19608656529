"""Compare: every variant from one encoding, any two of them, and IoU where truth is known."""

from typing import Any

import gradio as gr

from demo import widgets, wording
from demo.controls import Answer, Controls, Tab, slide_opacity
from demo.look import Look, Mask, Studio
from demo.tabs import drawn
from demo.variants import VARIANTS
from demo.views import compare as views
from demo.views.compare import CompareView
from demo.widgets import values
from demo.widgets.values import Json


def build(studio: Studio, controls: Controls) -> Tab:
    """Masks of all variants and the truth; then two of them, and a table of IoU."""
    names = (*views.shown(extras=True), views.TRUTH)
    usual = (*views.shown(extras=False), views.TRUTH)
    boxes, masks = {}, {}
    with gr.Row(elem_classes=["variants"]):
        for name in (*usual, *(one for one in names if one not in usual)):
            with gr.Column(
                min_width=120, elem_classes=["cardbox"], visible=name in views.shown(False)
            ) as boxes[name]:
                masks[name] = widgets.canvas(elem_id=f"variant-{name}")
    controls.make("extras", elem_id="extras", container=False)
    gr.Markdown(wording.COMPARE_NOTE, elem_classes=["gclip-note"])
    favoured = widgets.lines("favoured", "Whom the model favours")
    choices = [*((v.title, v.name) for v in VARIANTS.values()), (wording.TRUTH, views.TRUTH)]
    with gr.Row(elem_classes=["pair"]):
        with gr.Column(min_width=280, elem_classes=["cardbox"]):
            with gr.Row(elem_classes=["pairchoice"]):
                controls.make("left", choices=choices, elem_id="left")
                controls.make("right", choices=choices, elem_id="right")
            both = widgets.canvas(elem_id="pair-canvas", empty=wording.PAIR_EMPTY)
        with gr.Column(min_width=280):
            table = widgets.card("iou-table", wording.IOU_TITLE)

    def show(look: Look) -> Answer:
        view = views.see(look, views.shown(look.settings.extras))
        shown = view.masks | ({views.TRUTH: view.truth} if view.truth else {})
        best = views.best(view)
        answer: Answer = {box: gr.Column(visible=name in shown) for name, box in boxes.items()}
        answer |= {
            masks[name]: drawn.small(look, mask, fault=mask is not view.truth, best=name in best)
            for name, mask in shown.items()
        }
        return answer | {
            favoured: values.lines(
                notes=[
                    _best(view, best),
                    drawn.found_nothing(list(view.masks.values())),
                    drawn.absent(next(iter(view.masks.values()))),
                    wording.favoured(look.segmenter.backbone.name),
                ]
            ),
            both: _both(look, *views.pair(look, view)),
            table: _table(look, view),
        }

    def wire() -> list[Any]:
        slide_opacity(both, controls)
        return [both.clear(**drawn.switch_off(controls))]

    return Tab(
        outputs=[*boxes.values(), *masks.values(), favoured, both, table],
        show=show,
        wire=wire,
        masks=[*masks.values(), both],
    )


def _best(view: CompareView, best: tuple[str, ...]) -> str:
    """Which variants are the best, and the class by which they lead most."""
    rest = {name: mask for name, mask in view.masks.items() if name not in best}
    if not best:
        return ""
    first, second = view.masks[best[0]], max(rest.values(), key=lambda mask: mask.miou or 0.0)
    most = max(first.iou, key=lambda c: first.iou[c] - second.iou[c])
    return wording.best(
        [view.masks[name].title for name in best], first.miou or 0.0,
        second.title, second.miou or 0.0,
        first.names[most], first.iou[most], second.iou[most],
    )  # fmt: skip


def _both(look: Look, left: Mask, right: Mask) -> Json:
    known = left.miou is not None and right.miou is not None
    halves = [drawn.half(look, one, looks=one.title != wording.TRUTH) for one in (left, right)]
    notes = [wording.pointing(swipes=True), wording.SCORE_COUNTS if known else ""]
    return drawn.canvas(look, halves, left.names, notes=notes)


def _table(look: Look, view: CompareView) -> values.Json:
    """IoU of every class under every variant; a sentence where no truth is known."""
    if not view.iou:
        return values.card(wording.IOU_TITLE, note=wording.TRUTH_EMPTY)
    masks = view.masks.values()
    rows = [("mIoU", tuple(one.miou for one in masks)), *view.iou]
    table = {
        "headers": ["class", *(one.title for one in masks)],
        "rows": [[name, *map(_percent, ious)] for name, ious in rows],
        "label": wording.IOU_TABLE,
    }
    note = f"{wording.IOU_NOTE} {wording.SCORE_COUNTS}"
    return drawn.card(look, wording.IOU_TITLE, note, table=table)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f}"
