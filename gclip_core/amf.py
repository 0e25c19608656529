"""Attention Map Fusion, whole: who is looked at, which blocks are fused and why, the fusion.

Global tokens are patches that nearly every patch attends to. Pure: queries and keys, or functions
that give a block's, in; blocks, reasons and attended Values out.
"""

import math
from collections.abc import Callable, Sequence

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
"""Elements of attention that are worked on at a time: they stay in a processor's cache."""

# --- global tokens -------------------------------------------------------------------------------


def patch_attention(mean_attention: Tensor) -> Tensor:
    """Patch-to-patch part of a (1+N, 1+N) head mean, rows renormalised: (N, N) float32.

    The row of a patch that sees nothing but the class token stays zero.
    """
    return _among_patches(mean_attention[..., 1:, :])


def _among_patches(rows: Tensor) -> Tensor:
    patches = rows[..., 1:]
    tiny = torch.finfo(patches.dtype).tiny
    return patches / patches.sum(-1, keepdim=True).clamp_min(tiny)


def received(patches: Tensor) -> Tensor:
    """``m_j = N mean_i A_ij``: (N,) float32; 1 is uniform, N means all look only at ``j``."""
    return patches.mean(-2) * patches.shape[-1]


def received_of(heads: Heads) -> Tensor:
    """The same of the head mean of queries and keys (H, 1+N, d), which is never held whole."""
    rows = max(1, TOGETHER // (heads.k.shape[0] * heads.k.shape[1]))
    asking = heads.q[:, 1:].split(rows, dim=1)
    parts = (_among_patches(attention.weights(some, heads.k).mean(0)).sum(0) for some in asking)
    return torch.stack(list(parts)).sum(0)


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


def find_tokens(
    received_by_block: Tensor, heads_of: Callable[[int], Heads], threshold: float
) -> GlobalTokens:
    """Global tokens of every block from what its patches receive, (L, N).

    ``heads_of(block)`` gives queries and keys (1, H, 1+N, d); only a block with a token is asked.
    """
    tokens = tuple(global_tokens(m, threshold) for m in received_by_block)
    agreement = [math.nan] * len(tokens)
    for block, found in enumerate(tokens):
        if found:
            heads = heads_of(block)
            asking = heads.q[..., [0, *(1 + token for token in found)], :]
            rows = attention.mean_weights(Heads(asking, heads.k))[0].cpu()[:, 1:]
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
    if isinstance(blocks, str):
        return _measured(fusion, n_blocks, received_by)
    if max(blocks) >= n_blocks - 1:
        raise MethodError(
            f"AMF takes blocks before the last one (1 to {n_blocks - 1} of {n_blocks}), "
            f"but block {max(blocks) + 1} came."
        )
    return FusionReport(blocks, reason)


def likely_fused(default: Blocks, n_blocks: int) -> frozenset[int]:
    """Blocks whose queries and keys are worth keeping for a backbone of this ``default``."""
    if not isinstance(default, str):
        return frozenset(default)
    return frozenset((n_blocks - 2, *middle_blocks(n_blocks)))


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


def _measured(fusion: Fusion, n_blocks: int, received_by: Callable[[int], Tensor]) -> FusionReport:
    wanted = fusion.n_blocks
    if wanted > n_blocks - 1:
        raise MethodError(
            f"AMF can fuse up to {n_blocks - 1} of {n_blocks} blocks, but n_blocks={wanted} came."
        )
    has_tokens = [False] * n_blocks
    # Downwards: the first block without a global token ends the run, so those below it are not
    # measured.
    for block in range(n_blocks - 2, 0, -1):
        has_tokens[block] = bool(global_tokens(received_by(block), fusion.global_threshold))
        if not has_tokens[block]:
            break
    first = first_global_block(has_tokens, wanted)
    if first is None:
        return FusionReport(middle_blocks(n_blocks, wanted), FusionReason.MIDDLE)
    return FusionReport(tuple(range(first, first + wanted)), FusionReason.GLOBAL_TOKENS)


# --- the fusion ----------------------------------------------------------------------------------


def attend_fused(
    rule: Attention, heads: Heads, grid: Grid, middle: Sequence[Heads], fusion: Fusion
) -> Tensor:
    """``((1 - w) A + w mean_l A^(l))`` times the last block's Values, (..., H, T, d).

    ``middle`` holds queries and keys of the blocks in ``G``; head i is fused with head i, or the
    head mean of each middle map with every head. The product is linear in the matrix, so per head
    nothing of size T x T is kept.
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
    """A middle map's part where the last block's is 1, and what their sum is divided by."""
    if fusion.weight is None:
        return 1, 1 + n
    rest = 1 - fusion.weight
    return fusion.weight / rest / max(n, 1), 1 / rest
