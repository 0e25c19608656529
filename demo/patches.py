"""A mask's scores at each patch, and grids of patches."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.pixels.masks import per_class
from gclip_core.result import Segmentation

SHOWN_PATCHES, ATTENDED_PATCHES, BLOCK_PATCHES = 1_200, 560, 140
"""The most that the browser gets: of a photo, of those that each attends to, and of the small map
of a block."""


def class_logits(result: Segmentation, grid: tuple[int, int]) -> Tensor:
    """Logits of patches, (classes, N) float32, each the largest of a class's synonyms.

    With a background, the last row is its own.
    """
    logits = result.logits
    if tuple(logits.shape[1:]) != grid:
        logits = F.interpolate(logits[None], grid, mode="bilinear")[0]
    logits = logits.flatten(1)
    by_class = per_class(logits, result.prompt_classes)
    return torch.cat([by_class, logits[-1:]]) if result.background else by_class


def probabilities(result: Segmentation, grid: tuple[int, int]) -> Tensor:
    """Why a patch has its word: (classes + 1, N) float32, which sum to 1 for each patch.

    The softmax is taken over one logit per class, that of its best synonym, and the background's.
    The largest is thus that of the patch's plain label, and losing synonyms do not add to the
    background. The last row is the background's, 0 without one.
    """
    shares = class_logits(result, grid).softmax(0)
    return shares if result.background else F.pad(shares, (0, 0, 0, 1))


def coarser(grid: tuple[int, int], most: int) -> tuple[int, int]:
    """A grid of the same shape with at most ``most`` patches."""
    rows, columns = grid
    scale = min(1.0, math.sqrt(most / (rows * columns)))
    rows = max(1, int(rows * scale))
    return rows, max(1, min(int(columns * scale), most // rows))


def pooled(maps: Tensor, grid: tuple[int, int], to: tuple[int, int]) -> Tensor:
    """Maps (…, N) averaged on a coarser grid, (…, n)."""
    if to == grid:
        return maps
    return F.adaptive_avg_pool2d(maps.unflatten(-1, grid), to).flatten(-2)
