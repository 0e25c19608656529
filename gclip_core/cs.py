"""Channel Suppression, whole: norms of the FFN's output channels, which are repaired and why.

``W2`` is ``mlp.c_proj.weight``, (D, 4D): row ``d`` makes output channel ``d``. Pure: weights,
norms and settings in; channels, reasons and changed copies out. Also what CS is about: how alike
the last block's Values are within a region and across regions.
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
from gclip_core.types import ROWS, Blocks, Plant, Suppression, SuppressionReason

# --- norms ---------------------------------------------------------------------------------------


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


def ratios(norms: Tensor) -> tuple[float, ...]:
    """The largest norm over the median, per block of (L, D).

    1 for a block whose channels are all zero, infinite where only the median is.
    """
    # Of an even number the mean of the middle two: ``Tensor.median`` takes the lower.
    largest, middle = norms.amax(1).double(), norms.quantile(0.5, dim=1).double()
    return tuple(torch.where(largest > 0, largest / middle, 1.0).tolist())


def plant(channel: int, gain: float, blocks: Iterable[int], width: int, n_blocks: int) -> Plant:
    """One planted channel of a tower that wide and deep; blocks count from 0."""
    (channel,), chosen = indices("Channels", [channel]), tuple(sorted(indices("Blocks", blocks)))
    if channel >= width:
        raise MethodError(f"Channels run from 0 to {width - 1}, but channel {channel} came.")
    if not chosen or chosen[-1] >= n_blocks:
        raise MethodError(f"Blocks run from 0 to {n_blocks - 1} (at least one), but {chosen} came.")
    if not (isinstance(gain, Real) and abs(gain) < 1e4):  # also refuses nan
        raise MethodError(f"The gain must be a number below 10,000, but {gain!r} came.")
    return Plant(channel, float(gain), chosen)


def planted_norms(norms: Tensor, planted: Sequence[Plant]) -> Tensor:
    """The norms (L, D) of a tower with planted channels; the given ones stay untouched."""
    norms = norms.clone()
    for plant in planted:
        norms[list(plant.blocks), plant.channel] *= abs(plant.gain)
    return norms


def abnormal_blocks(ratios: Sequence[float], threshold: float) -> tuple[int, ...]:
    """Blocks whose largest norm is at least ``threshold`` times the median."""
    return tuple(block for block, ratio in enumerate(ratios) if ratio >= threshold)


# --- which channels, and why ---------------------------------------------------------------------


@dataclass(frozen=True)
class Repair:
    """What CS does to a tower: the channels it renormalises in each block (0-based), and why these.

    ``settings`` name exactly these blocks; None where CS changes nothing.
    """

    channels: Mapping[int, tuple[int, ...]]
    reason: SuppressionReason
    settings: Suppression | None = None


OFF = Repair({}, SuppressionReason.OFF)


def repair(
    settings: Suppression | None,
    largest: Sequence[int],
    ratios: Sequence[float],
    width: int,
    default: Blocks,
) -> Repair:
    """The channels that CS renormalises under ``settings``.

    ``largest`` is every block's largest channel, ``ratios`` its norm over the median, ``width`` the
    number of channels, ``default`` the backbone's blocks.

    Raises:
        MethodError: a block or channel that the tower does not have, or all channels at once.
    """
    if settings is None:
        return OFF
    n_blocks = len(largest)
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
    changed = {block: channels or (largest[block],) for block in blocks}
    return Repair(changed, reason, replace(settings, blocks=blocks))


# --- the repair ----------------------------------------------------------------------------------


def changed_weight(
    W2: Tensor, block: int, planted: Sequence[Plant], norms: Tensor, repair: Repair
) -> Tensor:
    """``W2'`` of a planted or suppressed block; the given weight stays untouched.

    ``norms`` (D,) are the block's, planting included.
    """
    for plant in planted:
        if block in plant.blocks:
            W2 = scale_channels(W2, (plant.channel,), plant.gain)
    if repair.settings is not None and block in repair.channels:
        channels = repair.channels[block]
        factors = suppressed_factors(norms, channels, repair.settings.target)
        W2 = scale_channels(W2, channels, factors)
    return W2


def repaired_norms(norms: Tensor, repair: Repair) -> Tensor:
    """The norms after CS: (L, D) float32; the given ones stay untouched."""
    after = norms.clone()
    if repair.settings is not None:
        for block, channels in repair.channels.items():
            factors = suppressed_factors(norms[block], channels, repair.settings.target)
            after[block, list(channels)] *= factors
    return after


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
    wanted = others.quantile(0.5) if target == "median" else others.double().mean().float()
    return torch.where(norms[selected] > 0, wanted / norms[selected], torch.ones_like(wanted))


def scale_channels(W2: Tensor, channels: Sequence[int], factors: Tensor | float) -> Tensor:
    """A copy of ``W2`` with rows ``channels`` times ``factors``; the given one stays untouched."""
    changed = W2.detach().clone()
    scale = torch.as_tensor(factors, dtype=torch.float32, device=W2.device).reshape(-1, 1)
    rows = list(channels)
    changed[rows] = (changed[rows].float() * scale).to(W2.dtype)
    return changed


# --- Values within and across regions ------------------------------------------------------------


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
    values = torch.cat([strip.cpu().unique() for strip in labels.split(ROWS)]).unique().long()
    counts = torch.zeros(grid[0] * grid[1] * len(values), dtype=torch.long)
    for strip, down in zip(labels.split(ROWS), rows.split(ROWS), strict=True):
        index = torch.searchsorted(values, strip.long().cpu())
        place = (down[:, None] * grid[1] + columns) * len(values) + index
        counts += torch.bincount(place.flatten(), minlength=len(counts))
    counts = counts.view(-1, len(values))
    majority = values[counts.argmax(1)]
    majority[counts.sum(1) == 0] = -1  # an image smaller than the grid leaves patches without pixel
    return majority
