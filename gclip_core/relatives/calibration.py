"""Calibration around the last block (SC-CLIP, SFP): repair, averaging, class term, second pass.

A few *outlier* patches, far from all others or much attended to by the class token, are replaced by
the mean of their neighbours on the grid. Then patches that are similar in an earlier block are
averaged, before and after the last block. The functions are pure; matrices and patches are float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import attention, blocks
from gclip_core.attention import ATTENTIONS
from gclip_core.blocks import Heads
from gclip_core.encoder import Encoded
from gclip_core.errors import ImageError
from gclip_core.last_block import LastBlock
from gclip_core.methods import Method, Paper, add
from gclip_core.relatives.shared import at_depth, gate, with_class_token
from gclip_core.types import Grid

NEIGHBOURS = 30
"""Number of nearest other patches with which each patch is compared."""
LOF_QUANTILE = 0.95
"""Patches whose outlier score is above this quantile of all scores are outliers."""
SOM_FACTOR = 1.5
"""Factor of the class token's attention to a patch in ``som_outliers``."""
SOM_MOST = 10
"""Maximum number of outliers of ``som_outliers``, whatever the image's size."""
GATE_SHARPNESS = 3.0
"""Factor of the similarity before the softmax of the gate, ``shared.gate``."""
THRESHOLD = 0.4
"""Similarities below this are set to 0 in averaging."""
CLASS_WEIGHT = 0.3
"""Weight of the class term."""
BEFORE, AFTER, SUMMED = (8,), (3,), (3, 4, 5, 6, 7, 8, 9)
"""Blocks of 12, from 0, whose outputs determine the averaging before the last block, that
after it, and the sum that is the input of the second pass."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Inputs of the calibrated last block in float32, and how they were computed.

    ``patches`` (2, N, D) are those of the first and second pass. ``class_terms`` (2, 1, D) are
    added to the outputs. ``gate`` (N, N) is the attention that all heads of both passes use.
    ``after`` (N, N) averages the sum of both outputs. The patches of the first pass were repaired
    at ``outliers`` (n,) int64 and averaged by ``before`` (N, N).
    """

    patches: Tensor
    class_terms: Tensor
    gate: Tensor
    after: Tensor
    outliers: Tensor
    before: Tensor


@dataclass(frozen=True)
class Calibration(LastBlock):
    """A calibrated last block: the settings in which methods differ."""

    attention: str
    """A name in ``ATTENTIONS``, of a sum of softmaxes without a bias."""
    outliers: Literal["lof", "som"]
    """How outliers are found: ``lof_outliers`` or ``som_outliers``."""
    keeps_isolated: bool
    """Whether an outlier that has only outliers around it is kept; otherwise, it is set to 0."""
    thresholds_gate: bool
    """Whether the gate is computed from thresholded similarities."""
    second_attends: bool
    """Whether the second pass has the attention of the last block, too, or the gate alone."""

    @property
    def rule(self) -> str:
        return ATTENTIONS[self.attention].rule

    def patches(self, encoded: Encoded) -> Tensor:
        """Without residual path and FFN. Averaging is linear, so it is applied once, to the sum of
        both passes."""
        last, given = encoded.backbone.blocks[-1], self.calibrated(encoded)
        heads = blocks.project(last, given.patches.to(encoded.inputs[-1].dtype))  # (2, H, N, d)
        values = heads.part("v")
        gated = torch.einsum("nm,phmd->phnd", given.gate, values.float())
        attending = heads if self.second_attends else heads[:1]
        attended = attention.product(ATTENTIONS[self.attention], attending, encoded.grid)
        mixed = self._with_attention(gated, attended).to(values.dtype)
        z = blocks.merge(last, mixed) + given.class_terms
        return (given.after @ z.sum(0)).to(values.dtype).unflatten(0, encoded.grid)

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        """The product of repair, averaging, attention and averaging, and its mean over both passes;
        the patches of the second pass are from earlier blocks. Layer norms, projections and the
        class term are left out, because they do not mix patches."""
        last, given = encoded.backbone.blocks[-1], self.calibrated(encoded)
        heads = blocks.project(last, given.patches.to(encoded.inputs[-1].dtype)).only(head)
        attending = heads if self.second_attends else heads[:1]
        attended = attention.mean_matrix(ATTENTIONS[self.attention], attending, encoded.grid)
        first, second = self._with_attention(given.gate.repeat(2, 1, 1), attended)
        eye = torch.eye(len(first), device=first.device)
        repair = repaired(eye, given.outliers, encoded.grid, self.keeps_isolated)
        return with_class_token(given.after @ (first @ (given.before @ repair) + second) / 2)

    def calibrated(self, encoded: Encoded) -> Calibrated:
        """Computes the inputs of the calibrated last block."""
        inputs, grid, keeps = [x.float() for x in encoded.inputs], encoded.grid, self.keeps_isolated
        late = inputs[-1]  # the last block's input
        if self.outliers == "lof":
            outliers = lof_outliers(late[1:])
        else:
            outliers = som_outliers(encoded.heads(len(inputs) - 2))

        def outputs(of: Sequence[int]) -> list[Tensor]:
            return [inputs[block + 1] for block in at_depth(of, len(inputs))]

        near = cosines(repaired(outputs(BEFORE)[-1][1:], outliers, grid, keeps))
        gated = thresholded(near) if self.thresholds_gate else near
        before, summed = averaging(near), torch.stack(outputs(SUMMED)).sum(0)
        first = before @ repaired(late[1:], outliers, grid, keeps)
        return Calibrated(
            patches=torch.stack([first, summed[1:]]),
            class_terms=CLASS_WEIGHT * torch.stack([late[:1], summed[:1]]),
            gate=gate(gated, GATE_SHARPNESS, gated.mean()),
            after=averaging(cosines(outputs(AFTER)[-1][1:])),
            outliers=outliers,
            before=before,
        )

    def _with_attention(self, gated: Tensor, attended: Tensor) -> Tensor:
        """The mean of the gate and of each softmax, in the passes that have attention: ``gated``
        has both passes, (2, ...), ``attended`` the first or both."""
        n, softmaxes = len(attended), len(ATTENTIONS[self.attention].pairs)
        return torch.cat([(gated[:n] + attended) / (1 + softmaxes), gated[n:]])


