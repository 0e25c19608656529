"""Pure maths of global tokens: who is looked at, from which block on, and what AMF takes.

Also the similarity of Values within and across regions, which Channel Suppression is about.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_attention(mean_attention: Tensor) -> Tensor:
    """Patch-to-patch part of a (1+N, 1+N) head mean, rows renormalised: (N, N) float32.

    The row of a patch that sees nothing but the class token stays zero.
    """
    patches = mean_attention[..., 1:, 1:]
    tiny = torch.finfo(patches.dtype).tiny
    return patches / patches.sum(-1, keepdim=True).clamp_min(tiny)


def received(patches: Tensor) -> Tensor:
    """``m_j = N mean_i A_ij``: (N,) float32; 1 is uniform, N means all look only at ``j``."""
    return patches.mean(-2) * patches.shape[-1]


def global_tokens(m: Tensor, threshold: float = 5.0) -> tuple[int, ...]:
    """Indices of the patches with ``m_j >= threshold``."""
    return tuple((m >= threshold).nonzero().flatten().tolist())


def agreement_with_class_token(rows: Tensor, class_row: Tensor) -> float:
    """Mean cosine between the rows of global tokens and the class token's row, over patches.

    ``rows`` (tokens, N) and ``class_row`` (N,) of one block's head mean; nan without a token. Rows
    that attend almost only to the class token are small, so they are scaled up first.
    """
    if len(rows) == 0:
        return float("nan")
    scaled = [part / part.amax(-1, keepdim=True).clamp_min(1e-30) for part in (rows, class_row)]
    return float(F.cosine_similarity(scaled[0], scaled[1][None], dim=-1).mean())


def first_global_block(has_tokens: Sequence[bool], n_blocks: int = 2) -> int | None:
    """``L_g``: the first block from which on every block up to ``L-2`` has a global token.

    ``has_tokens[l]`` for all L blocks. Searched in ``1 ... L-1-n_blocks`` so that the fused blocks
    never include the last. None when there is no such block.
    """
    n = len(has_tokens)
    first = None
    for block in range(n - 2, 0, -1):
        if not has_tokens[block]:
            break
        if block <= n - 1 - n_blocks:
            first = block
    return first


def middle_blocks(n: int, n_blocks: int = 2) -> tuple[int, ...]:
    """The blocks taken when no block qualifies: from ``L//2 - 1``, never the last."""
    start = max(0, min(n // 2 - 1, n - 1 - n_blocks))
    return tuple(range(start, min(start + n_blocks, n - 1)))


def in_in_out(values: Tensor, labels: Tensor) -> tuple[float, float]:
    """Similarity of Values within regions and across them.

    ``values`` (N, D), ``labels`` (N,) integers, negative ones left out. In-in is the mean cosine
    over pairs ``i != j`` of equal label, per region, then over regions with at least two patches;
    in-out the mean over pairs of different labels. nan where there is no such pair.
    """
    keep = labels >= 0
    v = F.normalize(values[keep].float(), dim=-1)
    regions, index = labels[keep].unique(return_inverse=True)
    if len(regions) == 0:
        return float("nan"), float("nan")
    # Sums of cosines are dot products of sums: no N x N matrix is needed.
    sums = torch.zeros(len(regions), v.shape[1], dtype=torch.float64).index_add_(
        0, index.cpu(), v.cpu().double()
    )
    sizes = torch.bincount(index.cpu(), minlength=len(regions)).double()
    own = sums.square().sum(-1)
    pairs = sizes * (sizes - 1)
    within = ((own - sizes) / pairs)[pairs > 0]
    inside = float(within.mean()) if len(within) else float("nan")
    total, n = sums.sum(0), sizes.sum()
    across_pairs = float(n.square() - sizes.square().sum())
    across = float(total.square().sum() - own.sum())
    return inside, across / across_pairs if across_pairs else float("nan")


def majority_labels(labels: Tensor, grid: tuple[int, int]) -> Tensor:
    """Majority label of the pixels under each patch: (H, W) integers to (h*w,).

    Patches tile the image evenly; ties go to the smaller label. -1 counts as a label of its own.
    """
    height, width = labels.shape
    rows = torch.arange(height) * grid[0] // height
    columns = torch.arange(width) * grid[1] // width
    patch = (rows[:, None] * grid[1] + columns[None]).flatten()
    values, index = labels.long().cpu().flatten().unique(return_inverse=True)
    counts = torch.zeros(grid[0] * grid[1], len(values), dtype=torch.long)
    counts.index_put_((patch, index), torch.ones_like(patch), accumulate=True)
    majority = values[counts.argmax(1)]
    majority[counts.sum(1) == 0] = -1  # an image smaller than the grid leaves patches without pixel
    return majority
