"""Attention Map Fusion (AMF): the choice of blocks, and the fusion."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile

import torch
from torch import Tensor

from gclip_core import attention, global_tokens
from gclip_core.attention import Attention
from gclip_core.blocks import Heads
from gclip_core.encoder import Encoded
from gclip_core.errors import MethodError, check_between, check_count
from gclip_core.global_tokens import GLOBAL_THRESHOLD
from gclip_core.numbering import ChosenBlocks, Reason, given_blocks, read_blocks
from gclip_core.types import Blocks, Grid

N_FUSED = 2
"""The number of blocks that ``"auto"`` chooses."""


class Fusion(ABC):
    """Earlier blocks whose attention is averaged with the last block's, head by head: a frozen
    dataclass."""

    own_kind: bool = False
    """Whether they have the last block's kind of attention, or Query-Key."""

    @abstractmethod
    def chosen(self, encoded: Encoded) -> ChosenBlocks:
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

    def chosen(self, encoded: Encoded) -> ChosenBlocks:
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
            return bool(global_tokens.tokens(clean.received(block), self.global_threshold))

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
