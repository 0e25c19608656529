"""Compare: every method on one picture as a table of the field, and two of its masks at once."""

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
    """Masks by the name of their variant, in the order of VARIANTS.

    ``refused`` says why a method cannot take this picture; ``truth`` is in the visitor's classes,
    None if unknown.
    """

    masks: dict[str, Mask]
    refused: dict[str, str]
    truth: Mask | None


def build(studio: Studio, controls: Controls) -> Tab:
    """The table; under it two masks to swipe between. A press on a row opens its mask there."""
    gr.Markdown(wording.COMPARE_NOTE, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        table = widgets.methods(elem_id="methods")
        controls.make("extras", elem_id="extras", container=False)
    said = widgets.lines("compare-notes", wording.COMPARE_NOTES)
    choices = [*((v.title, v.name) for v in VARIANTS.values()), (wording.TRUTH, TRUTH)]
    with gr.Column(elem_classes=["cardbox"], elem_id="pair"):
        with gr.Row(elem_classes=["pairchoice"]):
            left = controls.make("left", choices=choices, elem_id="left")
            right = controls.make("right", choices=choices, elem_id="right")
        both = widgets.canvas(elem_id="pair-canvas")

    def show(look: Look) -> Answer:
        found = see(look, shown(look.settings.extras))
        masks = list(found.masks.values())
        notes = [
            *wording.on_this_model(look.bare.backbone.name, [one.method for one in masks]),
            common.found_nothing(masks),
            common.absent(masks[0]),
            "" if found.truth else common.unmeasured(look) or wording.TRUTH_EMPTY,
        ]
        return {
            table: _table(look, found),
            both: _both(look, *pair(look, found)),
            said: values.lines(notes=notes),
        }

    def choose(event: gr.SelectData, left: str, right: str) -> tuple[str, str]:
        name = event.index if event.index in (*VARIANTS, TRUTH) else right
        return (right if name == left else left), name

    def wire() -> list[Any]:
        slide_opacity(both, controls)
        chosen = table.select(choose, [left, right], [left, right], preprocess=False, **QUIET)
        return [table.clear(**common.switch_off(controls)), chosen]

    return Tab(outputs=[table, said, both], show=show, wire=wire, masks=[both])


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that are shown; ``extras``: also those that one asks for."""
    return tuple(v.name for v in VARIANTS.values() if extras or not v.asked_for)


def see(look: Look, names: Sequence[str]) -> Comparison:
    """The masks of several variants, all from one encoding."""
    masks, refused = {}, {}
    for name in names:
        try:
            masks[name] = mask(look, name)
        except MethodError as error:
            refused[name] = str(error)
    return Comparison(masks, refused, known(look))


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
    """The two masks that the settings name; ClearCLIP in place of one that is not to be had."""

    def one(name: str) -> Mask:
        if name == TRUTH and found.truth:
            return found.truth
        try:
            return mask(look, "clearclip" if name == TRUTH else name)
        except MethodError:
            return mask(look, "clearclip")

    return one(look.settings.left), one(look.settings.right)


def _table(look: Look, found: Comparison) -> Json:
    """A row a method: what it changes, its mask, its scores where truth is known, its time."""
    masks, settings = found.masks, look.settings
    first = next(iter(masks.values()))
    scored = sorted(first.iou)
    scores = [{name: one.miou for name, one in masks.items()}]
    scores += [{name: one.iou[c] for name, one in masks.items()} for c in scored]
    columns = [(column, best(column)) for column in scores] if found.truth else []
    size = render.fitting(first.labels.shape, SMALL)

    def small(one: Mask) -> str:
        return cards.packed_labels(render.nearest(one.labels, size))

    def shown(name: str) -> Json:
        one = masks[name]
        texts = [(column[name], name in winners) for column, winners in columns]
        return {
            "scores": [
                {"value": value, "text": wording.points(value), "best": is_best}
                for value, is_best in texts
            ],
            "milliseconds": 1000 * look.seconds(one.method),
            "mask": small(one),
        }

    rows = []
    for order, name in enumerate(one for one in VARIANTS if one in {*masks, *found.refused}):
        method = VARIANTS[name].method(settings)
        row = {
            "name": name,
            "title": method.title,
            "order": order,
            "year": method.year,
            "citation": method.citation,
            "summary": method.summary,
            "marks": wording.method_marks(method),
        }
        rows.append(row | (shown(name) if name in masks else {"refused": found.refused[name]}))
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
    """The two chosen masks, to swipe between; the table names a simulation."""
    counted = left.miou is not None and right.miou is not None
    halves = [common.half(look, one, looks=one.title != wording.TRUTH) for one in (left, right)]
    notes = [wording.pointing(swipes=True), wording.SCORE_COUNTS if counted else ""]
    return common.canvas(look, halves, left.names, notes=notes, mode="swipe", simulated="")