def lof_outliers(patches: Tensor) -> Tensor:
    """Indices (n,) int64 of the patches (N, D) that are far from all others.

    The score resembles the local outlier factor (LOF, Breunig et al. 2000). A patch's k-distance is
    its squared distance to the 30th nearest other patch. Its score is its k-distance times the mean
    of 1 / k-distance over those 30, as in SC-CLIP's code; outliers are the patches with a score
    above the 0.95 quantile. Raises ImageError for fewer than 31 patches.
    """
    if len(patches) <= NEIGHBOURS:
        raise ImageError(
            f"SC-CLIP needs at least {NEIGHBOURS + 1} patches, because it compares each with "
            f"{NEIGHBOURS} others, but there are only {len(patches)}. Increase the shorter side, "
            "or take another method."
        )
    centred = patches - patches.mean(0)  # smaller numbers make the difference below more exact
    squares = centred.square().sum(1)
    apart = squares[:, None] + squares[None] - 2 * centred @ centred.T  # (N, N)
    apart.fill_diagonal_(torch.inf)
    near, which = apart.topk(NEIGHBOURS, largest=False)
    # Below this, patches are equal except for rounding; inverses of smaller numbers sum to inf.
    least = torch.finfo(near.dtype).eps * squares.mean() + 1e-30
    k_distance = near[:, -1].clamp_min(least)
    scores = k_distance * (1 / k_distance)[which].mean(1)  # (N,)
    return (scores > scores.quantile(LOF_QUANTILE)).nonzero()[:, 0]


def som_outliers(heads: Heads) -> Tensor:
    """Indices (n,) int64 of at most ten patches, those that the class token attends to most.

    They are those of SFP's self-adaptive outlier mitigator (SOM). A patch counts only if its
    attention to itself is below 1.5 times the class token's attention to it. ``heads`` are queries
    and keys (H, 1+N, d) of the block before the last; the attention is Query-Key, averaged over
    heads.
    """
    A = attention.head_mean(heads.q, heads.k)
    attended, own = SOM_FACTOR * A[0, 1:], A.diagonal()[1:]  # (N,) each
    order = attended.argsort(descending=True)
    return order[attended[order] > own[order]][:SOM_MOST]


def repaired(patches: Tensor, outliers: Tensor, grid: Grid, keeps_isolated: bool) -> Tensor:
    """Patches (N, D) with each outlier replaced by the mean of its neighbours on the grid.

    The neighbours are the eight patches around it, without those outside the image and without
    outliers. An outlier without such neighbours is unchanged with ``keeps_isolated``, else 0.
    """
    usable = torch.ones_like(patches[:, :1]).index_fill_(0, outliers, 0)
    fields = torch.cat([patches * usable, usable], dim=1).T.unflatten(1, grid)  # (D + 1, h, w)
    sums = F.avg_pool2d(fields, 3, stride=1, padding=1, divisor_override=1)
    sums = sums.flatten(1).T[outliers]  # (outliers, D + 1), over 3 × 3 patches
    count = sums[:, -1:]
    mean = sums[:, :-1] / count.clamp_min(1)
    if keeps_isolated:
        mean = mean.where(count > 0, patches[outliers])
    return patches.index_copy(0, outliers, mean)


def cosines(patches: Tensor) -> Tensor:
    """Cosine similarities between all patches (N, D): (N, N)."""
    scaled = F.normalize(patches, dim=-1)
    return scaled @ scaled.T


def thresholded(similarity: Tensor) -> Tensor:
    """The similarity (N, N) with entries below THRESHOLD set to 0."""
    return similarity.where(similarity >= THRESHOLD, 0.0)


def averaging(similarity: Tensor) -> Tensor:
    """The matrix (N, N) that averages similar patches: thresholded, rows divided by their sum."""
    kept = thresholded(similarity)
    return kept.div_(kept.sum(-1, keepdim=True) + 1e-6)


add(
    Method(
        "scclip",
        "SC-CLIP",
        Calibration("kk", "lof", keeps_isolated=True, thresholds_gate=False, second_attends=True),
        paper=Paper("Bai et al.", 2024, "arXiv:2411.15869"),
        summary="Outlier patches are replaced by their neighbours; patches alike in a middle block "
        "are averaged before and after the last block, which also gets middle blocks' tokens.",
    ),
    Method(
        "sfp",
        "SFP",
        Calibration(
            "qq+kk", "som", keeps_isolated=False, thresholds_gate=True, second_attends=False
        ),
        paper=Paper("Jin et al.", 2025, "ICCV 2025"),
        summary="Like SC-CLIP, but outliers are the patches that the class token attends to most, "
        "and the last block also has Query-Query attention.",
    ),
)
