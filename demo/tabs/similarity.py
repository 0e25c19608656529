"""How alike the last block's Values are in one region and across two."""

import torch

from demo.answer import Answer
from demo.engine import Engine
from gclip_core import cs
from gclip_core.types import Method


def in_in_out(engine: Engine, answer: Answer, method: Method) -> tuple[float, float]:
    """Mean cosines of Values in one region and across two; nan where there is no such pair."""
    scene, truth = answer.question.scene, answer.question.scene.picture.truth
    labels = torch.from_numpy(truth.labels if truth else answer.mask.labels)
    regions = cs.majority_labels(labels, answer.grid)
    values = scene.segmenter.values(engine.trunk(scene, method), method)
    return cs.in_in_out(values, regions)


def regions(answer: Answer) -> str:
    """What the regions of :func:`in_in_out` are, in words."""
    return "the truth" if answer.question.scene.picture.truth else "the mask shown"
