"""What the lesson measures on its photo, and what was measured on many others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from demo.answer import Answer, resolve
from demo.engine import Engine, Mask
from demo.measured import measured
from demo.request import Question, Request
from demo.settings import Settings
from evaluation.photos import shipped_photos
from gclip_core import amf, assets, cs
from gclip_core.masks import class_logits
from gclip_core.methods import METHODS
from gclip_core.registry import BUILT_IN
from gclip_core.types import Grid, Method

PHOTO = "astronaut"
THING = "space shuttle"
LEFT_OUT = "flag"
"""A word of the photo that no method finds."""
WORDS = ", ".join(
    "; ".join(synonyms) for synonyms in shipped_photos()[PHOTO].words if LEFT_OUT not in synonyms
)
REQUEST = Request(Settings(backbone=BUILT_IN, example=PHOTO, words=WORDS, refine="none"))
"""The lesson's photo, words and model, whatever the page shows."""
STATES = ("clip", "sclip", "clearclip", "amf", "cs", "amf_cs")
STATES += tuple(f"fault_{name}" for name in STATES)
"""The masks of the lesson: a method's, or ClearCLIP's with what is switched on."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the lesson measures on its photo.

    ``miou`` is that of each of the STATES, from 0 to 1; ``on_thing`` the share of attention that
    patches of THING leave on it. ``variation`` is how much the scores of neighbouring patches
    differ, and ``gained`` the word whose IoU AMF changes most.
    ``alike`` are cosines of Values (in-in, in-out). ``distance`` is how many patches far the
    ``fused_blocks`` look, and ``even`` how far evenly spread attention would; ``same`` the share of
    their attention on patches of the same region. ``spread`` is the word that gains most by the
    fault, with its share of the photo before and after. ``own_tokens`` are the built-in model's
    global tokens, of every block, ``abnormal`` its abnormal blocks. ``fault_norms`` (D,) are of the
    first of ``fault_blocks``. Blocks count from 0.
    """

    miou: Mapping[str, float]
    on_thing: Mapping[str, float]
    variation: Mapping[str, float]
    gained: str
    alike: Mapping[str, tuple[float, float]]
    fused_blocks: Sequence[int]
    distance: float
    even: float
    same: float
    spread: tuple[str, float, float]
    own_tokens: Sequence[int]
    abnormal: Sequence[int]
    fault_blocks: Sequence[int]
    fault_norms: NDArray[np.float32]
    settings: Settings


def compute(engine: Engine, answer: Answer) -> Numbers:
    """What the lesson measures; ``answer`` is that of REQUEST."""
    clean, faulty = answer.question, with_fault(engine)
    masks = {name: state_mask(engine, clean, faulty, name) for name in STATES}
    fault_blocks = clean.settings.planted_blocks(answer.report.n_blocks)
    distance, even, same = reach(engine, clean, answer.gclip.fusion.blocks)
    tokens = clean.scene.segmenter.globality(engine.encoded(clean.scene)).tokens
    norms = faulty.scene.segmenter.backbone.norms
    return Numbers(
        miou={name: mask.miou or 0.0 for name, mask in masks.items()},
        on_thing={name: looks(engine, clean, faulty, name)[1] for name in ("clip", "sclip", "amf")},
        variation={
            name: variation(class_logits(masks[name].result, answer.grid), answer.grid)
            for name in ("clearclip", "amf")
        },
        gained=_gained(masks["clearclip"], masks["amf"]),
        alike={
            name: _alike(engine, clean, faulty, name)
            for name in ("clearclip", "fault_clearclip", "fault_cs")
        },
        fused_blocks=answer.gclip.fusion.blocks,
        distance=distance,
        even=even,
        same=same,
        spread=_spread(masks["clearclip"], masks["fault_clearclip"]),
        own_tokens=[len(patches) for patches in tokens],
        abnormal=answer.gclip.abnormal,
        fault_blocks=fault_blocks,
        fault_norms=norms[fault_blocks[0]].numpy(),
        settings=clean.settings,
    )


def with_fault(engine: Engine) -> Question:
    """The lesson's question with a planted fault."""
    return resolve(engine, REQUEST.changed(plant=True))


