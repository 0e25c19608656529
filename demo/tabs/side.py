"""Side by side: one row of three cards, each without and with what the switches choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo import opening, widgets, wording
from demo.answer import Answer, Mask, Question, mask
from demo.controls import QUIET, Controls, Tab, block_chosen, in_browser, slide_opacity
from demo.engine import Engine
from demo.host.blob_store import Later
from demo.tabs import common, machine, machine_numbers
from demo.widgets import values
from demo.widgets.values import Json, Side
from gclip_core import amf
from gclip_core.refine import REFINEMENTS
from gclip_core.types import Method, MethodReport, Overtaken


@dataclass(frozen=True, eq=False)
class Masks:
    """ClearCLIP's mask and the chosen method's, and what the canvas says of them.

    Where CS repairs a simulation, the mask before differs by CS alone. ``switched_on`` are the
    names of the switches that change something; ``change`` is what most changed pixels were and
    are, where no truth is known. ``refined`` names how the edges follow the photo, "none" if plain.
    """

    sides: Sequence[Side]
    before: Mask
    after: Mask
    method: Method
    report: MethodReport
    is_same: bool
    switched_on: Sequence[str]
    change: str
    remark: str
    guessed: bool
    unmeasured: str
    overtaken: Sequence[Overtaken]
    background: bool
    refined: str
    simulated: str
    opacity: float
    pixel: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Attention:
    """What each patch receives in the blocks of AMF, and the last block's matrices.

    ``received`` (blocks, N), 1 = uniform, and ``tokens`` are of ``blocks``; ``before`` and
    ``after`` are matrices, equal ones are given once.
    """

    method: Method
    report: MethodReport
    blocks: Sequence[int]
    received: NDArray[np.float32]
    tokens: Sequence[Sequence[int]]
    before: Later
    after: Later | None
    is_alike: bool


@dataclass(frozen=True, eq=False)
class Value:
    """The canvas, the attention card, the norms card, and the machine if it is open."""

    picture: Json
    masks: Masks
    attention: Attention
    norms: common.Norms
    machine: machine_numbers.Value | None


def build(engine: Engine, controls: Controls) -> Tab:
    """The canvas, the attention card and the norms card; above them the button of the machine."""
    opened = machine.build(controls)
    with gr.Row(elem_classes=["sidebyside"], elem_id="side"):
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            canvas = widgets.canvas(elem_id="side-canvas")
            controls.make("refine", choices=refinements())
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            maps = widgets.maps(elem_id="side-attention")
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            norms = widgets.norms(elem_id="side-norms")

    slide_opacity(canvas, controls)
    changes = [
        canvas.clear(**in_browser("() => false", outputs=controls["plant"])),
        canvas.submit(**in_browser("() => 'off'", outputs=controls["background"])),
        norms.submit(**in_browser("() => true", outputs=controls["plant"])),
        norms.select(block_chosen, None, controls["view_block"], **QUIET),
        *opened.changes,
    ]
    parts = {"canvas": canvas, "attention": maps, "norms": norms, **opened.parts}
    return Tab(parts, changes, masks=[canvas])


def refinements() -> list[tuple[str, str]]:
    """The title and the name of each way in which edges follow the photo."""
    return [(entry.title, entry.name) for entry in REFINEMENTS.values()]


def compute(engine: Engine, answer: Answer) -> Value:
    """The masks of both sides, what patches receive, and where they look."""
    opened = answer.question.settings.machine
    return Value(
        picture=common.picture(engine, answer),
        masks=_masks(engine, answer),
        attention=_attention(engine, answer),
        norms=common.norms(answer),
        machine=machine_numbers.compute(engine, answer) if opened else None,
    )


def view(value: Value) -> dict[str, Any]:
    """What the three cards show."""
    shown = {
        "canvas": _canvas_view(value.picture, value.masks),
        "attention": _attention_view(value.picture, value.attention),
        "norms": _norms_view(value.norms),
    }
    if value.machine is not None:
        shown["machine"] = machine.view(value.machine)
    return shown


def _masks(engine: Engine, answer: Answer) -> Masks:
    question, after, method = answer.question, answer.mask, answer.question.chosen
    settings = question.settings
    suppressed = bool(answer.report.suppressed)
    is_repaired = bool(question.scene.segmenter.backbone.planted) and suppressed
    with_amf = is_repaired and method.fusion is not None
    before = mask(engine, question, question.switched[with_amf, False])
    is_same = bool((after.labels == before.labels).all())
    switched_on = []
    if method.fusion is not None and not with_amf:
        switched_on.append("AMF")
    if suppressed:
        switched_on.append("CS")
    masks = [before, after]
    if method.switchable and not switched_on:
        masks = [before]
    elif is_same:
        masks = [after]
    return Masks(
        sides=common.sides(engine, question, masks),
        before=before,
        after=after,
        method=method,
        report=answer.report,
        is_same=is_same,
        switched_on=switched_on,
        change="" if is_same or after.miou is not None else main_change(before, after),
        remark=opening.remark(engine, question) if settings.plant else "",
        guessed=_is_guessed(engine, question),
        unmeasured=common.unmeasured(answer),
        overtaken=answer.overtaken,
        background=bool(question.words.hidden),
        refined=answer.refined,
        simulated=common.simulated(question),
        opacity=settings.opacity,
        pixel=settings.pixel,
    )


def _is_guessed(engine: Engine, question: Question) -> bool:
    """Whether the words of a visitor's own photo are those that the model suggested."""
    if question.settings.source != "upload":
        return False
    return question.settings.words == ", ".join(engine.suggested(question.scene))


