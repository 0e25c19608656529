"""Attention Map Fusion: what patches receive, which blocks are fused and why, and the fusion.

Global tokens are patches that nearly every patch attends to. Pure: queries and keys, or functions
that return a block's, in; blocks, reasons and attended Values out.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import attention
from gclip_core.attention import ATTENTIONS, Attention, Heads
from gclip_core.errors import MethodError
from gclip_core.types import (
    Blocks,
    Fusion,
    FusionReason,
    FusionReport,
    GlobalTokens,
    Grid,
    Span,
)

TOGETHER = 400_000
"""Elements of an attention matrix computed at a time: they stay in a processor's cache."""

# --- global tokens -------------------------------------------------------------------------------


def patch_attention(rows: Tensor) -> Tensor:
    """Attention of patches among patches: rows (..., 1+N) to renormalised (..., N) float32.

    The row of a patch that attends to nothing but the class token stays zero.
    """
    patches = rows[..., 1:]
    return patches / patches.sum(-1, keepdim=True).clamp_min(torch.finfo(patches.dtype).tiny)


def received(heads: Heads) -> Tensor:
    """``m_j = N mean_i A_ij`` of the head mean of queries and keys (H, 1+N, d): (N,) float32.

    1 is uniform attention, N means that all patches attend only to ``j``.
    """
    rows = max(1, TOGETHER // (heads.k.shape[0] * heads.k.shape[1]))
    queries = heads.q[:, 1:].split(rows, dim=1)
    parts = (patch_attention(attention.weights(q, heads.k).mean(0)).sum(0) for q in queries)
    return reduce(torch.add, parts)


def global_tokens(m: Tensor, threshold: float = 5.0) -> tuple[int, ...]:
    """Indices of the patches with ``m_j >= threshold``."""
    return tuple((m >= threshold).nonzero().flatten().tolist())


def agreement_with_class_token(rows: Tensor, class_row: Tensor) -> float:
    """Mean cosine between the rows of global tokens and the class token's row, over patches.

    ``rows`` (tokens, N) and ``class_row`` (N,) are of one block's head mean; nan without a token.
    """
    # Rows that attend almost only to the class token are small.
    cosines = F.cosine_similarity(rows.double(), class_row.double()[None], dim=-1, eps=1e-30)
    return float(cosines.mean())


def find_tokens(
    received_by_block: Tensor, heads_of: Callable[[int], Heads], threshold: float
) -> GlobalTokens:
    """Global tokens of every block from what its patches receive, (L, N).

    ``heads_of(block)`` returns queries and keys (1, H, 1+N, d); it is called only for blocks with
    a token.
    """
    tokens = tuple(global_tokens(m, threshold) for m in received_by_block)
    agreement = [math.nan] * len(tokens)
    for block, found in enumerate(tokens):
        if found:
            heads = heads_of(block)
            queries = heads.q[..., [0, *(1 + token for token in found)], :]
            rows = attention.mean_weights(queries, heads.k)[0].cpu()[:, 1:]
            agreement[block] = agreement_with_class_token(rows[1:], rows[0])
    scores = tuple(received_by_block.amax(dim=1).tolist())
    return GlobalTokens(scores, tokens, tuple(agreement), threshold)


# --- which blocks, and why -----------------------------------------------------------------------


def fused_blocks(
    fusion: Fusion | None,
    n_blocks: int,
    default: Blocks,
    received_by: Callable[[int], Tensor],
) -> FusionReport:
    """The blocks that ``fusion`` fuses in a tower of ``n_blocks``.

    ``default`` are the backbone's blocks. ``received_by(block)`` returns what every patch receives
    in a block, (N,); it is called only for blocks that can change the choice.

    Raises:
        MethodError: a block that the tower does not have, or its last; more blocks than it has.
    """
    if fusion is None:
        return FusionReport((), FusionReason.OFF)
    if isinstance(fusion.blocks, Span):
        return FusionReport(fusion.blocks.indices(n_blocks), FusionReason.METHOD)
    blocks, reason = fusion.blocks, FusionReason.BY_HAND
    if blocks == "backbone":
        blocks, reason = default, FusionReason.BACKBONE
    if not isinstance(blocks, str):
        if max(blocks) >= n_blocks - 1:
            raise MethodError(
                f"AMF takes blocks before the last one (1 to {n_blocks - 1} of {n_blocks}), "
                f"but block {max(blocks) + 1} came."
            )
        return FusionReport(blocks, reason)
    wanted = fusion.n_blocks
    if wanted > n_blocks - 1:
        raise MethodError(
            f"AMF can fuse up to {n_blocks - 1} of {n_blocks} blocks, but n_blocks={wanted} came."
        )

    def has_token(block: int) -> bool:
        return bool(global_tokens(received_by(block), fusion.global_threshold))

    first = first_global_block(has_token, n_blocks, wanted)
    if first is None:
        return FusionReport(middle_blocks(n_blocks, wanted), FusionReason.MIDDLE)
    return FusionReport(tuple(range(first, first + wanted)), FusionReason.GLOBAL_TOKENS)


def likely_fused(default: Blocks, n_blocks: int) -> frozenset[int]:
    """Blocks whose queries and keys are worth caching for a backbone of this ``default``."""
    if not isinstance(default, str):
        return frozenset(default)
    return frozenset((n_blocks - 2, *middle_blocks(n_blocks)))


def first_global_block(has_token: Callable[[int], object], n: int, n_blocks: int = 2) -> int | None:
    """``L_g``: the first block from which on every block up to ``L-2`` has a global token.

    ``has_token(block)`` is called from ``L-2`` downwards until a block has none. Searched in
    ``1 ... L-1-n_blocks``, so that the fused blocks never include the last. None when there is no
    such block.
    """
    first = None
    for block in range(n - 2, 0, -1):
        if not has_token(block):
            break
        if block <= n - 1 - n_blocks:
            first = block
    return first


def middle_blocks(n: int, n_blocks: int = 2) -> tuple[int, ...]:
    """The blocks taken when no block qualifies: from ``L//2 - 1``, never the last."""
    start = max(0, min(n // 2 - 1, n - 1 - n_blocks))
    return tuple(range(start, min(start + n_blocks, n - 1)))


# --- the fusion ----------------------------------------------------------------------------------


def attend_fused(
    rule: Attention, heads: Heads, grid: Grid, middle: Sequence[Heads], fusion: Fusion
) -> Tensor:
    """``((1 - w) A + w mean_l A^(l))`` times the last block's Values, (..., H, T, d).

    ``middle`` are queries and keys of the blocks in ``G``; head i is fused with head i, or the
    head mean of each middle map with every head. The product is linear in the matrix, so with
    ``"each"`` no T x T matrix is stored.
    """
    v, fused = heads.part("v"), fused_kind(rule, fusion)
    share, divisor = _shares(fusion, len(middle))
    total = attention.attend(rule, heads, grid).float()
    for block in middle:
        if fusion.heads == "each":
            mixed = attention.attend(fused, block, grid, v)
        else:
            mixed = attention.mean_matrix(fused, block, grid).unsqueeze(-3) @ v.float()
        total = total + (mixed if share == 1 else share * mixed)
    return (total / divisor).to(v.dtype)


def fused_kind(rule: Attention, fusion: Fusion) -> Attention:
    """The attention of the middle blocks that is fused into ``rule``."""
    return rule if fusion.attention == "own" else ATTENTIONS["qk"]


def fuse(local: Tensor, middle: Sequence[Tensor], fusion: Fusion) -> Tensor:
    """The same on matrices: the last block's and the middle blocks', each (..., T, T)."""
    share, divisor = _shares(fusion, len(middle))
    return (local + sum(share * one for one in middle)) / divisor


def _shares(fusion: Fusion, n: int) -> tuple[float, float]:
    """The share of each of ``n`` middle maps where the last block's is 1, and the sum of all."""
    if fusion.weight is None:
        return 1, 1 + n
    rest = 1 - fusion.weight
    return fusion.weight / rest / max(n, 1), 1 / rest
