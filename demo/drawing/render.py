"""Masks drawn over pictures, arrays pooled and resized for drawing. Uses no model and no page.

Shapes: an image is PIL RGB; ``labels`` is (H, W) integers, -1 for no class; ``grid`` is (h, w)
patches; a ``matrix`` of attention is (N, N) with N = h*w. An ``ArrayLike`` may also be a torch
tensor on the CPU. A mask over a picture is at most ``max_side`` pixels on its longer side.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from demo.drawing import pills
from demo.drawing.lettering import drawable
from gclip_core import palette

MAX_SIDE = 1024
SMALLEST_LABELLED = 0.006
POLE_SIDE = 128


def overlay(
    image: Image.Image,
    labels: ArrayLike,
    names: Sequence[str],
    opacity: float = 0.6,
    max_side: int = MAX_SIDE,
    letters: float = 1.0,
) -> Image.Image:
    """The mask over the image, with thin outlines and the word on each large region.

    ``letters`` is how much larger the words are, for a picture that is shown small.
    """
    picture = fit(image, max_side)
    small = nearest(np.asarray(labels), (picture.height, picture.width)).astype(np.int32)
    mask = Image.fromarray(palette.table(names)[small])
    blended = Image.blend(picture, mask, float(np.clip(opacity, 0, 1)))
    lines = _outlines(small)
    blended.paste(lines, (0, 0), lines)
    _write_words(blended, small, names, letters)
    return blended


def full_scale(values: ArrayLike) -> float:
    """The value of full brightness: the 99.5th percentile, at least 8 times the mean.

    The percentile alone would drown one bright column among hundreds: it may be uniform attention.
    """
    array = np.asarray(values, np.float32)
    return max(float(np.quantile(array, 0.995)), 8 * float(array.mean()))


def pool_keys(rows: NDArray[np.float32], square: int) -> NDArray[np.float32]:
    """Mean over equal squares of (n, h, w), the last square cut at the border."""
    cut = {"ceil_mode": True, "count_include_pad": False}
    return F.avg_pool2d(torch.from_numpy(rows), square, **cut).numpy()


def pool_patches(
    matrix: NDArray[np.float32], grid: tuple[int, int], square: int
) -> NDArray[np.float32]:
    """(N, N) averaged over squares of patches on both sides."""
    if square == 1:
        return matrix
    n = grid[0] * grid[1]
    keys = pool_keys(matrix.reshape(n, *grid), square).reshape(n, -1)
    both = pool_keys(keys.T.reshape(keys.shape[1], *grid), square)
    return np.ascontiguousarray(both.reshape(keys.shape[1], -1).T)


def fitting(shape: tuple[int, ...], max_side: int) -> tuple[int, int]:
    """Height and width with the longer side at most ``max_side``."""
    scale = min(1.0, max_side / max(shape[:2]))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def fit(image: Image.Image, max_side: int) -> Image.Image:
    """An RGB picture, at most ``max_side`` pixels on its longer side."""
    height, width = fitting((image.height, image.width), max_side)
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file of one of Pillow's kinds."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def nearest(labels: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Labels at another size, each pixel its nearest."""
    if labels.shape == shape:
        return labels
    rows = (np.arange(shape[0]) + 0.5) * labels.shape[0] // shape[0]
    columns = (np.arange(shape[1]) + 0.5) * labels.shape[1] // shape[1]
    return labels[rows.astype(int)[:, None], columns.astype(int)]


def _outlines(labels: NDArray[np.int32]) -> Image.Image:
    """White lines with a dark edge between regions, transparent elsewhere, RGBA."""
    edge = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[1:] |= down
    thick = edge.copy()
    thick[:, :-1] |= edge[:, 1:]
    thick[:-1] |= edge[1:]
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    rgba[thick] = (20, 22, 28, 150)
    rgba[edge] = (255, 255, 255, 235)
    return Image.fromarray(rgba)


def word_places(labels: NDArray[np.int32], n: int) -> dict[int, tuple[float, float, float]]:
    """Where each large class's word goes, the largest class first.

    Row and column of the innermost point of its widest region and how far the next region is, all
    in shares of the height of ``labels``, which are under ``n``.
    """
    small = nearest(labels, fitting(labels.shape, POLE_SIDE))
    depth = _depth(small)
    counts = np.bincount((small + 1).clip(0).ravel(), minlength=n + 1)[1:]
    places = {}
    for index in np.argsort(-counts):
        if counts[index] < SMALLEST_LABELLED * small.size:
            break
        inside = np.where(small == index, depth, 0)
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        place = (row + 0.5, column + 0.5, depth[row, column])
        places[int(index)] = tuple(round(float(x) / small.shape[0], 4) for x in place)
    return places


def _write_words(
    picture: Image.Image, labels: NDArray[np.int32], names: Sequence[str], letters: float
) -> None:
    """Write each large class's word at the innermost point of its widest region."""
    draw = ImageDraw.Draw(picture)
    scale, colours = labels.shape[0], palette.of_names(names)
    taken: list[tuple[float, float, float, float]] = []
    for index, (row, column, radius) in word_places(labels, len(names)).items():
        least, largest = round(11 * letters), letters * (max(picture.size) / 46 + 4)
        size = int(np.clip(radius * scale * 0.55, least, largest))
        word = drawable(names[index], index)
        for smaller in dict.fromkeys((size, max(least, round(size * 0.65)))):
            centre = (column * scale, row * scale)
            box = _placed(pills.box(word, smaller), centre, picture.size)
            if box is None or any(_overlap(box, other) for other in taken):
                continue
            taken.append(box)
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            ink = palette.ink_on(colours[index])
            pills.pill(draw, middle, word, smaller, colours[index], ink)
            break


def _placed(
    box: tuple[int, int], centre: tuple[float, float], picture: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of a box moved inside the picture; None where it does not fit."""
    width, height = box
    if width > picture[0] - 4 or height > picture[1] - 4:
        return None
    x = min(max(centre[0], width / 2 + 2), picture[0] - width / 2 - 2)
    y = min(max(centre[1], height / 2 + 2), picture[1] - height / 2 - 2)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _depth(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """How many steps (city block) each pixel is from the next region or the border."""
    around = np.pad(labels, 1, constant_values=-2)
    beside = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    edge = np.any([neighbour != labels for neighbour in beside], axis=0)
    far = np.where(edge, 1, sum(labels.shape)).astype(np.int32)
    for _ in range(4):  # along each way, one step more than the pixel before
        along = np.arange(far.shape[0], dtype=np.int32)[:, None]
        far = np.rot90(np.minimum.accumulate(far - along) + along)
    return far


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether two boxes (left, top, right, bottom) have a point in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
