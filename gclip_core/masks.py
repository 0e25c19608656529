"""From logits on the patch grid to scores and labels of pixels, one tile of pixels at a time.

Logits are (entries, h, w) float32, one entry per synonym or hidden word; ``owner[e]`` is the class
of entry ``e``. Hidden words come last, and their class is -1. Bilinear interpolation is PyTorch's
with ``align_corners=False``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.types import Grid, Overtaken, Segmentation, Vocabulary

REST_WEIGHT = 0.9
"""Weight of hidden words, chosen on 50 photos (see METHOD.md, Background)."""
TILE_ELEMENTS = 1 << 20
"""Entries times pixels of a tile at most, so that a tile fits a processor's cache."""
TILE_SIDE = 112
"""Pixels. In a smaller tile fewer entries can have the largest logit, but there are more tiles."""
CELL_SIDE = 24
"""Pixels; the minimum side of a cell, a part of the square between four grid points."""


def owners(vocabulary: Vocabulary, n_hidden: int = 0) -> tuple[int, ...]:
    """The class of every phrase, in the order of ``vocabulary.phrases``; -1 for hidden words."""
    typed = (i for i, synonyms in enumerate(vocabulary.classes) for _ in synonyms)
    return (*typed, *[-1] * n_hidden)


def weaken(logits: Tensor, n_hidden: int, weight: float) -> Tensor:
    """Logits (entries, h, w) with the last ``n_hidden`` moved towards the mean of all entries.

    Each becomes ``mean + weight (logit - mean)``: a weight of 1 changes nothing.
    """
    if not n_hidden or weight == 1:
        return logits
    typed, hidden = logits[:-n_hidden], logits[-n_hidden:]
    return torch.cat([typed, logits.mean(0).lerp(hidden, weight)])


def scores(logits: Tensor, owner: Sequence[int], size: Grid) -> Tensor:
    """Softmax over entries, then the maximum over a class's synonyms: (classes, *size) float32.

    With synonyms or hidden words the scores of a pixel sum to less than 1.
    """
    out = torch.empty(max(owner) + 1, *size)
    for rows, columns in tiles(logits, size):
        tile = interpolated(logits, rows, columns).softmax(dim=0)
        out[:, rows.pixels, columns.pixels] = per_class(tile, owner)
    return out


