"""Measures a backbone on images: scores, global tokens, channels and Values, block by block."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluation.errors import EvaluationError
from evaluation.samples import Sample
from gclip_core import amf, cs
from gclip_core.backbone import Backbone
from gclip_core.methods import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Method, MethodReport, Suppression

LARGE = 3.0
"""A dimension is large if its mean magnitude is at least this multiple of the median's."""


@dataclass(frozen=True)
class Similarity:
    """Mean cosine of the last block's Values within regions (in-in) and across them (in-out)."""

    label: str
    inside: float
    across: float


@dataclass(frozen=True, eq=False)
class Phenomena:
    """Measurements of one backbone; figures by block are means over the images.

    A patch whose score is at least ``threshold`` is a global token; a channel whose norm is at
    least ``channel_threshold`` times the median is abnormal. ``scores``, ``tokens`` and
    ``agreement`` are (L,) float64: the attention that the most attended patch receives (1 =
    uniform), the number of global tokens, and their cosine with the class token's row (nan without
    tokens). ``dimensions`` are, for each image, the large dimensions of patch tokens at the input
    of the last block, largest first; ``first_blocks`` the first block ``auto`` would fuse (0-based,
    None without global tokens). ``similarities`` is empty if no image has regions.
    """

    backbone: Backbone
    images: int
    threshold: float
    channel_threshold: float
    scores: NDArray[np.float64]
    tokens: NDArray[np.float64]
    agreement: NDArray[np.float64]
    dimensions: tuple[tuple[int, ...], ...]
    first_blocks: tuple[int | None, ...]
    report: MethodReport
    similarities: tuple[Similarity, ...]


def measure(
    segmenter: Segmenter, samples: Iterable[Sample], cs_method: Method, threshold: float = 5.0
) -> Phenomena:
    """Measure a backbone on images; their truth gives the regions (negative: none).

    ``cs_method`` is the method that applies CS.

    Raises:
        EvaluationError: there are no images.
    """
    scores, tokens, agreement, dimensions, firsts = [], [], [], [], []
    report: MethodReport | None = None
    values: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        image, regions = sample.load()
        encoded = segmenter.encode(image)
        globality = segmenter.globality(encoded, threshold)
        by_block = globality.tokens
        scores.append(globality.scores)
        tokens.append([len(indices) for indices in by_block])
        agreement.append(globality.agreement)
        dimensions.append(large_dimensions(encoded.whole.inputs[-1]))
        firsts.append(amf.first_global_block(by_block.__getitem__, len(by_block)))
        report = report or segmenter.report(encoded, cs_method)
        for label, pair in _similarities(segmenter, encoded, regions, cs_method):
            values.setdefault(label, []).append(pair)
    if report is None:
        raise EvaluationError("At least one image was expected, but none came.")
    return Phenomena(
        backbone=segmenter.backbone,
        images=len(scores),
        threshold=threshold,
        channel_threshold=(cs_method.suppression or Suppression()).channel_threshold,
        scores=np.array(scores).mean(0),
        tokens=np.array(tokens, float).mean(0),
        agreement=_mean_of_known(np.array(agreement, float)),
        dimensions=tuple(dimensions),
        first_blocks=tuple(firsts),
        report=report,
        similarities=tuple(
            Similarity(label, *_mean_of_known(np.array(pairs))) for label, pairs in values.items()
        ),
    )


def large_dimensions(tokens: Tensor) -> tuple[int, ...]:
    """Dimensions of large mean magnitude over the patches of (1+N, D) tokens, largest first."""
    size = tokens[1:].float().abs().mean(0)
    order = size.argsort(descending=True)
    return tuple(order[: int((size >= LARGE * size.quantile(0.5)).sum())].tolist())


def _similarities(
    segmenter: Segmenter, trunk: Encoded, regions: NDArray[np.integer], cs_method: Method
) -> list[tuple[str, tuple[float, float]]]:
    """In-in and in-out of one image's Values: before planting, without CS and with it."""
    if (regions < 0).all():
        return []
    plain = METHODS["clearclip"]
    labels = cs.majority_labels(torch.from_numpy(np.array(regions)), trunk.grid)
    ways: list[tuple[str, Segmenter, Method]] = []
    if segmenter.backbone.planted:
        unplanted = replace(segmenter, backbone=replace(segmenter.backbone, planted=()))
        ways.append(("before planting", unplanted, plain))
    ways += [("without CS", segmenter, plain), ("with CS", segmenter, cs_method)]
    return [
        (label, cs.in_in_out(model.values(trunk, method), labels)) for label, model, method in ways
    ]


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the columns of (n, k) without nan; nan if a column has nothing else."""
    return np.ma.masked_invalid(values).mean(0).filled(np.nan)
