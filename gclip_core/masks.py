"""From logits on the patch grid to scores and labels, never holding all classes at full size.

Logits are (entries, h, w) float32, one entry per synonym; ``owner[e]`` is the class of entry ``e``,
-1 for the hidden words of the rest, which come last and compete like others.
Bilinear interpolation is PyTorch's with ``align_corners=False``.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gclip_core.types import Grid, Vocabulary

TILE_ELEMENTS = 1 << 20
"""Entries x pixels worked on at a time; small enough to stay in a processor's cache."""


def owners(vocabulary: Vocabulary, n_hidden: int = 0) -> tuple[int, ...]:
    """The class of every phrase, in the order of ``vocabulary.phrases``; -1 for hidden words."""
    typed = (i for i, synonyms in enumerate(vocabulary.classes) for _ in synonyms)
    return (*typed, *[-1] * n_hidden)


def scores(logits: Tensor, owner: Sequence[int], size: Grid) -> Tensor:
    """Softmax over entries, maximum over a class's synonyms: (classes, *size) float32.

    The columns of a class with synonyms need not sum to 1, nor those beside hidden words.
    """
    out = torch.empty(max(owner) + 1, *size)
    for rows, columns, tile in _tiles(logits, size):
        out[:, rows, columns] = _per_class(tile.softmax(dim=0), owner)
    return out


def labels(logits: Tensor, owner: Sequence[int], size: Grid, threshold: float = 0.0) -> Tensor:
    """The best class of every pixel: ``size`` int16.

    -1 where a hidden word is best, or where the best score is under ``threshold``.
    """
    out = torch.empty(size, dtype=torch.int16)
    classes = torch.tensor(owner, dtype=torch.int16)
    for rows, columns, tile in _tiles(logits, size):
        best, entry = tile.max(dim=0)
        index = classes[entry]
        if threshold > 0:
            score = (best - tile.logsumexp(dim=0)).exp()
            index = torch.where(score < threshold, -1, index)
        out[rows, columns] = index
    return out


def scores_at(logits: Tensor, owner: Sequence[int], size: Grid, row: int, column: int) -> Tensor:
    """The scores of one pixel of an image of ``size``: (classes,) float32."""
    rows, columns = slice(row, row + 1), slice(column, column + 1)
    tile = _interpolate(logits, size, rows, columns)
    return _per_class(tile.softmax(dim=0), owner)[:, 0, 0]


def _per_class(entries: Tensor, owner: Sequence[int]) -> Tensor:
    """Maximum over the entries of a class: (entries, ...) to (classes, ...)."""
    n = max(owner) + 1
    owner = [one for one in owner if one >= 0]
    entries = entries[: len(owner)]
    if n == len(owner):
        return entries
    index = torch.tensor(owner).view(-1, *[1] * (entries.dim() - 1)).expand_as(entries)
    out = entries.new_full((n, *entries.shape[1:]), float("-inf"))
    return out.scatter_reduce_(0, index, entries, "amax")


def _tiles(logits: Tensor, size: Grid) -> Iterator[tuple[slice, slice, Tensor]]:
    """Interpolated logits tile by tile: row range, column range, (entries, rows, columns)."""
    height, width = size
    pixels = max(1, TILE_ELEMENTS // logits.shape[0])
    n_columns = min(width, pixels)
    n_rows = max(1, pixels // n_columns)
    for top in range(0, height, n_rows):
        rows = slice(top, min(top + n_rows, height))
        for left in range(0, width, n_columns):
            columns = slice(left, min(left + n_columns, width))
            yield rows, columns, _interpolate(logits, size, rows, columns)


def _interpolate(logits: Tensor, size: Grid, rows: slice, columns: slice) -> Tensor:
    y0, y1, dy = _positions(logits.shape[1], size[0], rows)
    vertical = torch.lerp(logits[:, y0], logits[:, y1], dy[:, None])  # (entries, rows, w)
    return vertical @ _mixing(logits.shape[2], size[1], columns)


def _mixing(n: int, length: int, span: slice) -> Tensor:
    """Linear interpolation as a matrix, (n, columns): a product is twice as fast as a gather."""
    left, right, weight = _positions(n, length, span)
    mixing = torch.zeros(n, len(weight))
    column = torch.arange(len(weight))
    mixing[left, column] = 1 - weight
    mixing.index_put_((right, column), weight, accumulate=True)  # both are one at the edge
    return mixing


def _positions(n: int, length: int, span: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Both grid neighbours of every output pixel in ``span``, and the weight of the second."""
    at = (torch.arange(span.start, span.stop, dtype=torch.float32) + 0.5) * (n / length) - 0.5
    at = at.clamp_(min=0)
    low = at.long().clamp_(max=n - 1)
    return low, (low + 1).clamp_(max=n - 1), at - low
