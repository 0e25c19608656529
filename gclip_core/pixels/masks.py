"""From logits on the patch grid to scores and labels of pixels, one rectangle of pixels at a time.

Logits are (prompts, h, w) float32, with one entry per synonym, then one for the background, if
there is any. ``classes[p]`` is the class of prompt ``p``, -1 for the background.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from gclip_core.types import Size

TILE = 64, 256
"""Rows and columns of pixels computed at a time, to fit a processor's cache."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A rectangle of an image's pixels, and the grid points of maps around them.

    ``pixels`` and ``points`` are their rows and columns. ``weights`` are the weights of the points
    for each row of pixels, (rows, points), and for each column, (columns, points).
    """

    pixels: tuple[slice, slice]
    points: tuple[slice, slice]
    weights: tuple[Tensor, Tensor]

    def interpolate(self, maps: Tensor) -> Tensor:
        """Maps (n, h, w) at the pixels, bilinear: (n, rows, columns)."""
        down, across = self.weights
        return down @ (maps[:, *self.points] @ across.T)


def tiles(grid: Sequence[int], size: Size) -> Iterator[Tile]:
    """The tiles of an image of ``size``, whose maps have ``grid`` points."""

    def cut(n: int, length: int, side: int) -> Iterator[tuple[slice, slice, Tensor]]:
        for start in range(0, length, side):
            pixels = torch.arange(start, min(start + side, length))
            at = ((pixels + 0.5) * (n / length) - 0.5).clamp_(0, n - 1)
            points = torch.arange(int(at[0]), min(int(at[-1]) + 2, n))
            weights = (1 - (at[:, None] - points).abs()).clamp_(min=0)
            yield slice(start, start + side), slice(int(points[0]), int(points[-1]) + 1), weights

    rows, columns = (cut(*axis) for axis in zip(grid, size, TILE, strict=True))
    return (
        Tile((down[0], across[0]), (down[1], across[1]), (down[2], across[2]))
        for down, across in product(rows, columns)
    )


def scores(logits: Tensor, classes: Sequence[int], size: Size) -> Tensor:
    """Softmax over prompts, then the maximum over a class's synonyms: (classes, *size) float32.

    With synonyms or a background, the scores of a pixel sum to less than 1.
    """
    out = torch.empty(max(classes) + 1, *size)
    for tile in tiles(logits.shape[1:], size):
        out[:, *tile.pixels] = per_class(tile.interpolate(logits).softmax(dim=0), classes)
    return out


def labels(logits: Tensor, classes: Sequence[int], size: Size, threshold: float = 0.0) -> Tensor:
    """The best class of each pixel: (height, width) int16.

    -1 if a background prompt is best, or if the best score is below ``threshold``.
    """
    out = torch.empty(size, dtype=torch.int16)
    class_of = torch.tensor(classes, dtype=torch.int16)
    # Between four grid points, a logit is between its smallest and largest value at these points.
    # So a prompt whose largest value is below another's smallest cannot be best, and is left out.
    corners = F.pad(logits, (0, 1, 0, 1), mode="replicate")
    largest, smallest = F.max_pool2d(corners, 2, 1), -F.max_pool2d(-corners, 2, 1)
    can_win = ~(largest < smallest.amax(0) - 1e-4)  # (prompts, h, w); also True for nan
    for tile in tiles(logits.shape[1:], size):
        prompts = can_win[:, *tile.points].flatten(1).any(1).nonzero()[:, 0]
        best, index = tile.interpolate(logits[prompts]).max(dim=0)
        tile_labels = class_of[prompts][index]
        if threshold > 0:  # the best score is 1 / sum exp(logit - best)
            total = tile.interpolate(logits).sub_(best).exp_().sum(0)
            tile_labels[total * threshold > 1] = -1
        out[tile.pixels] = tile_labels
    return out


def per_class(prompts: Tensor, classes: Sequence[int]) -> Tensor:
    """Maximum over a class's prompts: (prompts, ...) to (classes, ...). Prompts of -1 come last."""
    n = max(classes) + 1
    typed = [index for index in classes if index >= 0]
    prompts = prompts[: len(typed)]
    if typed == list(range(n)):
        return prompts
    index = torch.tensor(typed, device=prompts.device)
    index = index.view(-1, *[1] * (prompts.dim() - 1)).expand_as(prompts)
    out = prompts.new_full((n, *prompts.shape[1:]), float("-inf"))
    return out.scatter_reduce_(0, index, prompts, "amax")


def mean_scores(
    logits: Tensor, classes: Sequence[int], labels: Tensor, regions: Tensor
) -> list[float]:
    """The mean score that the pixels of each region have for their class in ``labels``.

    Both maps are (height, width); ``regions`` are numbered from 0, -1 is none.
    """
    totals, counts = torch.zeros(2, int(regions.max()) + 1, dtype=torch.float64)
    for tile in tiles(logits.shape[1:], (labels.shape[0], labels.shape[1])):
        here, region = (of[tile.pixels].flatten().long() for of in (labels, regions))
        own = per_class(tile.interpolate(logits).softmax(dim=0), classes).flatten(1)
        values = own.gather(0, here.clamp(min=0)[None])[0].double()
        totals.index_add_(0, region[region >= 0], values[region >= 0])
        counts += region[region >= 0].bincount(minlength=len(counts))
    return (totals / counts.clamp(min=1)).tolist()


def connected_parts(inside: NDArray[np.bool_], corners: bool = False) -> NDArray[np.intp]:
    """The connected parts of a map, numbered from 1, else 0; ``corners`` says if these connect."""
    labelled: Any = ndimage.label(inside, np.ones((3, 3)) if corners else None)
    return labelled[0]
