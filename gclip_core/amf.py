"""Attention Map Fusion (AMF): global tokens, the choice of blocks, and the fusion.

A global token is a patch that nearly every patch attends to.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gclip_core import attention
from gclip_core.attention import Attention
from gclip_core.blocks import Heads
from gclip_core.errors import MethodError, check_between, check_count
from gclip_core.numbering import ChosenBlocks, Reason, given_blocks, read_blocks
from gclip_core.types import Blocks, Grid

if TYPE_CHECKING:  # it imports this module
    from gclip_core.encoder import Encoded

GLOBAL_THRESHOLD = 5.0
"""A patch that receives at least this multiple of uniform attention is a global token."""
N_FUSED = 2
"""The number of blocks that ``"auto"`` chooses."""


def received(heads: Heads) -> Tensor:
    """How much each patch is attended to, ``m_j = N mean_i A_ij``: (N,) float32.

    ``A`` is the attention from patches to patches, averaged over heads, with renormalised rows;
    ``heads`` are queries and keys, each (H, 1+N, d). ``m_j`` is 1 for uniform attention, and N if
    all patches attend only to ``j``.
    """
    rows = max(1, attention.ELEMENTS_AT_A_TIME // (heads.k.shape[0] * heads.k.shape[1]))
    m = torch.zeros(heads.k.shape[1] - 1, device=heads.k.device)
    for q in heads.q[:, 1:].split(rows, dim=1):
        A = attention.softmax_rows(q, heads.k).mean(0)[:, 1:]
        # A row that attends only to the class token stays zero.
        m += (A / A.sum(1, keepdim=True).clamp_min(torch.finfo(A.dtype).tiny)).sum(0)
    return m


def global_tokens(m: Tensor, threshold: float) -> tuple[int, ...]:
    """Indices of the patches with ``m_j >= threshold``."""
    return tuple((m >= threshold).nonzero().flatten().tolist())


class Fusion(ABC):
    """Earlier blocks whose attention is averaged with the last block's, head by head: a frozen
    dataclass."""

    own_kind: bool = False
    """Whether they have the last block's kind of attention, or Query-Key."""

    @abstractmethod
    def chosen(self, encoded: "Encoded") -> ChosenBlocks:
        """The blocks, and why."""

    def weight(self, n: int) -> float:
        """The weight of the mean attention of ``n`` blocks; by default, all blocks count alike."""
        return n / (1 + n)


@dataclass(frozen=True)
class Amf(Fusion):
    """AMF: the Query-Key attention of ``blocks`` is averaged with the last block's.

    ``"auto"`` chooses ``n_fused`` blocks; a global token receives at least ``global_threshold``
    times uniform attention. Raises MethodError for a setting outside its range.
    """

    blocks: Blocks = "backbone"
    n_fused: int = N_FUSED
    global_threshold: float = GLOBAL_THRESHOLD

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", read_blocks("AMF blocks", self.blocks))
        check_count("n_fused", self.n_fused)
        check_between("global_threshold", self.global_threshold, 1, math.inf)

    def chosen(self, encoded: "Encoded") -> ChosenBlocks:
        """The blocks given by hand or by the backbone, or, for ``"auto"``, those from ``L_g`` on.

        ``L_g`` is the first block, but not block 0, such that it and all later ones except the last
        have a global token. If there is none, or the last block would be fused, the middle blocks
        are. Only blocks that can change the choice are measured. Raises MethodError for a block
        that the tower does not have, for its last block, and for too many blocks.
        """
        clean = encoded.without_cs or encoded  # CS changes no choice
        n_blocks, n_fused = encoded.backbone.n_blocks, self.n_fused
        if choice := given_blocks("AMF", self.blocks, encoded.backbone.amf_blocks, n_blocks):
            return choice
        if n_fused > n_blocks - 1:
            raise MethodError(
                f"AMF can fuse up to {n_blocks - 1} of {n_blocks} blocks, so n_fused={n_fused} is "
                "too many; take fewer."
            )

        def has_token(block: int) -> bool:
            return bool(global_tokens(clean.received(block), self.global_threshold))

        late = takewhile(has_token, range(n_blocks - 2, 0, -1))
        if starts := [block for block in late if block < n_blocks - n_fused]:
            first, reason = starts[-1], Reason.GLOBAL_TOKENS
        else:
            first, reason = min(n_blocks // 2, n_blocks - n_fused) - 1, Reason.MIDDLE
        return ChosenBlocks(tuple(range(first, first + n_fused)), reason)


@dataclass(frozen=True, eq=False)
class WeightedMap:
    """A kind of attention of one block, with its weight in the fused attention.

    ``heads`` are the block's, each (..., H, T, d), with values if ``kind`` needs them.
    """

    weight: float
    kind: Attention
    heads: Heads


def fused_product(maps: Sequence[WeightedMap], grid: Grid) -> Tensor:
    """The weighted sum of maps times the Values of the first: (..., H, T, d) in their dtype.

    The first map is the last block's. Each map is multiplied by the Values separately, so that no T
    x T matrix is stored.
    """
    last, *others = maps
    values = last.heads.part("v")
    total = last.weight * attention.product(last.kind, last.heads, grid).float()
    for other in others:
        product = attention.product(other.kind, other.heads, grid, values)
        total = total.add(product, alpha=other.weight)
    return total.to(values.dtype)


def fused_matrix(maps: Sequence[WeightedMap], grid: Grid, head: int | None) -> Tensor:
    """The weighted sum of maps, for one head or averaged over heads: (..., T, T) float32."""
    matrices = (
        one.weight * attention.mean_matrix(one.kind, one.heads.only(head), grid) for one in maps
    )
    return reduce(torch.add, matrices)