def main_change(before: Mask, after: Mask) -> str:
    """What most of the pixels that differ are before and after: "wall to person"."""
    names, differ = (*after.names, "background"), before.labels != after.labels
    old, new = (mask.labels[differ].astype(int) % len(names) for mask in (before, after))
    most = int(np.bincount(len(names) * old + new).argmax())
    return f"{names[most // len(names)]} to {names[most % len(names)]}"


def _canvas_view(picture: Json, masks: Masks) -> Json:
    before, after, method = masks.before, masks.after, masks.method
    title = method.title
    if method.switchable and len(masks.switched_on) == 1:
        title = masks.switched_on[0]
    compared = wording.compared(title, before.miou, after.miou, masks.change)
    if masks.is_same:
        compared = ""
    missed = common.missed(after)
    notes = [
        masks.remark or compared,
        wording.GUESSED if masks.guessed else "",
        wording.pointing(swipes=not masks.is_same),
        common.empty_masks([after]),
        wording.missed(missed),
        wording.overtaken([word for word in masks.overtaken if word.name not in missed]),
        common.absent(after),
        wording.nothing_changed(method, masks.report) if masks.is_same else "",
        wording.SCORE_COUNTS if after.miou is not None else masks.unmeasured,
        wording.REFINED if after.miou is not None and masks.refined != "none" else "",
    ]
    return values.canvas_value(
        picture,
        masks.sides,
        after.names,
        opacity=masks.opacity,
        pixel=masks.pixel,
        notes=notes,
        background=masks.background,
        simulated=masks.simulated,
    )


def _attention(engine: Engine, answer: Answer) -> Attention:
    question, scene, method = answer.question, answer.question.scene, answer.question.chosen
    plain, blocks = question.switched[False, False], answer.gclip.fusion.blocks
    trunk = engine.trunk(scene, method)
    received = scene.segmenter.received(trunk, blocks, clean=False)
    threshold = question.settings.global_threshold
    changes = answer.report.fusion.blocks or answer.report.suppressed
    is_alike = method.attention == plain.attention and not changes
    differs = method != plain and not is_alike
    return Attention(
        method=method,
        report=answer.report,
        blocks=blocks,
        received=received.numpy(),
        tokens=[amf.global_tokens(row, threshold) for row in received],
        before=common.matrix(engine, question, plain),
        after=common.matrix(engine, question, method) if differs else None,
        is_alike=is_alike,
    )


def _attention_view(picture: Json, attention: Attention) -> Json:
    method, n_blocks = attention.method, len(attention.report.channels)
    thumbs = [
        (f"Block {block + 1} of {n_blocks}", row, tokens)
        for block, row, tokens in zip(
            attention.blocks, attention.received, attention.tokens, strict=True
        )
    ]
    before = wording.last_title(n_blocks, "without", method)
    if attention.is_alike:  # equal matrices are drawn once
        before = f"Block {n_blocks}"
        if method.suppression is not None:
            before += ", with and without CS alike"
    sides = [(before, attention.before)]
    if attention.after is not None:
        sides.append((wording.last_title(n_blocks, "with", method), attention.after))
    note = wording.attention_note(attention.report, method, attention.blocks)
    return values.maps_value(picture, thumbs, sides, title="Attention", note=note)


def _norms_view(norms: common.Norms) -> Json:
    report = norms.report
    curves = [values.entropy_curve(report.entropy, report.entropy_after)]
    return common.norms_view(norms, wording.norms_note(report, norms.cs, norms.block), curves)
