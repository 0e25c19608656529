"""Side by side: one row of three cards, each without and with what the switches choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo import variants, widgets, wording
from demo.answer import Answer
from demo.controls import (
    QUIET,
    Controls,
    Tab,
    block_chosen,
    in_browser,
    simulate,
    slide_opacity,
    unplant,
)
from demo.engine import Engine, Mask
from demo.host.blob_store import LazyBlob
from demo.measured import measured
from demo.request import Question
from demo.tabs import change, contents, machine
from demo.variants import Compared, Switches
from demo.widgets import values
from demo.widgets.values import Json, Norms, Side
from gclip_core import amf
from gclip_core.refine import REFINEMENTS
from gclip_core.registry import BUILT_IN
from gclip_core.types import Method, MethodReport, Overtaken, Plant


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks that are compared, and what the sentences under them are made from.

    ``cutouts`` are of the mask after, by class. ``change`` is the largest region that changed,
    where no truth is known; ``gain`` are photos and AMF's mIoU on them, before and after;
    ``repair`` is mIoU by switches (AMF, CS) under a simulation. ``plain`` is mIoU before and after
    with plain edges, None where there is no verdict, and where edges are plain.
    """

    sides: Sequence[Side]
    cutouts: Mapping[int, LazyBlob]
    before: Mask
    after: Mask
    compared: Compared
    is_same: bool
    change: change.Change | None
    gain: tuple[int, float, float] | None
    repair: Mapping[Switches, float]
    is_guessed: bool
    overtaken: Sequence[Overtaken]
    background: bool
    plain: tuple[float, float] | None
    planted: Sequence[Plant]
    opacity: float
    pixel: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Attention:
    """What each patch receives in the blocks of AMF, and the last block's matrices.

    ``received`` (blocks, N), 1 = uniform, and ``tokens``, from ``threshold`` on, are of
    ``blocks``; ``before`` and ``after`` are matrices, equal ones are given once.
    """

    method: Method
    report: MethodReport
    compared: Compared
    blocks: Sequence[int]
    received: NDArray[np.float32]
    threshold: float
    tokens: Sequence[Sequence[int]]
    before: LazyBlob
    after: LazyBlob | None


@dataclass(frozen=True, eq=False)
class SideContent:
    """The canvas, the attention card, the norms card, and the machine if it is open.

    ``gclip`` is the report of GCLIP with both switches on.
    """

    picture: Json
    masks: Masks
    attention: Attention
    gclip: MethodReport
    norms: Norms
    machine: machine.MachineContent | None


def build(engine: Engine, controls: Controls) -> Tab:
    """The canvas, the attention card and the norms card; above them the button of the machine."""
    opened = machine.build(controls)
    with gr.Row(elem_classes=["sidebyside"], elem_id="side"):
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            canvas = widgets.canvas(elem_id="side-canvas")
            controls.make("refine", choices=refinements())
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            maps = widgets.maps(elem_id="side-attention", after="side-canvas")
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            norms = widgets.norms(elem_id="side-norms", after="side-canvas")

    slide_opacity(canvas, controls)
    changes = [
        widgets.on(canvas, "endSimulation")(**unplant(controls)),
        widgets.on(canvas, "backgroundOff")(
            **in_browser("() => 'off'", outputs=controls["background"])
        ),
        widgets.on(norms, "simulate")(**simulate(controls)),
        norms.select(block_chosen, None, controls["view_block"], **QUIET),
        *opened.changes,
    ]
    parts = {"canvas": canvas, "attention": maps, "norms": norms, **opened.parts}
    return Tab(parts, changes, masks=[canvas])


def refinements() -> list[tuple[str, str]]:
    """The title and the name of each way in which edges follow the photo."""
    return [(entry.title, entry.name) for entry in REFINEMENTS.values()]


