"""Compare: every method on one picture as a table of the field, and two of its masks at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import gradio as gr
import numpy as np
import torch

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, in_browser, slide_opacity
from demo.drawing import render
from demo.look import Look, Mask, Studio
from demo.tabs import common
from demo.variants import VARIANTS, shown, variant
from demo.widgets import values
from demo.widgets.values import Json
from evaluation import metric
from gclip_core import palette
from gclip_core.errors import MethodError
from gclip_core.methods import METHODS
from gclip_core.types import class_shares

TRUTH = "truth"
"""The known mask, beside the names of variants."""
SMALL = 224
"""Pixels of a mask in the table, on its longer side."""


def build(studio: Studio, controls: Controls) -> Tab:
    """The table; under it two masks to swipe between. A press on a row opens its mask there."""
    gr.Markdown(wording.COMPARE_NOTE, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        table = widgets.methods(elem_id="methods")
        controls.make("extras", container=False)
    said = widgets.lines("compare-notes", "What the table shows")
    choices = [(variant(controls.opening, name).title, name) for name in VARIANTS]
    choices.append((wording.TRUTH, TRUTH))
    with gr.Column(elem_classes=["cardbox"], elem_id="pair"):
        with gr.Row(elem_classes=["pairchoice"]):
            left = controls.make("left", choices=choices)
            right = controls.make("right", choices=choices)
        both = widgets.canvas(elem_id="pair-canvas")

    def show(look: Look) -> Answer:
        found, truth = see(look, shown(look.settings.extras)), known(look)
        masks = [one for one in found.values() if isinstance(one, Mask)]
        notes = [
            wording.DOTS,
            *wording.on_this_model(look.bare.backbone.name, [one.method for one in masks]),
            common.found_nothing(masks),
            common.absent(masks[0]),
            "" if truth else common.unmeasured(look) or wording.TRUTH_EMPTY,
        ]
        return {
            table: _table(look, found, truth),
            both: _both(look, *pair(look, truth)),
            said: values.lines(notes=notes),
        }

    def choose(event: gr.SelectData, left: str, right: str) -> tuple[str, str]:
        name = event.index if event.index in (*VARIANTS, TRUTH) else right
        return (right if name == left else left), name

    slide_opacity(both, controls)
    chosen = table.select(choose, [left, right], [left, right], preprocess=False, **QUIET)
    changes = [table.clear(**in_browser("() => false", outputs=controls["plant"])), chosen]
    return Tab(outputs=[table, said, both], show=show, changes=changes, masks=[both])


def see(look: Look, names: Sequence[str]) -> dict[str, Mask | str]:
    """The mask under each variant, all from one encoding, or why it cannot take this picture."""
    found: dict[str, Mask | str] = {}
    for name in names:
        try:
            found[name] = look.mask(variant(look.settings, name))
        except MethodError as error:
            found[name] = str(error)
    return found


def known(look: Look) -> Mask | None:
    """The truth as a mask in the visitor's classes, -1 for the rest; None where none is known."""
    plain = look.mask(METHODS["clearclip"])
    if look.truth is None or not plain.iou:
        return None
    words = look.segment(plain.method).vocabulary
    typed = metric.typed_truth(look.truth.labels, look.truth.names, words)
    labels = np.where(typed < len(words), typed, -1)
    shares = class_shares(torch.from_numpy(labels), len(plain.names))
    return replace(plain, title=wording.TRUTH, labels=labels, shares=shares, iou={}, miou=None)


def best(scores: Mapping[str, float | None]) -> tuple[str, ...]:
    """The names with the highest score as it is written; none where all are alike or 0."""
    written = {name: round(score, 3) for name, score in scores.items() if score is not None}
    most = max(written.values(), default=0.0)
    if most <= 0 or len(written) > 1 and set(written.values()) == {most}:
        return ()
    return tuple(name for name, score in written.items() if score == most)


def pair(look: Look, truth: Mask | None) -> tuple[Mask, Mask]:
    """The two masks that the settings name; ClearCLIP in place of one that is not to be had."""

    def one(name: str) -> Mask:
        mask = truth if name == TRUTH else see(look, [name])[name]
        return mask if isinstance(mask, Mask) else look.mask(METHODS["clearclip"])

    return one(look.settings.left), one(look.settings.right)


def _table(look: Look, found: dict[str, Mask | str], truth: Mask | None) -> Json:
    """A row a method: what it changes, its mask, its scores where truth is known, its time."""
    masks = {name: one for name, one in found.items() if isinstance(one, Mask)}
    first = next(iter(masks.values()))
    size = render.fitting(first.labels.shape, SMALL)
    scored = sorted(first.iou) if truth else []
    scores = [{name: one.miou for name, one in masks.items()}] if truth else []
    scores += [{name: one.iou[index] for name, one in masks.items()} for index in scored]
    columns = [(column, best(column)) for column in scores]

    def small(one: Mask) -> str:
        return values.packed_labels(render.nearest(one.labels, size))

    def row(order: int, name: str) -> Json:
        method, one = variant(look.settings, name), found[name]
        about = {
            "name": name,
            "title": method.title,
            "order": order,
            "year": method.year,
            "citation": method.citation,
            "summary": method.summary,
            "marks": wording.method_marks(method),
        }
        if isinstance(one, str):
            return {**about, "refused": one}
        if method.switchable:
            about["summary"] += f" {wording.amf_blocks(look.segment(method).report)}"
        cells = [
            {"value": column[name], "text": wording.points(column[name]), "best": name in top}
            for column, top in columns
        ]
        milliseconds = 1000 * look.seconds(method)
        return {**about, "scores": cells, "milliseconds": milliseconds, "mask": small(one)}

    return {
        "kind": "methods",
        **common.picture(look),
        "colours": palette.of_names(first.names),
        "shape": size,
        "headers": ["mIoU", *(first.names[index] for index in scored)] if truth else [],
        "parts": wording.METHOD_PARTS,
        "rows": [row(order, name) for order, name in enumerate(found)],
        "truth": truth and {"name": TRUTH, "title": wording.TRUTH, "mask": small(truth)},
        "pair": [look.settings.left, look.settings.right],
        "opacity": look.settings.opacity,
        "simulated": common.simulated(look),
    }


def _both(look: Look, left: Mask, right: Mask) -> Json:
    """The two chosen masks, to swipe between; the table names a simulation."""
    counted = left.miou is not None and right.miou is not None
    notes = [wording.pointing(swipes=True), wording.SCORE_COUNTS if counted else ""]
    return common.canvas(look, [left, right], notes=notes, mode="swipe", simulated="")
