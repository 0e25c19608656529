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
    patch tokens that are large in every image."""

    source: str
    token_blocks: tuple[int, ...]
    dimensions: tuple[int, ...]


PUBLISHED = {
    "openai-vit-b-16": Published("RF-CLIP (arXiv 2511.16170)", tuple(range(6, 12)), (4, 162, 474))
}


@dataclass(frozen=True)
class Alikeness:
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
    None without global tokens). ``alikeness`` is empty if no image has regions.
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
    found: MethodReport
    alikeness: tuple[Alikeness, ...]


def look_into(
    segmenter: Segmenter, samples: Iterable[Sample], suppressing: Method, threshold: float = 5.0
) -> Phenomena:
    """Measure a backbone on images; their truth gives the regions (negative: none).

    ``suppressing`` is the method that applies CS.

    Raises:
        EvaluationError: there are no images.
    """
    scores, tokens, agreement, dimensions, firsts = [], [], [], [], []
    found: MethodReport | None = None
    values: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        image, regions = sample.load()
        encoded = segmenter.encode(image)
        seen = segmenter.globality(encoded, threshold)
        scores.append(seen.scores)
        tokens.append([len(t) for t in seen.tokens])
        agreement.append(seen.agreement)
        dimensions.append(large_dimensions(encoded.whole.inputs[-1]))
        firsts.append(amf.first_global_block(seen.tokens.__getitem__, len(seen.tokens)))
        found = found or segmenter.findings(encoded, suppressing)
        for label, pair in _alikeness(segmenter, encoded, regions, suppressing):
            values.setdefault(label, []).append(pair)
    if found is None:
        raise EvaluationError("At least one image was expected, but none came.")
    return Phenomena(
        backbone=segmenter.backbone,
        images=len(scores),
        threshold=threshold,
        channel_threshold=(suppressing.suppression or Suppression()).channel_threshold,
        scores=np.array(scores).mean(0),
        tokens=np.array(tokens, float).mean(0),
        agreement=_mean_of_known(np.array(agreement, float)),
        dimensions=tuple(dimensions),
        first_blocks=tuple(firsts),
        found=found,
        alikeness=tuple(
            Alikeness(label, *_mean_of_known(np.array(pairs))) for label, pairs in values.items()
        ),
    )


def large_dimensions(tokens: Tensor) -> tuple[int, ...]:
    """Dimensions of large mean magnitude over the patches of (1+N, D) tokens, largest first."""
    size = tokens[1:].float().abs().mean(0)
    order = size.argsort(descending=True)
    return tuple(order[: int((size >= LARGE * size.quantile(0.5)).sum())].tolist())


def _alikeness(
    segmenter: Segmenter, trunk: Encoded, regions: NDArray[np.integer], suppressing: Method
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
    ways += [("without CS", segmenter, plain), ("with CS", segmenter, suppressing)]
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


def report(found: Phenomena) -> str:
    """A table by block and sentences; blocks count from 1."""
    f = found.found
    head = ["block", "score", "global tokens", "agreement"]
    head += ["largest channel", "max/median", "entropy", "with CS"]
    body = [
        [
            str(block + 1),
            f"{found.scores[block]:.2f}",
            f"{found.tokens[block]:.1f}",
            _number(found.agreement[block]),
            str(f.channels[block]),
            f"{f.ratios[block]:.2f}",
            f"{float(f.entropy[block]):.4f}",
            f"{float(f.entropy_after[block]):.4f}",
        ]
        for block in range(found.backbone.n_blocks)
    ]
    many = "image" if found.images == 1 else "images"
    title = f"{found.backbone.title} · {found.images} {many}"
    table = grid([head, *body])
    return "\n".join([title, *planted(found), "", table, "", LEGEND, "", *_sentences(found)])


def planted(found: Phenomena) -> list[str]:
    """A line for each planted channel."""
    return [
        simulation(plant.channel, plant.gain, block_numbers(plant.blocks))
        for plant in found.backbone.planted
    ]


def _sentences(found: Phenomena) -> list[str]:
    f, firsts = found.found, found.first_blocks
    tokens = f"global tokens (score of at least {found.threshold:g}) in"
    last = found.backbone.n_blocks - 1
    token_lines = [
        f"{firsts.count(b)} of {found.images} images have {tokens} every block from {b + 1} to "
        f"{last}."
        for b in sorted({b for b in firsts if b is not None})
    ] or [
        f"No image has {tokens} consecutive blocks up to {last}, so AMF's `auto` fuses the middle "
        "blocks."
    ]
    abnormal, changed = (named(block_numbers(one)) for one in (f.abnormal, f.suppressed))
    lines = [
        *token_lines,
        f"Abnormal channels (norm of at least {found.channel_threshold:g} × the median): in "
        f"{abnormal}.",
        f"CS changes {changed} ({f.cs_reason}).",
        *_against_published(found),
    ]
    if not found.alikeness:
        lines.append("In-in and in-out need regions: add --words, or use a data set with truth.")
    for s in found.alikeness:
        lines.append(
            f"Values {s.label}: in-in {_number(s.inside)}, in-out {_number(s.across)}, "
            f"difference {_number(s.inside - s.across)}."
        )
    return lines


def _against_published(found: Phenomena) -> list[str]:
    """Whether another paper's report on these weights is confirmed; [] without such a paper."""
    paper = PUBLISHED.get(found.backbone.name)
    if paper is None:
        return []
    blocks = tuple(np.flatnonzero(found.scores >= found.threshold).tolist())
    always = sorted(set.intersection(*map(set, found.dimensions)))
    theirs, ours = named(block_numbers(paper.token_blocks)), named(block_numbers(blocks))
    checks = (
        ("stripes of attention (global tokens) in", theirs, ours),
        ("large dimensions in every image", _listed(paper.dimensions), _listed(always)),
    )
    return [
        f"{paper.source} reports {what}: {theirs}. Measured here: {ours}. "
        + ("They agree." if theirs == ours else "They differ.")
        for what, theirs, ours in checks
    ]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
