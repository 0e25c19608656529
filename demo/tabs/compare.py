"""Compare: every method on one picture as a table of the field, and two of its masks at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
import torch
from numpy.typing import ArrayLike

from demo import cost, variants, widgets, wording
from demo.answer import Answer
from demo.controls import QUIET, Controls, Tab, hint, slide_opacity, unplant
from demo.drawing import render
from demo.engine import Engine, Mask
from demo.request import Question
from demo.tabs import contents
from demo.variants import VARIANTS
from demo.widgets import values
from demo.widgets.values import Json, Side
from evaluation import metric
from gclip_core import palette
from gclip_core.errors import MethodError
from gclip_core.types import Method, MethodReport, class_shares

TRUTH = "truth"
"""The known mask, beside the names of variants."""
SMALL = 224
"""Pixels of a mask in the table, on its longer side."""


@dataclass(frozen=True, eq=False)
class Row:
    """A variant of the table: its mask and report, or why it is refused."""

    name: str
    method: Method
    mask: Mask | None = None
    report: MethodReport | None = None
    refused: str = ""


@dataclass(frozen=True, eq=False)
class CompareContent:
    """The rows of the table, the truth where it is known, and two masks to swipe between.

    ``caveats`` are sentences on methods that the built-in model suits or does not. ``pair`` are the
    names of the two masks in the settings, and every row is compared with the first of them;
    ``has_scores``: both are measured.
    """

    picture: Json
    rows: Sequence[Row]
    truth: Side | None
    unmeasured: str
    caveats: Sequence[str]
    pair: tuple[str, str]
    sides: Sequence[Side]
    has_scores: bool
    names: Sequence[str]
    simulated: str
    opacity: float
    pixel: tuple[int, int] | None


def build(engine: Engine, controls: Controls) -> Tab:
    """The table, and what it is compared with; under it two masks to swipe between.

    A press on a row opens its mask there.
    """
    hint(wording.COMPARE_NOTE)
    methods = variants.methods(VARIANTS, variants.ablations(controls.opening))
    choices = [(method.title, name) for name, method in methods.items()]
    choices.append((wording.TRUTH, TRUTH))
    with gr.Column(elem_classes=["cardbox"]):
        with gr.Row(elem_classes=["pairchoice"]):
            left = controls.make("left", choices=choices)
            controls.make("extras", container=False)
        table = widgets.methods(elem_id="methods")
    notes = widgets.lines("compare-notes", "What the table shows")
    with gr.Column(elem_classes=["cardbox"], elem_id="pair"):
        with gr.Row(elem_classes=["pairchoice"]):
            right = controls.make("right", choices=choices)
        pair = widgets.canvas(elem_id="pair-canvas")

    def choose(event: gr.SelectData, left: str, right: str) -> tuple[str, str]:
        name = event.index if event.index in (*VARIANTS, TRUTH) else right
        return (right if name == left else left), name

    slide_opacity(pair, controls)
    selected = table.select(choose, [left, right], [left, right], preprocess=False, **QUIET)
    changes = [widgets.on(table, "endSimulation")(**unplant(controls)), selected]
    return Tab({"table": table, "notes": notes, "pair": pair}, changes, masks=[pair])


def compute(engine: Engine, answer: Answer) -> CompareContent:
    """The mask of every method, all from one encoding; the truth; the two chosen masks.

    Masks are plain, so that their scores agree with those of the papers. Other large requests may
    have their turn between two methods.

    Raises:
        GclipError: so many methods would cost too much.
    """
    question, settings = answer.question, answer.question.settings
    names, scene = variants.names(settings.extras), question.scene
    cost.check(scene.windows, scene.patches, len(names))
    methods = variants.methods(VARIANTS, question.switched)
    clearclip = engine.segment(question, methods["clearclip"])
    truth = truth_of(question, clearclip)
    rows = [row_of(engine, question, name, methods[name]) for name in names]
    by_name = {row.name: row for row in rows}

    def side(name: str) -> Side:
        """The truth or a method's mask; in place of a missing one that of ClearCLIP."""
        if name == TRUTH:
            return truth or contents.side(engine, question, answer.grid, clearclip)
        row = by_name.get(name) or row_of(engine, question, name, methods[name])
        return contents.side(engine, question, answer.grid, row.mask or clearclip)

    pair = settings.left, settings.right
    answered = [row.method for row in rows if row.mask is not None]
    return CompareContent(
        picture=contents.picture(engine, answer),
        rows=rows,
        truth=truth,
        unmeasured=wording.untyped(answer.mask.untyped),
        caveats=wording.on_this_model(scene.clean.backbone.name, answered),
        pair=pair,
        sides=[side(name) for name in pair],
        has_scores=clearclip.miou is not None and TRUTH not in pair,
        names=clearclip.names,
        simulated=wording.simulated(scene.planted),
        opacity=settings.opacity,
        pixel=settings.pixel,
    )


def row_of(engine: Engine, question: Question, name: str, method: Method) -> Row:
    """A variant's mask, or why it cannot take this picture."""
    try:
        mask = engine.segment(question, method)
    except MethodError as error:
        return Row(name, method, refused=str(error))
    return Row(name, method, mask, mask.result.report)


