"""Compare: every variant from one encoding, any two of them, and IoU where truth is known."""

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import torch

from demo import widgets, wording
from demo.controls import Answer, Controls, Tab, slide_opacity
from demo.look import Look, Mask, Studio
from demo.source import truth_labels
from demo.tabs import common
from demo.variants import VARIANTS
from demo.widgets import values
from demo.widgets.values import Json
from gclip_core.types import class_shares

TRUTH = "truth"
"""The known mask, beside the names of variants."""


@dataclass(frozen=True, eq=False)
class CompareView:
    """Masks by the name of their variant; ``truth`` in the visitor's classes, None if unknown.

    ``iou`` has, per class that the truth holds, one value per mask in their order.
    """

    masks: dict[str, Mask]
    truth: Mask | None
    iou: tuple[tuple[str, tuple[float, ...]], ...]


def build(studio: Studio, controls: Controls) -> Tab:
    """Masks of all variants and the truth; then two of them, and a table of IoU."""
    names = (*shown(extras=True), TRUTH)
    usual = (*shown(extras=False), TRUTH)
    boxes, masks = {}, {}
    with gr.Row(elem_classes=["variants"]):
        for name in (*usual, *(one for one in names if one not in usual)):
            with gr.Column(
                min_width=120, elem_classes=["cardbox"], visible=name in shown(False)
            ) as boxes[name]:
                masks[name] = widgets.canvas(elem_id=f"variant-{name}")
    controls.make("extras", elem_id="extras", container=False)
    gr.Markdown(wording.COMPARE_NOTE, elem_classes=["gclip-note"])
    favoured = widgets.lines("favoured", "Whom the model favours")
    choices = [*((v.title, v.name) for v in VARIANTS.values()), (wording.TRUTH, TRUTH)]
    with gr.Row(elem_classes=["pair"]):
        with gr.Column(min_width=280, elem_classes=["cardbox"]):
            with gr.Row(elem_classes=["pairchoice"]):
                controls.make("left", choices=choices, elem_id="left")
                controls.make("right", choices=choices, elem_id="right")
            both = widgets.canvas(elem_id="pair-canvas", empty=wording.PAIR_EMPTY)
        with gr.Column(min_width=280):
            table = widgets.card("iou-table", wording.IOU_TITLE)

    def show(look: Look) -> Answer:
        view = see(look, shown(look.settings.extras))
        seen = view.masks | ({TRUTH: view.truth} if view.truth else {})
        winners = best(view)
        answer: Answer = {box: gr.Column(visible=name in seen) for name, box in boxes.items()}
        answer |= {
            masks[name]: common.small(
                look, mask, fault=mask is not view.truth, best=name in winners
            )
            for name, mask in seen.items()
        }
        return answer | {
            favoured: values.lines(
                notes=[
                    _best(view, winners),
                    common.found_nothing(list(view.masks.values())),
                    common.absent(next(iter(view.masks.values()))),
                    wording.favoured(look.segmenter.backbone.name),
                ]
            ),
            both: _both(look, *pair(look, view)),
            table: _table(look, view),
        }

    def wire() -> list[Any]:
        slide_opacity(both, controls)
        return [both.clear(**common.switch_off(controls))]

    return Tab(
        outputs=[*boxes.values(), *masks.values(), favoured, both, table],
        show=show,
        wire=wire,
        masks=[*masks.values(), both],
    )


def _best(view: CompareView, winners: tuple[str, ...]) -> str:
    """Which variants are the best, and the class by which they lead most."""
    rest = {name: mask for name, mask in view.masks.items() if name not in winners}
    if not winners:
        return ""
    first, second = view.masks[winners[0]], max(rest.values(), key=lambda mask: mask.miou or 0.0)
    most = max(first.iou, key=lambda c: first.iou[c] - second.iou[c])
    return wording.best(
        [view.masks[name].title for name in winners], first.miou or 0.0,
        second.title, second.miou or 0.0,
        first.names[most], first.iou[most], second.iou[most],
    )  # fmt: skip


def _both(look: Look, left: Mask, right: Mask) -> Json:
    known = left.miou is not None and right.miou is not None
    halves = [common.half(look, one, looks=one.title != wording.TRUTH) for one in (left, right)]
    notes = [wording.pointing(swipes=True), wording.SCORE_COUNTS if known else ""]
    return common.canvas(look, halves, left.names, notes=notes)


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
    return common.card(look, wording.IOU_TITLE, note, table=table)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f}"


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that are shown; ``extras``: also those that one asks for."""
    return tuple(v.name for v in VARIANTS.values() if extras or not v.asked_for)


def see(look: Look, names: tuple[str, ...] = ()) -> CompareView:
    """Several variants from one encoding; by default those that need no asking."""
    masks = {name: mask(look, name) for name in names or shown(False)}
    first = next(iter(masks.values()))
    return CompareView(
        masks=masks,
        truth=known(look),
        iou=tuple(
            (first.names[c], tuple(one.iou[c] for one in masks.values())) for c in sorted(first.iou)
        ),
    )


def best(view: CompareView) -> tuple[str, ...]:
    """Names of the variants with the highest mIoU; none where it is unknown or alike."""
    scores = {
        name: round(mask.miou, 3) for name, mask in view.masks.items() if mask.miou is not None
    }
    if len(set(scores.values())) < 2:
        return ()
    return tuple(name for name, score in scores.items() if score == max(scores.values()))


def mask(look: Look, name: str) -> Mask:
    """The mask of the variant of that name."""
    return look.mask(VARIANTS[name].method(look.settings))


def known(look: Look) -> Mask | None:
    """The truth as a mask in the visitor's classes, -1 for the rest; None where none is known."""
    plain = mask(look, "clearclip")
    if look.truth is None or not plain.iou:
        return None
    labels = truth_labels(look.truth, look.segment(plain.method).vocabulary)
    shares = class_shares(torch.from_numpy(labels), len(plain.names))
    return replace(plain, title="Truth", labels=labels, shares=shares, iou={}, miou=None)


def pair(look: Look, view: CompareView) -> tuple[Mask, Mask]:
    """The two masks that the settings name; ClearCLIP in place of a truth that is unknown."""
    asked = look.settings.left, look.settings.right
    left, right = (
        (view.truth or mask(look, "clearclip")) if name == TRUTH else mask(look, name)
        for name in asked
    )
    return left, right
