"""Channel suppression (CS): norms of the FFN's output channels, and factors for outliers.

``W2`` is ``mlp.c_proj.weight``, (D, 4D): row ``d`` computes output channel ``d``. All functions are
pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gclip_core.errors import check_between
from gclip_core.numbering import ChosenBlocks, Reason, given_blocks, read_blocks
from gclip_core.types import Blocks

CHANNEL_THRESHOLD = 2.0
"""A channel with at least this multiple of the median norm is an outlier."""


@dataclass(frozen=True)
class Suppression:
    """CS: in ``blocks``, the FFN's output channel with the largest norm is scaled to the mean norm
    of the others.

    ``"auto"`` chooses the blocks in which that norm is at least ``channel_threshold`` times the
    median. In blocks given by hand or by the backbone's default, the channel is scaled whatever its
    norm. Raises MethodError for a setting outside its range.
    """

    blocks: Blocks = "backbone"
    channel_threshold: float = CHANNEL_THRESHOLD

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", read_blocks("CS blocks", self.blocks))
        check_between("channel_threshold", self.channel_threshold, 1, math.inf)

    def chosen(self, ratios: Sequence[float], default: Blocks) -> ChosenBlocks:
        """The blocks that CS changes in a tower whose blocks have these ``ratios``.

        ``default`` are the backbone's blocks. Raises MethodError for a block that the tower does
        not have, and for its last one.
        """
        if choice := given_blocks("CS", self.blocks, default, len(ratios)):
            return choice
        # Not the last block: GCLIP leaves out its FFN.
        blocks = outlier_blocks(ratios[:-1], self.channel_threshold)
        return ChosenBlocks(blocks, Reason.OUTLIERS if blocks else Reason.NO_OUTLIER)


def weight_norms(W2: Tensor) -> Tensor:
    """``n_d = ||W2[d, :]||_2``: (D,) float32."""
    return torch.linalg.vector_norm(W2.detach(), dim=1, dtype=torch.float32)


def norm_ratios(norms: Tensor) -> tuple[float, ...]:
    """The largest norm over the median, for each block of (L, D).

    1 if all norms of a block are zero; infinite if only their median is zero.
    """
    # For an even count, ``quantile`` averages the middle two; ``Tensor.median`` takes the lower.
    largest, middle = norms.amax(1).double(), norms.quantile(0.5, dim=1).double()
    return tuple(torch.where(largest > 0, largest / middle, 1.0).tolist())


def outlier_blocks(ratios: Sequence[float], threshold: float) -> tuple[int, ...]:
    """Blocks whose largest norm is at least ``threshold`` times the median."""
    return tuple(block for block, ratio in enumerate(ratios) if ratio >= threshold)


def channel_factors(norms: Tensor) -> Tensor:
    """The factors that scale the channel with the largest norm to the others' mean.

    (D,) float32, as ``norms``: 1 for the other channels, and for all channels if all norms are 0.
    """
    factors, channel = torch.ones_like(norms), int(norms.argmax())
    others = torch.cat([norms[:channel], norms[channel + 1 :]])
    if norms[channel] > 0:
        factors[channel] = others.double().mean().float() / norms[channel]
    return factors


def scale_rows(W2: Tensor, factors: Tensor) -> Tensor:
    """A copy of ``W2`` (D, 4D) with row d multiplied by ``factors[d]``; computed in float32."""
    return (W2.detach().float() * factors.to(W2.device)[:, None]).to(W2.dtype)