def truth_of(question: Question, clearclip: Mask) -> Side | None:
    """The truth in the visitor's classes, -1 for the rest; None where none is known."""
    truth, typed = question.scene.picture.truth, question.words.classes
    if truth is None or not clearclip.iou:
        return None
    labels = metric.typed_truth(truth.labels, truth.names, typed)
    labels = np.where(labels < len(typed), labels, -1)
    return Side(wording.TRUTH, labels, class_shares(torch.from_numpy(labels), len(typed)))


def view(content: CompareContent) -> dict[str, Any]:
    """The table, the two masks, and notes."""
    masks = [row.mask for row in content.rows if row.mask is not None]
    notes = [
        wording.PLAIN,
        wording.dots([row.method for row in content.rows]),
        *content.caveats,
        empty_masks(masks),
        wording.absent(masks[0].absent),
        "" if content.truth else content.unmeasured or wording.TRUTH_EMPTY,
    ]
    return {
        "table": _table_view(content, masks),
        "notes": values.lines(notes=notes),
        "pair": _pair_view(content),
    }


def empty_masks(masks: Sequence[Mask]) -> str:
    """The sentence on those of the masks that find none of the words."""
    empty = [mask.title for mask in masks if not any(mask.class_shares)]
    return wording.found_nothing(empty, masks[0].names)


def best(scores: Mapping[str, float | None]) -> tuple[str, ...]:
    """The names with the highest score as it is written; none where all are alike or 0."""
    written = {name: round(score, 3) for name, score in scores.items() if score is not None}
    most = max(written.values(), default=0.0)
    if most <= 0 or len(written) > 1 and set(written.values()) == {most}:
        return ()
    return tuple(name for name, score in written.items() if score == most)


def _table_view(content: CompareContent, masks: Sequence[Mask]) -> Json:
    """A row a method: what it changes, its mask, what of it differs, its scores if known."""
    first, truth, base = masks[0], content.truth, content.sides[0]
    shape = render.fitting(first.labels.shape, SMALL)
    headers, columns = _scores(content.rows, first) if truth else ([], [])
    return {
        "kind": "methods",
        **content.picture,
        "colours": palette.of_names(first.names),
        "shape": shape,
        "headers": headers,
        "scores_title": wording.PLAIN_SCORES,
        "parts": wording.METHOD_PARTS,
        "base": {"name": content.pair[0], "title": base.title, "mask": _small(base.labels, shape)},
        "rows": [
            _row_view(order, row, columns, base, shape) for order, row in enumerate(content.rows)
        ],
        "truth": truth and _truth_view(truth, base, shape),
        "pair": list(content.pair),
        "simulated": content.simulated,
    }


def _scores(rows: Iterable[Row], first: Mask) -> tuple[list[str], list[Mapping[str, float | None]]]:
    """The headers and columns of scores by variant: mIoU, then the IoU of every class in truth."""
    masks = {row.name: row.mask for row in rows if row.mask is not None}
    scored = sorted(first.iou)
    headers = ["mIoU", *(first.names[index] for index in scored)]
    columns = [{name: mask.miou for name, mask in masks.items()}]
    columns += [{name: mask.iou[index] for name, mask in masks.items()} for index in scored]
    return headers, columns


def _truth_view(truth: Side, base: Side, shape: tuple[int, int]) -> Json:
    about = {"name": TRUTH, "title": wording.TRUTH}
    differs = differing(truth.labels, base.labels)
    return {**about, "differs": differs, "mask": _small(truth.labels, shape)}


def differing(labels: ArrayLike, other: ArrayLike) -> float:
    """The share of the pixels that have another class in another mask."""
    return float((np.asarray(labels) != np.asarray(other)).mean())


def _row_view(
    order: int,
    row: Row,
    columns: Sequence[Mapping[str, float | None]],
    base: Side,
    shape: tuple[int, int],
) -> Json:
    method = row.method
    about = {
        "name": row.name,
        "title": method.title,
        "order": order,
        "year": method.year,
        "citation": method.citation,
        "summary": method.summary,
        "marks": wording.method_marks(method),
    }
    if row.mask is None:
        return {**about, "refused": row.refused}
    if method.switchable:
        about["summary"] = f"{method.summary} {wording.amf_blocks(row.report)}".rstrip()
    scores = [
        {
            "value": column[row.name],
            "text": wording.points(column[row.name]),
            "best": row.name in best(column),
        }
        for column in columns
    ]
    return {
        **about,
        "scores": scores,
        "differs": differing(row.mask.labels, base.labels),
        "mask": _small(row.mask.labels, shape),
    }


def _small(labels: ArrayLike, shape: tuple[int, int]) -> str:
    return values.packed_labels(render.nearest(labels, shape))


def _pair_view(content: CompareContent) -> Json:
    """The two chosen masks, to swipe between; the table names a simulation."""
    score = wording.SCORE_COUNTS if content.has_scores else ""
    return values.canvas_value(
        content.picture,
        content.sides,
        content.names,
        opacity=content.opacity,
        pixel=content.pixel,
        notes=[score],
        mode="swipe",
    )
