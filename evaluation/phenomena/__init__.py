"""Global tokens and abnormal channels of a backbone, block by block.

``python -m evaluation.phenomena --backbone NAME [IMAGES…]`` prints and draws, for any backbone,
what Figs. 1 and 3 of the paper show: how much attention the most attended patch receives, the
agreement of global tokens with the class token, the FFN's weight norms and their entropy, and the
similarity of the last block's Values within and across regions, with and without CS. For weights
that another paper reports on, it says whether these agree.
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
"""A dimension is large from this multiple of the median dimension's mean magnitude on."""


@dataclass(frozen=True)
class Published:
    """What a paper reports of some weights: blocks with global tokens (0-based), and the large
    dimensions of patch tokens, the same in every image."""

    source: str
    token_blocks: tuple[int, ...]
    dimensions: tuple[int, ...]


PUBLISHED = {
    "openai-vit-b-16": Published("RF-CLIP (arXiv 2511.16170)", tuple(range(6, 12)), (4, 162, 474))
}


@dataclass(frozen=True)
class Alikeness:
    """Mean cosine of the last block's Values within regions, and across them."""

    label: str
    inside: float
    across: float


@dataclass(frozen=True, eq=False)
class Phenomena:
    """What was found in one backbone; per-block figures are means over the images.

    ``threshold`` makes a patch a global token, ``channel_threshold`` a channel abnormal.
    ``scores``, ``tokens`` and ``agreement`` are (L,) float64: the most attended patch's share (1 =
    uniform), how many global tokens there are, and their cosine with the class token's row, nan
    without any. ``dimensions`` are the large ones of each image's patch tokens at the last block,
    largest first. ``first_blocks`` are the blocks ``auto`` would begin to fuse at (0-based), by
    image. ``alikeness`` is empty when no image has regions.
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
    """Look into a backbone with these images, whose truth is their regions (negative: none).

    ``suppressing`` is the method that applies CS.
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
        firsts.append(amf.first_global_block([bool(t) for t in seen.tokens]))
        found = found or segmenter.findings(encoded, suppressing)
        for label, pair in _alikeness(segmenter, encoded, regions, suppressing):
            values.setdefault(label, []).append(pair)
    if found is None:
        raise EvaluationError("At least one image to look into was expected, but none came.")
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
    """In-in and in-out of one image's Values: as they are, with CS, and before planting."""
    if (regions < 0).all():
        return []
    plain = METHODS["clearclip"]
    labels = cs.majority_labels(torch.from_numpy(np.array(regions)), trunk.grid)
    ways: list[tuple[str, Segmenter, Method]] = []
    if segmenter.backbone.planted:
        unplanted = replace(segmenter, backbone=replace(segmenter.backbone, planted=()))
        ways.append(("before planting", unplanted, plain))
    ways += [("as it is", segmenter, plain), ("with CS", segmenter, suppressing)]
    return [
        (label, cs.in_in_out(looker.values(trunk, method), labels))
        for label, looker, method in ways
    ]


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over rows (n, k) without nan; nan where a column has nothing else."""
    return np.ma.masked_invalid(values).mean(0).filled(np.nan)


# --- in words --------------------------------------------------------------------------------


def report(found: Phenomena) -> str:
    """What was found, as a table and sentences; blocks counted from 1."""
    f = found.found
    head = [
        "block", "score", "global tokens", "agreement",
        "largest channel", "max/median", "entropy", "with CS",
    ]  # fmt: skip
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
    return "\n".join([title, *planted(found), "", grid([head, *body]), "", *_sentences(found)])


def planted(found: Phenomena) -> list[str]:
    """A line for each simulated channel."""
    return [
        simulation(plant.channel, plant.gain, block_numbers(plant.blocks))
        for plant in found.backbone.planted
    ]


def _sentences(found: Phenomena) -> list[str]:
    known = [block for block in found.first_blocks if block is not None]
    n = len(found.first_blocks)
    if known:
        counts = {block: known.count(block) for block in sorted(set(known))}
        where = ", ".join(f"block {b + 1} ({c} of {n} images)" for b, c in counts.items())
        lines = [f"Global tokens (score ≥ {found.threshold:g}) stay from: {where}."]
    else:
        lines = [
            f"Global tokens (score ≥ {found.threshold:g}): in no image from a middle block on."
        ]
    abnormal = block_numbers(found.found.abnormal)
    lines.append(
        f"Abnormal channel: in {named(abnormal)}."
        if abnormal
        else "Abnormal channel: none in this model."
    )
    lines.append(f"CS: {found.found.cs_reason}.")
    lines += _against_published(found)
    if not found.alikeness:
        lines.append("In-in and in-out need regions: name --words, or a data set with truth.")
    for s in found.alikeness:
        lines.append(
            f"Values {s.label}: in-in {_number(s.inside)}, in-out {_number(s.across)}, "
            f"apart {_number(s.inside - s.across)}."
        )
    return lines


def _against_published(found: Phenomena) -> list[str]:
    """Whether these weights agree with what another paper reports of them; [] where none does."""
    paper = PUBLISHED.get(found.backbone.name)
    if paper is None:
        return []
    blocks = tuple(np.flatnonzero(found.scores >= found.threshold).tolist())
    always = sorted(set.intersection(*map(set, found.dimensions)))
    theirs, ours = named(block_numbers(paper.token_blocks)), named(block_numbers(blocks))
    checks = (
        ("global tokens in", theirs, ours),
        ("large dimensions in every image", _listed(paper.dimensions), _listed(always)),
    )
    return [
        f"{paper.source} reports {what}: {theirs}. These weights: {ours}. "
        + ("They agree." if theirs == ours else "They differ.")
        for what, theirs, ours in checks
    ]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
