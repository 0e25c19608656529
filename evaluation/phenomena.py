"""Global tokens and outlier channels of a backbone, block by block (the paper's Figs. 1 and 3).

``python -m evaluation phenomena --backbone NAME`` prints them: the attention that the most attended
patch receives, the agreement of global tokens with the class token, the FFN's weight norms and
their entropy, and the similarity of the last block's Values within and across regions, without and
with CS.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.stats import entropy
from torch import Tensor

from evaluation.datasets import Sample
from evaluation.tables import text_table
from gclip_core import inspection
from gclip_core.attention import head_mean
from gclip_core.blocks import Heads
from gclip_core.cs import CHANNEL_THRESHOLD
from gclip_core.global_tokens import GLOBAL_THRESHOLD
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_numbers, in_words
from gclip_core.result import MethodReport
from gclip_core.segmenter import Segmenter
from gclip_core.types import Grid

COMPARED = {
    "without CS": METHODS["clearclip"],
    "with CS": gclip(amf_blocks="auto", cs_blocks="backbone"),
}
"""The methods whose Values are compared."""


@dataclass(frozen=True, eq=False)
class Phenomena:
    """Measurements of one backbone; figures by block are means over the images.

    ``received``, ``n_tokens`` and ``agreement`` are (L,) float64: the attention that the most
    attended patch receives (1 = uniform), the number of global tokens, and the cosine of their rows
    with the class token's (nan without tokens). ``report`` has the channels,
    and the blocks that CS changes. ``similarities`` maps COMPARED's labels to in-in and in-out of
    the last block's Values, nan if no image has such pairs.
    """

    title: str
    images: int
    received: NDArray[np.float64]
    n_tokens: NDArray[np.float64]
    agreement: NDArray[np.float64]
    report: MethodReport
    similarities: dict[str, tuple[float, float]]


def measure(segmenter: Segmenter, samples: Iterable[Sample]) -> Phenomena:
    """Measures a backbone on one or more images, whose ground truth gives the regions."""
    received, n_tokens, agreement, report = [], [], [], None
    similarities: dict[str, list[tuple[float, float]]] = {label: [] for label in COMPARED}
    for sample in samples:
        image, truth = sample.load()
        encoded = segmenter.encode(image)
        found = inspection.global_tokens(encoded)
        received.append(found.scores)
        n_tokens.append([len(indices) for indices in found.tokens])
        blocks = enumerate(found.tokens)
        agreement.append([agreement_of(encoded.heads(block), at) for block, at in blocks])
        # Channels and CS are the same for every image.
        report = report or segmenter.report(encoded, COMPARED["with CS"])
        regions = majority_labels(torch.from_numpy(np.array(truth)), encoded.grid)
        for label, method in COMPARED.items():
            values = inspection.values(method.encoding(encoded))
            similarities[label].append(in_in_out(values, regions))
    return Phenomena(
        title=segmenter.backbone.title,
        images=len(received),
        received=np.array(received).mean(0),
        n_tokens=np.array(n_tokens, float).mean(0),
        agreement=_mean_of_known(agreement),
        report=report,
        similarities={label: tuple(_mean_of_known(pairs)) for label, pairs in similarities.items()},
    )


def agreement_of(heads: Heads, patches: Sequence[int]) -> float:
    """The mean cosine between the rows of some patches and the class token's row; nan for none.

    Rows are compared among patches, without the class token's column. ``heads`` are queries and
    keys, each (H, 1+N, d); the attention is averaged over heads.
    """
    if not patches:
        return math.nan
    queries = heads.q[:, [0, *(1 + patch for patch in patches)]]
    rows = head_mean(queries, heads.k).cpu()[:, 1:].double()
    # Rows that attend almost only to the class token are small; eps must be smaller.
    return float(F.cosine_similarity(rows[1:], rows[:1], dim=-1, eps=1e-30).mean())


def in_in_out(values: Tensor, labels: Tensor) -> tuple[float, float]:
    """Similarity of Values (N, D) within regions and across them.

    ``labels`` (N,) are the numbers of the regions; patches with a negative label do not count. The
    first result is the mean cosine of pairs ``i != j`` within a region, averaged over regions of
    two or more patches; the second is that of all pairs across regions. Without pairs, it is nan.
    """
    keep = labels.cpu() >= 0
    if not keep.any():
        return math.nan, math.nan
    v = F.normalize(values.cpu()[keep].double(), dim=-1)
    member = F.one_hot(labels.cpu()[keep].unique(return_inverse=True)[1]).double()
    # A sum of cosines is a dot product of sums, so no N x N matrix is needed.
    sums, sizes = member.T @ v, member.sum(0)
    own, pairs = sums.square().sum(-1), sizes * (sizes - 1)
    within = ((own - sizes) / pairs)[pairs > 0].mean()
    across = sums.sum(0).square().sum() - own.sum()
    return float(within), float(across / (sizes.sum().square() - sizes.square().sum()))


def majority_labels(labels: Tensor, grid: Grid) -> Tensor:
    """The label with the largest share of each patch: (H, W) integers to (h*w,); -1 counts, too.

    Ties go to the smallest label.
    """
    values = labels.unique()
    shares = [
        F.interpolate((labels == value)[None, None].float(), grid, mode="area") for value in values
    ]
    return values[torch.cat(shares).argmax(0)].flatten()


def _mean_of_known(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The mean of each column without nan; nan for a column of nan only."""
    return np.ma.masked_invalid(np.array(rows, float)).mean(0).filled(np.nan)


LEGEND = f"""\
score: attention that the most attended patch receives, 1 = uniform. A patch with
{GLOBAL_THRESHOLD:g} or more is a global token. agreement: cosine of the rows of global tokens with
the class token's row. max/median and entropy: of the weight norms of the FFN's output channels.
Scores, tokens and agreement are means over the images. in-in and in-out: cosines of Values within a
region and across regions."""


def summary(phenomena: Phenomena) -> str:
    """A table by block and sentences; blocks count from 1."""
    report = phenomena.report
    norms = report.norms_before, report.norms_after
    before, after = (entropy(n.numpy(), base=n.shape[1], axis=1) for n in norms)  # 1: all equal
    head = ["block", "score", "global tokens", "agreement"]
    cells = [[*head, "largest channel", "max/median", "entropy", "with CS"]]
    for block in range(len(report.channels)):
        cells.append(
            [
                str(block + 1),
                f"{phenomena.received[block]:.2f}",
                f"{phenomena.n_tokens[block]:.1f}",
                f"{phenomena.agreement[block]:.3f}".replace("nan", "–"),
                str(report.channels[block]),
                f"{report.ratios[block]:.2f}",
                f"{before[block]:.4f}",
                f"{after[block]:.4f}",
            ]
        )
    sentences = [
        f"Outlier channels (norm of at least {CHANNEL_THRESHOLD:g} × the median): in "
        f"{in_words(block_numbers(report.outlier_blocks))}.",
        f"CS changes {in_words(block_numbers(report.suppressed.blocks))} "
        f"({report.suppressed.reason}).",
    ]
    for label, (inside, across) in phenomena.similarities.items():
        sentences.append(
            f"Values {label}: in-in {inside:.3f}, in-out {across:.3f}, "
            f"difference {inside - across:.3f}."
        )
    title = f"{phenomena.title} · images: {phenomena.images}"
    return "\n\n".join([title, text_table(cells), LEGEND, "\n".join(sentences)])