def compute(engine: Engine, answer: Answer) -> SideContent:
    """The masks of both sides, what patches receive, and where they look."""
    question, suppressed = answer.question, answer.report.suppressed
    scene, opened = question.scene, question.settings.machine
    compared = variants.compared(question.chosen, question.switched, suppressed, scene.planted)
    with engine.turn(scene):
        return SideContent(
            picture=contents.picture(engine, answer),
            masks=_masks(engine, answer, compared),
            attention=_attention(engine, answer, compared),
            gclip=answer.gclip,
            norms=contents.norms(answer),
            machine=machine.compute(engine, answer) if opened else None,
        )


def view(content: SideContent) -> dict[str, Any]:
    """What the three cards show."""
    cards = {
        "canvas": _canvas_view(content.picture, content.masks),
        "attention": _attention_view(content.picture, content.attention),
        "norms": _norms_view(content.gclip, content.norms),
    }
    if content.machine is not None:
        cards["machine"] = machine.view(content.machine)
    return cards


def _masks(engine: Engine, answer: Answer, compared: Compared) -> Masks:
    question, settings, after = answer.question, answer.question.settings, answer.mask
    is_guessed = False
    if settings.source == "upload":
        is_guessed = settings.words == ", ".join(question.suggested)
    before = engine.refined(question, compared.before)
    is_same = bool((after.labels == before.labels).all())
    titled = list(zip((before, after), compared.titles, strict=True))
    if not compared.subject:
        titled = titled[:1]  # its blobs have the names that they had as the mask before
    elif is_same:
        titled = titled[1:]
    largest = None
    if not is_same and after.miou is None:
        largest = change.compute(engine, answer, before, after)
    return Masks(
        sides=[contents.side(engine, question, answer.grid, *pair) for pair in titled],
        cutouts=contents.cutouts(engine, question, after),
        before=before,
        after=after,
        compared=compared,
        is_same=is_same,
        change=largest,
        gain=_gain(question) if largest and compared.subject == "AMF" else None,
        repair=repair(engine, question) if settings.plant else {},
        is_guessed=is_guessed,
        overtaken=after.overtaken,
        background=bool(question.words.hidden),
        plain=None if is_same or largest else _plain_scores(engine, question, compared),
        planted=question.scene.planted,
        opacity=settings.opacity,
        pixel=settings.pixel,
    )


def _plain_scores(
    engine: Engine, question: Question, compared: Compared
) -> tuple[float, float] | None:
    """mIoU before and after with plain edges, as in the papers; None where edges are plain."""
    if question.settings.refine == "none":
        return None
    before, after = (engine.segment(question, used) for used in (compared.before, question.chosen))
    return None if before.miou is None or after.miou is None else (before.miou, after.miou)


def repair(engine: Engine, question: Question) -> dict[Switches, float]:
    """mIoU, 0 to 1, of a planted fault under each of the switches (AMF, CS).

    Empty without a fault, without truth, or for a method without these switches.
    """
    if not question.scene.planted or not question.chosen.switchable:
        return {}
    masks = {on: engine.refined(question, method) for on, method in question.switched.items()}
    return {on: mask.miou for on, mask in masks.items() if mask.miou is not None}


def _gain(question: Question) -> tuple[int, float, float] | None:
    """Photos, and mIoU in percent without and with AMF; None where that was not measured."""
    if question.scene.clean.backbone.name != BUILT_IN:
        return None
    return measured().photos, measured().miou["clearclip"], measured().miou["AMF"]


def _canvas_view(picture: Json, masks: Masks) -> Json:
    before, after, method = masks.before, masks.after, masks.after.method
    subject, first, gain, bars = masks.compared.subject, "", "", _repair_view(masks)
    if masks.change is not None:
        first = change.sentence(masks.change, subject)
        gain = wording.gain_of_amf(*masks.gain) if masks.gain else ""
    elif before.miou is not None and after.miou is not None and not masks.is_same:
        scores = before.miou, after.miou
        first = wording.compared(subject, scores, masks.after.result.refined, masks.plain or scores)
    notes = [
        first,
        gain,
        wording.GUESSED if masks.is_guessed else "",
        *notes_on(after, masks.overtaken),
        wording.nothing_changed(method, subject) if masks.is_same else "",
        _score_note(masks),
    ]
    return values.canvas_value(
        picture,
        masks.sides,
        after.names,
        opacity=masks.opacity,
        pixel=masks.pixel,
        notes=notes,
        background=masks.background,
        simulated=wording.simulated(masks.planted),
        bars=bars,
        region=masks.change.box if masks.change else None,
        cutouts=masks.cutouts,
    )


