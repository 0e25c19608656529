"""Attention Map Fusion (AMF): global tokens, the choice of blocks, and the fusion.

A global token is a patch that nearly every patch attends to. All functions are pure. Some
have a function as an argument, which returns a block's queries and keys or their :func:`received`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import attention
from gclip_core.attention import ATTENTIONS, Attention, Heads
from gclip_core.errors import MethodError, check_between, check_choice, check_count
from gclip_core.numbering import block_numbers, check_blocks, in_words
from gclip_core.types import Blocks, Grid

ELEMENTS_AT_A_TIME = 400_000
"""Elements of an attention matrix that are computed at a time, to fit a processor's cache."""


class FusionReason(StrEnum):
    """Why these blocks are fused, or none."""

    OFF = "off"
    BY_HAND = "by hand"
    BACKBONE = "backbone default"
    METHOD = "fixed by the method"
    GLOBAL_TOKENS = "first with global tokens"
    MIDDLE = "middle blocks"


@dataclass(frozen=True)
class FusionReport:
    """The blocks whose attention is fused (0-based, none without fusion), and why these."""

    blocks: tuple[int, ...]
    reason: FusionReason


@dataclass(frozen=True)
class Span:
    """Runs of blocks of a tower of ``of`` blocks, counted from 1, for towers of any depth.

    ``Span(((6, 9),), of=12)`` is one run of four blocks: 6, 7, 8 and 9. Raises MethodError for runs
    that are not within such a tower.
    """

    runs: tuple[tuple[int, int], ...]
    of: int

    def __post_init__(self) -> None:
        if any(not 1 <= first <= last <= self.of for first, last in self.runs):
            raise MethodError(
                f"Runs of blocks from 1 to {self.of} were expected, but {self.runs} came."
            )

    def indices(self, n_blocks: int) -> tuple[int, ...]:
        """The 0-based blocks at the same relative depths in a tower of ``n_blocks``.

        Each run gives at least one block, but never the tower's last. Raises MethodError for a
        tower of a single block.
        """
        if n_blocks < 2:
            raise MethodError(
                "This method needs a tower of at least two blocks, but one block came; take a "
                "method that uses the last block alone, such as ClearCLIP."
            )
        blocks: set[int] = set()
        for first, last in self.runs:
            start = min(round((first - 1) * n_blocks / self.of), n_blocks - 2)
            stop = max(start + 1, round(last * n_blocks / self.of))
            blocks.update(range(start, min(stop, n_blocks - 1)))
        return tuple(sorted(blocks))


@dataclass(frozen=True)
class Fusion:
    """Which blocks' attention is fused into the last block's, and how (AMF and relatives).

    ``attention`` is the kind of the fused maps: ``"qk"``, or ``"own"`` for the kind that the method
    uses in the last block. ``heads="each"`` fuses head i with head i, ``"mean"`` the head mean with
    every head. ``weight``, from 0 to 1, is that of the mean of the fused maps; None is the plain
    average of ``n`` maps and the last block's, ``n / (1 + n)``. ``blocks="auto"`` chooses
    ``n_fused``; a global token receives at least ``global_threshold`` times uniform attention.
    Raises MethodError for a setting outside its range.
    """

    blocks: Blocks | Span = "auto"
    n_fused: int = 2
    heads: Literal["each", "mean"] = "each"
    global_threshold: float = 5.0
    weight: float | None = None
    attention: Literal["qk", "own"] = "qk"

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, Span):
            check_blocks("AMF blocks", self.blocks)
        check_count("n_fused", self.n_fused)
        check_choice("heads", self.heads, ("each", "mean"))
        check_between("global_threshold", self.global_threshold, 1, math.inf)
        if self.weight is not None:
            check_between("weight", self.weight, 0, 1)
        check_choice("attention", self.attention, ("qk", "own"))


@dataclass(frozen=True)
class GlobalTokens:
    """The global tokens of every block.

    ``scores[l]`` is ``max_j m_j`` of block ``l``: 1 for uniform attention, N if all patches attend
    to one. ``tokens[l]`` are the patches with ``m_j >= threshold``. ``agreement[l]`` is the mean
    cosine between their rows and the class token's row; nan without a global token.
    """

    scores: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]
    agreement: tuple[float, ...]


def patch_attention(rows: Tensor) -> Tensor:
    """Rows of attention (..., 1+N) without the class token, renormalised: (..., N), same dtype.

    A row that attends only to the class token becomes zero.
    """
    patches = rows[..., 1:]
    return patches / patches.sum(-1, keepdim=True).clamp_min(torch.finfo(patches.dtype).tiny)


