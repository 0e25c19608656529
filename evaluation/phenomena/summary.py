"""What was measured, as a table by block and sentences, beside what another paper reports."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evaluation import planting
from evaluation.phenomena.measurement import Phenomena
from evaluation.tables import counted, grid
from gclip_core.numbering import block_numbers, named

LEGEND = """\
score: attention that the most attended patch receives, 1 = uniform. agreement: cosine of the rows
of global tokens with the class token's row. max/median and entropy: of the weight norms of the
FFN's output channels. Scores, tokens and agreement are means over the images."""


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
    title = f"{phenomena.backbone.title} · {counted(phenomena.images, 'image')}"
    heading = "\n".join([title, *planting.notes(phenomena.backbone)])
    sentences = [
        *_on_tokens(phenomena),
        *_on_channels(phenomena),
        *_against_published(phenomena),
        *_on_values(phenomena),
    ]
    return "\n\n".join([heading, grid([head, *body]), LEGEND, "\n".join(sentences)])


def _on_tokens(phenomena: Phenomena) -> list[str]:
    """In how many images global tokens begin at each block."""
    firsts, last = phenomena.first_blocks, phenomena.backbone.n_blocks - 1
    tokens = f"global tokens (score of at least {phenomena.threshold:g})"
    known = sorted({block for block in firsts if block is not None})
    if not known:
        return [
            f"No image has {tokens} in consecutive blocks up to {last}, so AMF's `auto` fuses the "
            "middle blocks."
        ]
    return [
        f"Images that have {tokens} in every block from {block + 1} to {last}: "
        f"{firsts.count(block)} of {phenomena.images}."
        for block in known
    ]


def _on_channels(phenomena: Phenomena) -> list[str]:
    report = phenomena.report
    abnormal = named(block_numbers(report.abnormal))
    changed = named(block_numbers(report.suppressed))
    return [
        f"Abnormal channels (norm of at least {phenomena.channel_threshold:g} × the median): in "
        f"{abnormal}.",
        f"CS changes {changed} ({report.cs_reason}).",
    ]


def _on_values(phenomena: Phenomena) -> list[str]:
    if not phenomena.similarities:
        return ["In-in and in-out need regions: add --words, or use a data set with truth."]
    return [
        f"Values {similarity.label}: in-in {_number(similarity.inside)}, in-out "
        f"{_number(similarity.across)}, difference "
        f"{_number(similarity.inside - similarity.across)}."
        for similarity in phenomena.similarities
    ]


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
