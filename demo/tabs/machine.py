"""The machine as a part of tabs: its value out of a look, and what pressing it sets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.events import Dependency
from numpy.typing import NDArray

from demo import widgets, wording
from demo.controls import QUIET, RAW, Answer, Controls, Tab, in_words
from demo.learn import lesson
from demo.look import Look, Studio
from demo.settings import Settings
from demo.tabs import common
from demo.widgets.diagram import machine_value
from demo.widgets.held import largest
from demo.widgets.values import Json
from gclip_core import masks
from gclip_core.types import Found, FusionReason, Segmentation

SWITCHES = ("method", "amf", "cs", "plant")
"""What a switch on the machine flips, in its order; AMF and CS are GCLIP's."""
SET = ("method", "amf", "cs", "plant", "view_block", "step", "told")
"""The settings that a press on the machine may change."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tile:
    """One block: attention ``received`` (N,), 1 = uniform, on the trunk that runs.

    ``tokens`` are its global tokens, ``score`` the largest of ``received``, ``agreement`` theirs
    with the class token (nan without one); ``ratio`` and ``after`` the largest channel's norm over
    the median before and after CS.
    """

    received: Floats
    tokens: Sequence[int]
    score: float
    agreement: float
    channel: int
    ratio: float
    after: float


@dataclass(frozen=True, eq=False)
class Machine:
    """One request from picture to mask; blocks are 0-based.

    ``heads`` are the last block's "q", "k", "v", each (N, D), heads side by side; ``local`` (N, N)
    its own matrix, ``fused`` the middle blocks' by number, ``used`` (N, N) what the method used:
    all head means, patch to patch. ``before``, ``after`` (D,) are the norms of block ``norms_of``;
    ``similar`` in-in, in-out and what the regions are; ``scores`` (C, N) on the patch grid,
    ``rest`` (N,) what they leave to hidden words, ``labels`` (H, W), ``shares`` of the picture per
    class and last of the rest. ``fits`` (2, N) are the best word and the next by ``cosines``
    (2, N), C for a hidden one. ``planted`` is channel, gain and blocks of a simulated fault;
    ``keeps`` what the method keeps of the last block.
    """

    model: str
    size: tuple[int, int]
    grid: tuple[int, int]
    tiles: Sequence[Tile]
    heads: Mapping[str, Floats]
    local: Floats
    fused: Mapping[int, Floats]
    used: Floats
    attention: str
    keeps: Sequence[str]
    amf: bool
    amf_reason: FusionReason
    cs: bool
    cs_reason: str
    suppressed: Sequence[int]
    planted: tuple[int, float, Sequence[int]] | None
    norms_of: int
    before: Floats
    after: Floats
    similar: tuple[float, float, str]
    names: Sequence[str]
    scores: Floats
    rest: Floats | None
    fits: NDArray[np.integer]
    cosines: Floats
    labels: NDArray[np.integer]
    shares: Sequence[float]
    score_threshold: float = 5.0
    norm_threshold: float = 2.0
    logit_scale: float = 40.0
    threshold: float = 0.0
    miou: float | None = None


def value(look: Look) -> Json:
    """The machine of a look."""
    return machine_value(see(look), common.picture(look).name)


def strip(studio: Studio, controls: Controls) -> Tab:
    """The machine under a heading, folded; what it shows is worked out once it is opened."""
    opened = controls.hidden("machine")
    with gr.Accordion(wording.MACHINE, open=False, elem_id="machine-fold") as fold:
        machine = widgets.machine(elem_id="side-machine")

    def show(look: Look) -> Answer:
        return (
            {fold: gr.Accordion(open=True), machine: value(look)} if look.settings.machine else {}
        )

    def wired() -> list[Dependency]:
        return [
            fold.expand(lambda: "1", None, opened, **QUIET),
            fold.collapse(lambda: "0", None, opened, **QUIET),
            *wire(machine, studio, controls),
        ]

    return Tab(outputs=[fold, machine], show=show, wire=wired)


def wire(machine: gr.HTML, studio: Studio, controls: Controls) -> list[Dependency]:
    """A press on the machine sets what it names: a block, a step of the lesson, a switch.

    A switch is flipped in the browser, so that the page asks for its answer and nothing else.
    """

    def press(event: gr.SelectData, *raw: Any) -> list[Any]:
        settings = controls.settings(raw)
        backbone = studio.backbone(studio.name_of(settings))
        own = lesson.has_own_fault(backbone, settings.channel_threshold)
        made = controls.updates(pressed(settings, event.index, own))
        return [made[controls[name]] for name in SET]

    flipped = [controls[name] for name in SWITCHES]
    return [
        machine.select(
            in_words(press),
            controls.components,
            [controls[name] for name in SET],
            trigger_mode="always_last",
            **RAW,
        ),
        machine.submit(
            fn=None, js="(...on) => gclip.flip(...on)", inputs=flipped, outputs=flipped, **QUIET
        ),
    ]


def pressed(settings: Settings, what: Any, own: bool) -> Settings:
    """The settings after a press on ``what``: a pair of its kind and which.

    ``own``: the model has an abnormal channel itself. What is no such pair changes nothing.
    """
    kind, which = what if isinstance(what, list) and len(what) == 2 else (None, None)
    if type(which) is not int:
        return settings
    if kind == "block" and which > 0:
        return settings.changed(view_block=min(which, 64) - 1)
    if kind in ("step", "go"):
        step = which if kind == "go" else settings.step + which
        step = min(max(step, 0), lesson.COUNT)
        sets = lesson.turns(own)[step - 1].sets if step else {}
        return settings.changed(step=step, told=False, **sets)
    if kind in ("guess", "set") and settings.step:
        turn = lesson.turns(own)[settings.step - 1]
        told = settings.told or kind == "guess"
        return settings.changed(told=told, **(turn.then if told else turn.sets))
    return settings


def see(look: Look) -> Machine:
    """Everything on the way of the method that the switches name."""
    seg, method, settings = look.segmenter, look.chosen, look.settings
    trunk, result, mask = look.trunk(method), look.segment(method), look.mask(method)
    found, n = result.found, seg.backbone.n_blocks
    seen = seg.globality(trunk, look.settings.global_threshold, clean=False)
    received = seg.received(trunk, clean=False).numpy()
    tiles = [
        Tile(received[b], seen.tokens[b], seen.scores[b], seen.agreement[b],
             found.channels[b], found.ratios[b], _after(found, b))
        for b in range(n)
    ]  # fmt: skip
    plants = seg.backbone.planted
    image, block = look.picture.image, _block_in_view(look, found)
    scores = masks.scores(result.logits, result.owner, look.grid).flatten(1).numpy()
    fits, cosines = _fits(result, seg.logit_scale)
    return Machine(
        model=seg.backbone.title,
        size=(image.height, image.width),
        grid=look.grid,
        tiles=tiles,
        heads={part: seg.values(trunk, method, part).numpy() for part in ("q", "k", "v")},
        local=_patches(seg.last_attention(trunk, replace(method, fusion=None))),
        fused={b: _patches(seg.attention_map(trunk, b)) for b in found.fusion.blocks},
        used=_patches(seg.last_attention(trunk, method)),
        attention=method.attention,
        keeps=[name for name, kept in (("residual path", method.residual), ("FFN", method.ffn))
               if kept],
        amf=method.fusion is not None,
        amf_reason=found.fusion.reason,
        cs=method.suppression is not None,
        cs_reason=found.cs_reason,
        suppressed=found.suppressed,
        planted=(plants[0].channel, plants[0].gain, plants[0].blocks) if plants else None,
        norms_of=block,
        before=found.norms_before[block].numpy(),
        after=found.norms_after[block].numpy(),
        similar=(*look.alike(method), look.regions),
        names=mask.names,
        scores=scores,
        rest=np.maximum(1 - scores.sum(0), 0) if min(result.owner) < 0 else None,
        fits=fits,
        cosines=cosines,
        labels=mask.labels,
        shares=mask.shares,
        score_threshold=settings.global_threshold,
        norm_threshold=settings.channel_threshold,
        logit_scale=settings.logit_scale,
        threshold=settings.threshold,
        miou=mask.miou,
    )  # fmt: skip


def _after(found: Found, block: int) -> float:
    """The largest channel's norm after CS over the median."""
    median = float(found.norms_after[block].quantile(0.5))
    norm = float(found.norms_after[block][found.channels[block]])
    return norm / median if median else math.inf if norm else 1.0


def _block_in_view(look: Look, found: Found) -> int:
    """The block whose norms are shown: the chosen one, else the last that feeds the Values."""
    n = len(found.channels)
    chosen = look.settings.view_block
    return max(n - 2, 0) if chosen is None else min(chosen, n - 1)


def _fits(result: Segmentation, scale: float) -> tuple[NDArray[np.integer], Floats]:
    """The two classes that fit each patch best, and their cosines, (2, N) each."""
    logits, owner = result.logits.flatten(1).numpy(), np.array(result.owner)
    rows = np.full((len(set(result.owner)), logits.shape[1]), -np.inf, np.float32)
    np.maximum.at(rows, owner, logits)  # -1, the hidden words, is the last
    best = largest(rows.T, min(2, len(rows))).T
    return best, np.take_along_axis(rows, best, 0) / scale


def _patches(matrix: torch.Tensor) -> Floats:
    return matrix[1:, 1:].numpy()
