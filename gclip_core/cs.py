"""Channel Suppression: norms of the FFN's output channels, which are repaired, why, and how.

``W2`` is ``mlp.c_proj.weight``, (D, 4D): row ``d`` makes output channel ``d``. Pure: norms and
settings in, channels, reasons and factors out. Also what CS is about: how alike the last block's
Values are within a region and across regions.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.errors import MethodError
from gclip_core.numbering import indices
from gclip_core.types import Blocks, Grid, Plant, Suppression, SuppressionReason

# --- norms ---------------------------------------------------------------------------------------


def weight_norms(W2: Tensor) -> Tensor:
    """``n_d = ||W2[d, :]||_2``: (D,) float32."""
    return torch.linalg.vector_norm(W2.detach(), dim=1, dtype=torch.float32)


def entropy(norms: Tensor) -> Tensor:
    """Entropy of the norms over the last axis, in [0, 1]; 1 when all channels are alike.

    ``p_d = n_d / sum n``, ``-sum p_d log p_d / log D``. Takes (..., D), returns (...) float32.
    Channels that are all zero are alike.
    """
    total = norms.double().sum(-1, keepdim=True)
    p = torch.where(total > 0, norms.double() / total, 1 / norms.shape[-1])
    return (-torch.special.xlogy(p, p).sum(-1) / math.log(norms.shape[-1])).float()


def ratios(norms: Tensor) -> tuple[float, ...]:
    """The largest norm over the median, per block of (L, D).

    1 for a block whose channels are all zero, infinite where only the median is.
    """
    # ``quantile`` averages the middle two of an even number; ``Tensor.median`` takes the lower.
    largest, middle = norms.amax(1).double(), norms.quantile(0.5, dim=1).double()
    return tuple(torch.where(largest > 0, largest / middle, 1.0).tolist())


def abnormal_blocks(ratios: Sequence[float], threshold: float) -> tuple[int, ...]:
    """Blocks whose largest norm is at least ``threshold`` times the median."""
    return tuple(block for block, ratio in enumerate(ratios) if ratio >= threshold)


# --- planted channels ----------------------------------------------------------------------------


def plant(channel: int, gain: float, blocks: Iterable[int], width: int, n_blocks: int) -> Plant:
    """One planted channel of a tower of this width and depth; blocks count from 0.

    Raises:
        MethodError: a channel or block that the tower does not have, or a gain that is no number.
    """
    (channel,), chosen = indices("Channels", [channel]), tuple(sorted(indices("Blocks", blocks)))
    if channel >= width:
        raise MethodError(f"Channels run from 0 to {width - 1}, but channel {channel} came.")
    if not chosen or chosen[-1] >= n_blocks:
        raise MethodError(f"Blocks run from 0 to {n_blocks - 1} (at least one), but {chosen} came.")
    if not (isinstance(gain, Real) and abs(gain) < 1e4):  # also refuses nan
        raise MethodError(f"The gain must be a number below 10,000, but {gain!r} came.")
    return Plant(channel, float(gain), chosen)


def planted_gains(planted: Sequence[Plant], n_blocks: int, width: int) -> Tensor:
    """The factor of every channel of every block, (L, D) float32: 1 where nothing is planted."""
    gains = torch.ones(n_blocks, width)
    for plant in planted:
        gains[list(plant.blocks), plant.channel] *= plant.gain
    return gains


# --- which channels are repaired, and why --------------------------------------------------------


@dataclass(frozen=True)
class Repair:
    """What CS does to a tower, and why.

    ``factors`` maps a block (0-based) to the factor of each of its channels, (D,) float32.
    ``settings`` name exactly these blocks; None where CS changes nothing.
    """

    factors: Mapping[int, Tensor]
    reason: SuppressionReason
    settings: Suppression | None = None


OFF = Repair({}, SuppressionReason.OFF)


def repair(
    settings: Suppression | None, norms: Tensor, ratios: Sequence[float], default: Blocks
) -> Repair:
    """The repair of a tower under ``settings``.

    ``norms`` (L, D) are those of all channels, ``ratios`` each block's largest over its median,
    ``default`` the backbone's blocks.

    Raises:
        MethodError: a block or channel that the tower does not have, or all channels at once.
    """
    if settings is None:
        return OFF
    n_blocks, width = norms.shape
    abnormal = abnormal_blocks(ratios, settings.channel_threshold)
    blocks, reason = settings.blocks, SuppressionReason.BY_HAND
    if blocks == "backbone":
        blocks, reason = default, SuppressionReason.BACKBONE
    if isinstance(blocks, str):
        # The methods that use CS leave out the last block's FFN.
        blocks = tuple(block for block in abnormal if block < n_blocks - 1)
        reason = SuppressionReason.ABNORMAL
        if not blocks:
            last = SuppressionReason.LAST_ABNORMAL
            return Repair({}, last if abnormal else SuppressionReason.NONE_ABNORMAL)
    channels, blocks = settings.channels or (), tuple(sorted(blocks))
    if blocks[-1] >= n_blocks:
        raise MethodError(f"CS takes blocks 1 to {n_blocks}, but block {blocks[-1] + 1} came.")
    if channels and max(channels) >= width:
        raise MethodError(f"Channels run from 0 to {width - 1}, but channel {max(channels)} came.")
    if len(channels) >= width:
        raise MethodError(
            f"CS brings channels to the mean of the others, but all {width} channels came."
        )
    chosen = {block: channels or (int(norms[block].argmax()),) for block in blocks}
    factors = {b: repair_factors(norms[b], some, settings.target) for b, some in chosen.items()}
    return Repair(factors, reason, replace(settings, blocks=blocks))


def repair_factors(
    norms: Tensor, channels: Sequence[int], target: Literal["mean", "median"]
) -> Tensor:
    """Factor of every channel that takes ``channels`` to the others' mean (or median) norm.

    Takes norms (D,), returns (D,) float32: 1 for all other channels and for a channel of zeros.
    """
    selected = torch.zeros_like(norms, dtype=torch.bool)
    selected[list(channels)] = True
    others = norms[~selected]
    wanted = others.quantile(0.5) if target == "median" else others.double().mean().float()
    return torch.where(selected & (norms > 0), wanted / norms, torch.ones_like(norms))


def scaled(W2: Tensor, factors: Tensor) -> Tensor:
    """A copy of ``W2`` with each row times its factor, (D,); computed in float32."""
    return (W2.detach().float() * factors.to(W2.device)[:, None]).to(W2.dtype)


# --- Values within and across regions ------------------------------------------------------------


def in_in_out(values: Tensor, labels: Tensor) -> tuple[float, float]:
    """Similarity of Values within regions and across them.

    ``values`` (N, D), ``labels`` (N,) integers, negative ones left out. In-in is the mean cosine
    over pairs ``i != j`` of equal label, per region, then over regions with at least two patches;
    in-out the mean over pairs of different labels. nan where there is no such pair.
    """
    keep = labels.cpu() >= 0
    if not keep.any():
        return math.nan, math.nan
    v = F.normalize(values.cpu()[keep].double(), dim=-1)
    member = F.one_hot(labels.cpu()[keep].unique(return_inverse=True)[1]).double()
    # Sums of cosines are dot products of sums: no N x N matrix is needed.
    sums, sizes = member.T @ v, member.sum(0)
    own, pairs = sums.square().sum(-1), sizes * (sizes - 1)
    within = ((own - sizes) / pairs)[pairs > 0].mean()
    across = sums.sum(0).square().sum() - own.sum()
    return float(within), float(across / (sizes.sum().square() - sizes.square().sum()))


def majority_labels(labels: Tensor, grid: Grid) -> Tensor:
    """Majority label of the pixels under each patch: (H, W) integers to (h*w,) int64.

    Patches tile the image evenly; ties go to the smaller label. -1 counts as a label of its own,
    and is also that of a patch without pixel (an image smaller than the grid).
    """
    rows, columns = (torch.arange(n) * m // n for n, m in zip(labels.shape, grid, strict=True))
    labels = labels.cpu()
    values = labels.unique()
    counts = torch.zeros(grid[0], grid[1] * len(values), dtype=torch.long)
    for row in range(grid[0]):  # one row of patches at a time, to save memory
        index = columns * len(values) + torch.searchsorted(values, labels[rows == row])
        counts[row] = index.flatten().bincount(minlength=counts.shape[1])
    counts = counts.view(-1, len(values))
    return values.long()[counts.argmax(1)].where(counts.sum(1) > 0, -1)
