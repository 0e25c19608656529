"""Pure maths of Channel Suppression: norms of the FFN's output channels, and their repair.

``W2`` is ``mlp.c_proj.weight``, (D, 4D): row ``d`` makes output channel ``d``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor


def weight_norms(W2: Tensor) -> Tensor:
    """``n_d = ||W2[d, :]||_2``: (D,) float32."""
    return torch.linalg.vector_norm(W2.detach(), dim=1, dtype=torch.float32)


def entropy(norms: Tensor) -> Tensor:
    """Entropy of the norms over the last axis, in [0, 1]; 1 when all channels are alike.

    ``p_d = n_d / sum n``, ``-sum p_d log p_d / log D``. Takes (..., D), returns (...). Channels
    that are all zero are alike.
    """
    total = norms.double().sum(-1, keepdim=True)
    p = torch.where(total > 0, norms.double() / total, 1 / norms.shape[-1])
    return (-torch.special.xlogy(p, p).sum(-1) / math.log(norms.shape[-1])).float()


def largest_channel(norms: Tensor) -> tuple[int, float]:
    """The channel with the largest norm, and that norm over the median. Takes (D,).

    The ratio is 1 for a block whose channels are all zero, infinite where only the median is.
    """
    channel = int(norms.argmax())
    largest, middle = float(norms[channel]), float(_median(norms))
    if middle == 0:
        return channel, 1.0 if largest == 0 else math.inf
    return channel, largest / middle


def suppressed_factors(
    norms: Tensor, channels: Sequence[int], target: Literal["mean", "median"]
) -> Tensor:
    """Factor per selected channel that takes its norm to the others' mean (or median).

    Takes norms (D,), returns (len(channels),) float32; "the others" are all unselected channels.
    """
    selected = torch.tensor(list(channels), dtype=torch.long, device=norms.device)
    rest = torch.ones_like(norms, dtype=torch.bool)
    rest[selected] = False
    others = norms[rest]
    wanted = _median(others) if target == "median" else others.double().mean().float()
    return torch.where(norms[selected] > 0, wanted / norms[selected], torch.ones_like(wanted))


def scale_channels(W2: Tensor, channels: Sequence[int], factors: Tensor | float) -> Tensor:
    """A copy of ``W2`` with rows ``channels`` times ``factors``; the given one stays untouched."""
    changed = W2.detach().clone()
    scale = torch.as_tensor(factors, dtype=torch.float32, device=W2.device).reshape(-1, 1)
    rows = list(channels)
    changed[rows] = (changed[rows].float() * scale).to(W2.dtype)
    return changed


def _median(norms: Tensor) -> Tensor:
    """The middle value, or the mean of the middle two (``Tensor.median`` takes the lower)."""
    return norms.quantile(0.5)
