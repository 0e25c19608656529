"""Compare: every method on one picture as a table of the field, and two of its masks at once."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import torch

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, slide_opacity
from demo.drawing import render
from demo.look import Look, Mask, Studio
from demo.source import truth_labels
from demo.tabs import common
from demo.variants import VARIANTS
from demo.widgets import cards, values
from demo.widgets.values import Json
from gclip_core import palette
from gclip_core.errors import MethodError
from gclip_core.types import class_shares

TRUTH = "truth"
"""The known mask, beside the names of variants."""
SMALL = 224
"""Pixels of a mask in the table, on its longer side."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Masks by the name of their variant, in the order of VARIANTS; ``truth`` in the visitor's
    classes, None if unknown."""

    masks: dict[str, Mask]
    truth: Mask | None


def build(studio: Studio, controls: Controls) -> Tab:
    """The table; under it two masks to swipe between. A press on a row opens its mask there."""
    gr.Markdown(wording.COMPARE_NOTE, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        table = widgets.methods(elem_id="methods", empty=wording.METHODS_EMPTY)
        controls.make("extras", elem_id="extras", container=False)
    notes = widgets.lines("compare-notes", wording.COMPARE_NOTES)
    choices = [*((v.title, v.name) for v in VARIANTS.values()), (wording.TRUTH, TRUTH)]
    with gr.Column(elem_classes=["cardbox"], elem_id="pair"):
        with gr.Row(elem_classes=["pairchoice"]):
            left = controls.make("left", choices=choices, elem_id="left")
            right = controls.make("right", choices=choices, elem_id="right")
        both = widgets.canvas(elem_id="pair-canvas", empty=wording.PAIR_EMPTY)

    def show(look: Look) -> Answer:
        found = see(look, shown(look.settings.extras))
        masks = list(found.masks.values())
        return {
            table: _table(look, found),
            both: _both(look, *pair(look, found)),
            notes: values.lines(
                notes=[
                    _best(found),
                    common.found_nothing(masks),
                    common.absent(masks[0]),
                    "" if found.truth else wording.TRUTH_EMPTY,
                ]
            ),
        }

    def choose(event: gr.SelectData, left: str, right: str) -> tuple[str, str]:
        name = event.index if event.index in (*VARIANTS, TRUTH) else right
        return (right if name == left else left), name

    def wire() -> list[Any]:
        slide_opacity(both, controls)
        chosen = table.select(choose, [left, right], [left, right], preprocess=False, **QUIET)
        return [both.clear(**common.switch_off(controls)), chosen]

    return Tab(outputs=[table, notes, both], show=show, wire=wire, masks=[both])


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that are shown; ``extras``: also those that one asks for."""
    return tuple(v.name for v in VARIANTS.values() if extras or not v.asked_for)


def see(look: Look, names: Sequence[str]) -> Comparison:
    """The masks of several variants, all from one encoding; of those that take this picture."""
    masks = {}
    for name in names:
        with contextlib.suppress(MethodError):  # SC-CLIP and SFP need 31 patches
            masks[name] = mask(look, name)
    return Comparison(masks, known(look))


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
    return replace(plain, title=wording.TRUTH, labels=labels, shares=shares, iou={}, miou=None)


def best(scores: Mapping[str, float | None]) -> tuple[str, ...]:
    """The names with the highest score as it is written; none where all are alike or 0."""
    written = {name: round(score, 3) for name, score in scores.items() if score is not None}
    most = max(written.values(), default=0.0)
    if most <= 0 or len(written) > 1 and set(written.values()) == {most}:
        return ()
    return tuple(name for name, score in written.items() if score == most)


def pair(look: Look, found: Comparison) -> tuple[Mask, Mask]:
    """The two masks that the settings name; ClearCLIP in place of a truth that is unknown."""
    left, right = (
        (found.truth or mask(look, "clearclip")) if name == TRUTH else mask(look, name)
        for name in (look.settings.left, look.settings.right)
    )
    return left, right


def _table(look: Look, found: Comparison) -> Json:
    """A row a method: what it changes, its mask, its scores where truth is known, its time."""
    masks, settings = found.masks, look.settings
    first = next(iter(masks.values()))
    scored = sorted(first.iou)
    scores = [{name: one.miou for name, one in masks.items()}]
    scores += [{name: one.iou[c] for name, one in masks.items()} for c in scored]
    bests = [best(column) for column in scores]
    size = render.fitting(first.labels.shape, SMALL)

    def small(one: Mask) -> str:
        return cards.packed_labels(render.nearest(one.labels, size))

    rows = [
        {
            "name": name,
            "title": one.title,
            "order": order,
            "year": one.method.year,
            "citation": one.method.citation,
            "summary": one.method.summary,
            "marks": wording.method_marks(one.method),
            "scores": [
                {
                    "value": column[name],
                    "text": wording.points(column[name]),
                    "best": name in winners,
                }
                for column, winners in zip(scores, bests, strict=True)
            ]
            if found.truth
            else [],
            "milliseconds": 1000 * look.seconds(one.method),
            "mask": small(one),
        }
        for order, (name, one) in enumerate(masks.items())
    ]
    truth = found.truth and {"name": TRUTH, "title": wording.TRUTH, "mask": small(found.truth)}
    return {
        "kind": "methods",
        **common.picture(look).value(),
        "colours": palette.of_names(first.names),
        "shape": list(size),
        "headers": ["mIoU", *(first.names[c] for c in scored)] if found.truth else [],
        "parts": wording.METHOD_PARTS,
        "rows": rows,
        "truth": truth,
        "pair": [settings.left, settings.right],
        "opacity": settings.opacity,
        "simulated": common.simulated(look),
    }


def _both(look: Look, left: Mask, right: Mask) -> Json:
    known = left.miou is not None and right.miou is not None
    halves = [common.half(look, one, looks=one.title != wording.TRUTH) for one in (left, right)]
    notes = [wording.pointing(swipes=True), wording.SCORE_COUNTS if known else ""]
    return common.canvas(look, halves, left.names, notes=notes, mode="swipe")


def _best(found: Comparison) -> str:
    """Which variants are the best, and the class by which they lead most."""
    winners = best({name: one.miou for name, one in found.masks.items()})
    rest = [one for name, one in found.masks.items() if name not in winners]
    if not winners or not rest:
        return ""
    first, second = found.masks[winners[0]], max(rest, key=lambda one: one.miou or 0.0)
    most = max(first.iou, key=lambda c: first.iou[c] - second.iou[c])
    return wording.best(
        [found.masks[name].title for name in winners], first.miou or 0.0,
        second.title, second.miou or 0.0,
        first.names[most], first.iou[most], second.iou[most],
    )  # fmt: skip
