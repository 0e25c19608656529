"""Global tokens and abnormal channels of a backbone, block by block (the paper's Figs. 1 and 3).

``python -m evaluation.phenomena --backbone NAME [IMAGES…]`` prints and draws them: the attention
that the most attended patch receives, the agreement of global tokens with the class token, the
FFN's weight norms and their entropy, and the similarity of the last block's Values within and
across regions, without and with CS. Weights that another paper reports on are compared with it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluation.datasets import Sample
from evaluation.errors import EvaluationError
from evaluation.report import grid, simulation
from gclip_core import amf, cs
from gclip_core.backbone import Backbone
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers, named
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Method, MethodReport, Suppression

LARGE = 3.0
"""A dimension is large if its mean magnitude is at least this multiple of the median's."""


@dataclass(frozen=True)
class Published:
    """A paper's report on some weights: blocks with global tokens (0-based), and the dimensions of
    patch tokens that are large in every image. ``channels`` are all dimensions that its code
    corrects: candidates for the abnormal channel."""

    source: str
    token_blocks: tuple[int, ...]
    dimensions: tuple[int, ...]
    channels: tuple[int, ...]


PUBLISHED = {
    "openai-vit-b-16": Published(
        "RF-CLIP (arXiv 2511.16170)",
        token_blocks=tuple(range(6, 12)),
        dimensions=(4, 162, 474),
        channels=(4, 162, 189, 326, 429, 474, 633, 713),
    )
}


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


# --- the report ------------------------------------------------------------------------------

LEGEND = """\
score: attention that the most attended patch receives, 1 = uniform. agreement: cosine of the rows
of global tokens with the class token's row. max/median and entropy: of the weight norms of the
FFN's output channels. Scores, tokens and agreement are means over the images."""


def summary(phenomena: Phenomena) -> str:
    """A table by block and sentences; blocks count from 1."""
    report = phenomena.report
    head = ["block", "score", "global tokens", "agreement"]
    head += ["largest channel", "max/median", "entropy", "with CS"]
    body = [
        [
            str(block + 1),
            f"{phenomena.scores[block]:.2f}",
            f"{phenomena.tokens[block]:.1f}",
            _number(phenomena.agreement[block]),
            str(report.channels[block]),
            f"{report.ratios[block]:.2f}",
            f"{float(report.entropy[block]):.4f}",
            f"{float(report.entropy_after[block]):.4f}",
        ]
        for block in range(phenomena.backbone.n_blocks)
    ]
    many = "image" if phenomena.images == 1 else "images"
    title = f"{phenomena.backbone.title} · {phenomena.images} {many}"
    table = grid([head, *body])
    return "\n".join(
        [title, *planted(phenomena), "", table, "", LEGEND, "", *_sentences(phenomena)]
    )


def planted(phenomena: Phenomena) -> list[str]:
    """A line for each planted channel."""
    return [
        simulation(plant.channel, plant.gain, block_numbers(plant.blocks))
        for plant in phenomena.backbone.planted
    ]


def _sentences(phenomena: Phenomena) -> list[str]:
    report, firsts = phenomena.report, phenomena.first_blocks
    tokens = f"global tokens (score of at least {phenomena.threshold:g}) in"
    last = phenomena.backbone.n_blocks - 1
    token_lines = [
        f"{firsts.count(b)} of {phenomena.images} images have {tokens} every block from {b + 1} to "
        f"{last}."
        for b in sorted({b for b in firsts if b is not None})
    ] or [
        f"No image has {tokens} consecutive blocks up to {last}, so AMF's `auto` fuses the middle "
        "blocks."
    ]
    abnormal, changed = (
        named(block_numbers(blocks)) for blocks in (report.abnormal, report.suppressed)
    )
    lines = [
        *token_lines,
        f"Abnormal channels (norm of at least {phenomena.channel_threshold:g} × the median): in "
        f"{abnormal}.",
        f"CS changes {changed} ({report.cs_reason}).",
        *_against_published(phenomena),
    ]
    if not phenomena.similarities:
        lines.append("In-in and in-out need regions: add --words, or use a data set with truth.")
    for similarity in phenomena.similarities:
        lines.append(
            f"Values {similarity.label}: in-in {_number(similarity.inside)}, in-out "
            f"{_number(similarity.across)}, "
            f"difference {_number(similarity.inside - similarity.across)}."
        )
    return lines


def _against_published(phenomena: Phenomena) -> list[str]:
    """Whether another paper's report on these weights is confirmed; [] without such a paper."""
    paper = PUBLISHED.get(phenomena.backbone.name)
    if paper is None:
        return []
    blocks = tuple(np.flatnonzero(phenomena.scores >= phenomena.threshold).tolist())
    always = sorted(set.intersection(*map(set, phenomena.dimensions)))
    theirs, ours = named(block_numbers(paper.token_blocks)), named(block_numbers(blocks))
    checks = (
        ("stripes of attention (global tokens) in", theirs, ours),
        ("large dimensions in every image", _listed(paper.dimensions), _listed(always)),
    )
    comparisons = [
        f"{paper.source} reports {what}: {theirs}. Measured here: {ours}. "
        + ("They agree." if theirs == ours else "They differ.")
        for what, theirs, ours in checks
    ]
    abnormal = {phenomena.report.channels[block] for block in phenomena.report.abnormal}
    return [
        *comparisons,
        f"Its code corrects {_listed(paper.channels)}. Abnormal channels here: "
        f"{_listed(sorted(abnormal))}; in both: {_listed(sorted(abnormal & {*paper.channels}))}.",
    ]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