def overtaken(result: Segmentation, least: float = 0.01) -> tuple[Overtaken, ...]:
    """Classes of known words with less than ``least`` of the pixels, and what wins in their place.

    That is the class or hidden word with the largest logit at most of the patches, a fiftieth of
    all, where the class's own logit is largest.
    """
    unknown = {phrase.phrase for phrase in result.unknown}
    logits = result.logits.flatten(1)
    by_class = per_class(logits, result.owner)
    every = torch.cat([by_class, logits[len(logits) - len(result.hidden) :]])
    winner = every.argmax(0)
    names = (*result.vocabulary.names, *result.hidden)
    n_best = -(-logits.shape[1] // 50)
    rows = []
    for index, area in enumerate(result.areas()):
        if area >= least or unknown.issuperset(result.vocabulary.classes[index]):
            continue
        wins = winner[by_class[index].topk(n_best).indices].bincount(minlength=len(every))
        wins[index] = 0
        if wins.any():
            best = int(wins.argmax())
            is_hidden = best >= len(by_class)
            rows.append(Overtaken(names[index], area, names[best], is_hidden))
    return tuple(rows)


def labels(logits: Tensor, owner: Sequence[int], size: Grid, threshold: float = 0.0) -> Tensor:
    """The best class of each pixel: (height, width) int16.

    -1 if a hidden word is best, or if the best score is under ``threshold``.
    """
    out = torch.empty(size, dtype=torch.int16)
    classes = torch.tensor(owner, dtype=torch.int16)
    parts = _parts(logits, size)
    can_win = _can_win(logits, parts, threshold)
    for rows, columns in tiles(logits, size, parts):
        entries = can_win[:, rows.cells, columns.cells].flatten(1).any(1).nonzero()[:, 0]
        if len(entries) == 1 and not threshold:
            out[rows.pixels, columns.pixels] = classes[entries]
            continue
        tile = interpolated(logits[entries], rows, columns)
        best, entry = tile.max(dim=0)
        index = classes[entries][entry]
        if threshold > 0:
            score = (best - tile.logsumexp(dim=0)).exp()
            index = torch.where(score < threshold, -1, index)
        out[rows.pixels, columns.pixels] = index
    return out


def _parts(logits: Tensor, size: Grid) -> int:
    """The number of cells between two neighbouring points of the grid, along an axis."""
    pixels = min(length // n for n, length in zip(logits.shape[1:], size, strict=True))
    return max(1, min(pixels // CELL_SIDE, isqrt(TILE_ELEMENTS // logits.numel())))


def _can_win(logits: Tensor, parts: int, threshold: float) -> Tensor:
    """Whether an entry can have the largest logit in a cell: bool (entries, cells, cells).

    Interpolated logits are between those at the cell's corners. So an entry is never the largest if
    its largest corner value is below the smallest corner value of another entry.
    """
    h, w = ((n - 1) * parts + 1 for n in logits.shape[1:])
    if threshold > 0:
        return torch.ones(len(logits), h, w, dtype=torch.bool)
    corners = F.interpolate(logits[None], (h, w), mode="bilinear", align_corners=True)[0]
    padded = F.pad(corners, (0, 1, 0, 1), mode="replicate")
    largest, smallest = F.max_pool2d(padded, 2, 1), -F.max_pool2d(-padded, 2, 1)
    return ~(largest < smallest.amax(0) - 1e-4)  # also True for nan


def scores_at(logits: Tensor, owner: Sequence[int], size: Grid, row: int, column: int) -> Tensor:
    """The scores of one pixel of an image of ``size``: (classes,) float32."""
    strips = map(_strip, logits.shape[1:], size, (row, column), (row + 1, column + 1))
    return per_class(interpolated(logits, *strips).softmax(dim=0), owner)[:, 0, 0]


def per_class(entries: Tensor, owner: Sequence[int]) -> Tensor:
    """Maximum over the entries of a class: (entries, ...) to (classes, ...)."""
    n = max(owner) + 1
    owner = [index for index in owner if index >= 0]
    entries = entries[: len(owner)]
    if n == len(owner):
        return entries
    index = torch.tensor(owner).view(-1, *[1] * (entries.dim() - 1)).expand_as(entries)
    out = entries.new_full((n, *entries.shape[1:]), float("-inf"))
    return out.scatter_reduce_(0, index, entries, "amax")


def class_logits(result: Segmentation, grid: Grid) -> Tensor:
    """Logits of patches, (classes, N) float32, each the largest of a class's words.

    Where hidden words take part, a last row is the largest of theirs.
    """
    logits = result.logits
    if tuple(logits.shape[1:]) != grid:
        logits = F.interpolate(logits[None], grid, mode="bilinear", align_corners=False)[0]
    entries, n_typed = logits.flatten(1), len(logits) - len(result.hidden)
    by_class = per_class(entries, result.owner)
    if not result.hidden:
        return by_class
    return torch.cat([by_class, entries[n_typed:].amax(0, keepdim=True)])


def best_classes(
    result: Segmentation, grid: Grid, logit_scale: float, most: int = 3
) -> tuple[Tensor, Tensor, Tensor]:
    """The classes that match each patch best, (most, N) int64, with their cosines and shares.

    The index of hidden words is the number of classes. Shares are the softmax over these classes
    alone, so that the largest is that of the patch's label.
    """
    logits = class_logits(result, grid)
    best, index = logits.topk(min(most, len(logits)), dim=0)
    return index, best / logit_scale, best.softmax(0)


@dataclass(frozen=True, eq=False)
class _Strip:
    """Pixels along an axis, their cells, and the grid points between which they are.

    ``mixing`` (pixels, points) interpolates linearly: at most two weights in a row are nonzero.
    """

    pixels: slice
    points: slice
    mixing: Tensor
    cells: slice


def _strip(n: int, length: int, start: int, stop: int, parts: int = 1) -> _Strip:
    at = (torch.arange(start, stop, dtype=torch.float32) + 0.5) * (n / length) - 0.5
    at = at.clamp_(0, n - 1)
    first, last = int(at[0]), min(int(at[-1]) + 1, n - 1)
    cells = slice(int(at[0] * parts), int(at[-1] * parts) + 1)
    apart = at[:, None] - torch.arange(first, last + 1)
    mixing = (1 - apart.abs()).clamp_(min=0)
    return _Strip(slice(start, stop), slice(first, last + 1), mixing, cells)


def tiles(logits: Tensor, size: Grid, parts: int = 1) -> Iterable[tuple[_Strip, _Strip]]:
    """Rows and columns of the square tiles that cover ``size``."""
    side = max(1, min(TILE_SIDE, isqrt(TILE_ELEMENTS // len(logits))))
    rows, columns = (
        [_strip(n, length, at, min(at + side, length), parts) for at in range(0, length, side)]
        for n, length in zip(logits.shape[1:], size, strict=True)
    )
    return product(rows, columns)


def interpolated(logits: Tensor, rows: _Strip, columns: _Strip) -> Tensor:
    """Logits of pixels, (entries, rows, columns): two products, twice as fast as gathering."""
    return rows.mixing @ logits[:, rows.points, columns.points] @ columns.mixing.T