def state(clean: Question, faulty: Question, name: str) -> tuple[Question, Method]:
    """The question and the method of one of the STATES."""
    question = faulty if name.startswith("fault_") else clean
    name = name.removeprefix("fault_")
    if name in ("clip", "sclip"):
        return question, METHODS[name]
    on = name.split("_")
    return question, question.switched["amf" in on, "cs" in on]


def state_mask(engine: Engine, clean: Question, faulty: Question, name: str) -> Mask:
    """The mask of one of the STATES."""
    return engine.segment(*state(clean, faulty, name))


def looks(
    engine: Engine, clean: Question, faulty: Question, name: str
) -> tuple[NDArray[np.float32], float]:
    """Where the patches of THING look in a state: (h, w), sum 1; and the share on THING."""
    question, method = state(clean, faulty, name)
    trunk = engine.trunk(question.scene, method)
    matrix = amf.patch_attention(question.scene.segmenter.last_attention(trunk, method)[1:])
    names = clean.scene.picture.truth.names
    thing = _regions(clean, trunk.grid) == [THING in synonyms for synonyms in names].index(True)
    weights = matrix[thing].mean(0)
    return weights.reshape(trunk.grid).numpy(), float(weights[thing].sum())


def reach(engine: Engine, question: Question, blocks: Sequence[int]) -> tuple[float, float, float]:
    """How far blocks look, in patches, and how far they would if attention were evenly spread; and
    the share of attention that patches leave on their own region."""
    encoded = engine.encoded(question.scene)
    maps = [question.scene.segmenter.attention_map(encoded, block) for block in blocks]
    weights = amf.patch_attention(torch.stack(maps).mean(0)[1:])
    far, region = distances(encoded.grid), _regions(question, encoded.grid)
    same = (region[:, None] == region) & (region >= 0)
    own = (weights * same).sum(1)[region >= 0]
    return float((weights * far).sum(1).mean()), float(far.mean()), float(own.mean())


def distances(grid: Grid) -> Tensor:
    """From every patch to every other, in patches: (N, N) float32."""
    places = torch.cartesian_prod(*(torch.arange(length) for length in grid)).float()
    return torch.cdist(places, places)


def variation(scores: Tensor, grid: Grid) -> float:
    """How much scores (C, N) of neighbouring patches differ, on average."""
    scores = scores.unflatten(1, grid)
    across, down = scores.diff(dim=2).abs().mean(), scores.diff(dim=1).abs().mean()
    return float(across + down)


def _regions(question: Question, grid: Grid) -> Tensor:
    """The true class of every patch, (N,), -1 for none."""
    labels = torch.from_numpy(question.scene.picture.truth.labels)
    return cs.majority_labels(labels, grid).flatten()


def _alike(engine: Engine, clean: Question, faulty: Question, name: str) -> tuple[float, float]:
    """Cosines of the last block's Values in one region and across two, in a state."""
    question, method = state(clean, faulty, name)
    trunk = engine.trunk(question.scene, method)
    values = question.scene.segmenter.values(trunk, method)
    return cs.in_in_out(values, _regions(question, trunk.grid))


def _gained(before: Mask, after: Mask) -> str:
    """The word whose IoU changes most."""
    return before.names[
        max(before.iou, key=lambda index: abs(after.iou[index] - before.iou[index]))
    ]


def _spread(before: Mask, after: Mask) -> tuple[str, float, float]:
    """The word whose share of the photo grows most, with both shares."""
    gains = np.subtract(after.class_shares, before.class_shares)
    index = int(gains.argmax())
    return before.names[index], before.class_shares[index], after.class_shares[index]


@cache
def global_tokens() -> dict[str, Any]:
    """Another transformer's global tokens on this photo."""
    return json.loads(assets.path("learn", "global-tokens.json").read_text("utf-8"))


def of_many() -> dict[str, float]:
    """mIoU in percent of the STATES that were measured on many photos with the built-in model."""
    miou, planted = measured().miou, measured().planted
    return {
        "clip": miou["clip"],
        "sclip": miou["sclip"],
        "clearclip": miou["clearclip"],
        "amf": miou["AMF"],
        "amf_cs": miou["gclip"],
        "fault_clearclip": planted["neither"],
        "fault_amf": planted["AMF"],
        "fault_amf_cs": planted["both"],
    }