def received(heads: Heads) -> Tensor:
    """How much each patch is attended to, ``m_j = N mean_i A_ij``: (N,) float32.

    ``A`` is the head mean of the attention from patches to patches, with renormalised rows;
    ``heads`` are queries and keys, each (H, 1+N, d). Uniform attention gives 1. If all patches
    attend only to ``j``, ``m_j`` is N.
    """
    rows = max(1, ELEMENTS_AT_A_TIME // (heads.k.shape[0] * heads.k.shape[1]))
    queries = heads.q[:, 1:].split(rows, dim=1)
    parts = (patch_attention(attention.weights(q, heads.k).mean(0)).sum(0) for q in queries)
    return reduce(torch.add, parts)


def global_tokens(m: Tensor, threshold: float = 5.0) -> tuple[int, ...]:
    """Indices of the patches with ``m_j >= threshold``."""
    return tuple((m >= threshold).nonzero().flatten().tolist())


def find_tokens(
    received_by_block: Tensor, heads_of: Callable[[int], Heads], threshold: float
) -> GlobalTokens:
    """Global tokens of every block, from :func:`received` of every block, (L, N).

    ``heads_of(block)`` returns queries and keys, each (1, H, 1+N, d). It is called only for blocks
    that have a global token.
    """
    tokens = tuple(global_tokens(m, threshold) for m in received_by_block)
    agreement = [math.nan] * len(tokens)
    for block, patches in enumerate(tokens):
        if patches:
            heads = heads_of(block)
            queries = heads.q[..., [0, *(1 + patch for patch in patches)], :]
            rows = attention.mean_weights(queries, heads.k)[0].cpu()[:, 1:].double()
            # Rows that attend nearly only to the class token are small; eps must be smaller.
            cosines = F.cosine_similarity(rows[1:], rows[:1], dim=-1, eps=1e-30)
            agreement[block] = float(cosines.mean())
    scores = tuple(received_by_block.amax(dim=1).tolist())
    return GlobalTokens(scores, tokens, tuple(agreement))


def fused_blocks(
    fusion: Fusion | None, n_blocks: int, default: Blocks, received_by: Callable[[int], Tensor]
) -> FusionReport:
    """The blocks that ``fusion`` fuses in a tower of ``n_blocks``.

    ``default`` are the backbone's blocks. ``received_by(block)`` returns :func:`received` of a
    block, (N,). It is called only for blocks that can change the choice. Raises MethodError for a
    block that the tower does not have, its last block, or too many blocks.
    """
    if fusion is None:
        return FusionReport((), FusionReason.OFF)
    if isinstance(fusion.blocks, Span):
        return FusionReport(fusion.blocks.indices(n_blocks), FusionReason.METHOD)
    blocks, reason = fusion.blocks, FusionReason.BY_HAND
    if blocks == "backbone":
        blocks, reason = default, FusionReason.BACKBONE
    if not isinstance(blocks, str):
        wrong = block_numbers(block for block in blocks if not 0 <= block < n_blocks - 1)
        if wrong:
            raise MethodError(
                f"AMF can fuse blocks before the last one (1 to {n_blocks - 1} of {n_blocks}, "
                f"counted from 1), but {in_words(wrong)} came; choose some of these, or 'auto'."
            )
        return FusionReport(blocks, reason)
    n_fused = fusion.n_fused
    if n_fused > n_blocks - 1:
        raise MethodError(
            f"AMF can fuse up to {n_blocks - 1} of {n_blocks} blocks, but n_fused={n_fused} came; "
            "take fewer."
        )

    def has_token(block: int) -> bool:
        return bool(global_tokens(received_by(block), fusion.global_threshold))

    first = first_global_block(has_token, n_blocks, n_fused)
    if first is None:
        return FusionReport(middle_blocks(n_blocks, n_fused), FusionReason.MIDDLE)
    return FusionReport(tuple(range(first, first + n_fused)), FusionReason.GLOBAL_TOKENS)


def first_global_block(
    has_token: Callable[[int], object], n_blocks: int, n_fused: int = 2
) -> int | None:
    """``L_g``: the first block such that it and all later ones up to ``L-2`` have a global token.

    ``has_token(block)`` is called from ``L-2`` downwards, until a block has none. ``L_g`` is at
    least 1 and at most ``L-1-n_fused``, so that the last block is not fused. None if there is no
    such block.
    """
    first = None
    for block in range(n_blocks - 2, 0, -1):
        if not has_token(block):
            break
        if block <= n_blocks - 1 - n_fused:
            first = block
    return first


def middle_blocks(n_blocks: int, n_fused: int = 2) -> tuple[int, ...]:
    """``n_fused`` blocks from ``L//2 - 1`` on, or earlier ones: fused if there is no ``L_g``."""
    start = max(0, min(n_blocks // 2 - 1, n_blocks - 1 - n_fused))
    return tuple(range(start, min(start + n_fused, n_blocks - 1)))


def attend_fused(
    rule: Attention, heads: Heads, grid: Grid, middle: Sequence[Heads], fusion: Fusion
) -> Tensor:
    """``(1 - w) A + w mean_l A^(l)`` times the last block's Values: (..., H, T, d) in their dtype.

    ``middle`` are the fused blocks' queries and keys, with values if their attention needs them.
    Each map is multiplied by the Values separately: ``heads="each"`` stores no T x T matrix.
    """
    v, fused = heads.part("v"), fused_kind(rule, fusion)
    last, share = _shares(fusion, len(middle))
    total = last * attention.attend(rule, heads, grid).float()
    for block in middle:
        if fusion.heads == "each":
            mixed = attention.attend(fused, block, grid, v)
        else:
            mixed = attention.mean_matrix(fused, block, grid).unsqueeze(-3) @ v.float()
        total = total.add(mixed, alpha=share)
    return total.to(v.dtype)


def fused_kind(rule: Attention, fusion: Fusion) -> Attention:
    """The kind of attention of the fused maps, if that of the last block is ``rule``."""
    return rule if fusion.attention == "own" else ATTENTIONS["qk"]


def fuse(local: Tensor, middle: Sequence[Tensor], fusion: Fusion) -> Tensor:
    """The last block's matrix fused with those of middle blocks, each (..., T, T) float32."""
    last, share = _shares(fusion, len(middle))
    return last * local + share * sum(middle)


def _shares(fusion: Fusion, n: int) -> tuple[float, float]:
    """The weight of the last block's map, and that of each of ``n`` middle maps; the sum is 1."""
    weight = n / (1 + n) if fusion.weight is None else fusion.weight
    return 1 - weight, weight / n