def notes_on(mask: Mask, overtaken: Sequence[Overtaken]) -> list[str]:
    """The sentences on a mask: words that it finds nowhere, hardly, or that the truth has not."""
    is_empty = not any(mask.class_shares)
    return [
        wording.found_nothing([mask.title] if is_empty else [], mask.names),
        wording.missed(mask.missed),
        wording.overtaken([word for word in overtaken if word.name not in mask.missed]),
        wording.absent(mask.absent),
    ]


def _score_note(masks: Masks) -> str:
    """What mIoU counts, and of which mask; without a truth, why there is none."""
    if masks.after.miou is None:
        return wording.untyped(masks.after.untyped)
    if masks.after.result.refined == "none":
        return wording.SCORE_COUNTS
    return f"{wording.SCORE_COUNTS} {wording.REFINED}"


def _repair_view(masks: Masks) -> values.SwitchBars | None:
    """mIoU under each of the switches; those that are on are marked. None without any."""
    method = masks.after.method
    on = method.fusion is not None, method.suppression is not None
    bars = [
        values.SwitchBar(
            name=wording.SWITCHES_ON[switches],
            score=masks.repair[switches],
            text=wording.percent(masks.repair[switches]),
            now=switches == on,
        )
        for switches in wording.SWITCHES_ON
        if switches in masks.repair
    ]
    if not bars:
        return None
    edges = wording.edges(masks.after.result.refined)
    return values.SwitchBars(f"mIoU with the fault, {edges}", bars)


def _attention(engine: Engine, answer: Answer, compared: Compared) -> Attention:
    question, scene, method = answer.question, answer.question.scene, answer.question.chosen
    blocks, trunk = answer.gclip.fusion.blocks, engine.trunk(scene, method)
    received = scene.segmenter.received(trunk, blocks, clean=False)
    threshold = question.settings.global_threshold
    is_alike = method.switchable and not compared.subject
    return Attention(
        method=method,
        report=answer.report,
        compared=compared,
        blocks=blocks,
        threshold=threshold,
        received=received.numpy(),
        tokens=[amf.global_tokens(row, threshold) for row in received],
        before=contents.matrix(engine, question, compared.before),
        after=None if is_alike else contents.matrix(engine, question, method),
    )


def _attention_view(picture: Json, attention: Attention) -> Json:
    method, n_blocks = attention.method, attention.report.n_blocks
    thumbs = [
        (f"Block {block + 1} of {n_blocks}", row, tokens)
        for block, row, tokens in zip(
            attention.blocks, attention.received, attention.tokens, strict=True
        )
    ]
    last = f"Block {n_blocks}"
    sides = [(last, attention.before)]
    if attention.after is not None:
        matrices = attention.before, attention.after
        titles = [f"{last}, {wording.within(title)}" for title in attention.compared.titles]
        sides = list(zip(titles, matrices, strict=True))
    note = wording.attention_note(attention.report, method, attention.blocks)
    why = wording.amf_blocks(attention.report)
    return values.maps_value(
        picture,
        thumbs,
        sides,
        threshold=attention.threshold,
        title="Attention",
        note=note,
        why=why,
    )


def _norms_view(report: MethodReport, norms: Norms) -> Json:
    note = wording.norms_note(report, norms.cs, norms.block)
    curve = values.entropy_curve(report.entropy, report.entropy_after)
    return values.norms_value(norms, [curve], note)
