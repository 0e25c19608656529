"""Masks whose edges follow the picture, with calm outlines, without any training.

A refinement makes the score of every class a function of the picture's colours,
``q = a · I + b``, with coefficients on a small grid. They are interpolated to the picture's own
size and applied there, so that edges are as sharp as the picture. Then outlines are smoothed and
specks go (:func:`calm`). Formulas are in METHOD.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import ceil, prod, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from torch import Tensor

from gclip_core import images, masks
from gclip_core.errors import GclipError
from gclip_core.tables import find, table
from gclip_core.types import Grid, Segmentation

CELL = 4
"""Side in pixels of the cells that have coefficients of the guided filter."""
RADIUS = 4
"""Radius of the guided filter's windows in cells, for a short side of SIDE."""
EPSILON = 1e-3
"""Ridge of the guided filter's regression, for colours from 0 to 1. A channel whose variance in a
window is far below it does not change the scores there."""
SIDE = 320
"""Maximum short side of the picture from which the guided filter's coefficients are computed."""
DILATIONS = (8, 16)
"""Distances in pixels of the neighbours of PAMR, eight at each distance (SCLIP's settings)."""
STEPS = 10
"""Iterations of PAMR."""
MAX_APPLIED = 100_000_000
"""Pixels times classes to which coefficients are applied, in a second or two. A mask of more is
computed on a smaller picture and enlarged."""
CLASSES_AT_A_TIME = 16
"""Number of classes whose coefficients are computed at a time, to save memory."""
SMOOTHING = 0.4
"""Side of the square in which pixels vote for a smooth outline, in patches."""
SPECK = 1.0
"""Patches; a region of a smaller area is a speck, unless it is the largest of its class."""

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Entries of a symmetric 3 × 3 matrix of colour channels."""


@dataclass(frozen=True)
class Refinement:
    """An entry of REFINEMENTS.

    ``coefficients(guide, scores)`` are computed from a small picture (3, h, w), with colours from 0
    to 1, and the class scores (C, h, w): (C, k, h, w) float32. With ``k = 4`` they are the weights
    of three colours and a constant, with ``k = 1`` the constant alone. ``size(picture, resized,
    most)`` is the size of the small picture, from the picture's and that which the tower sees, with
    at most ``most`` pixels; ``elements`` is the most of its pixels times classes.
    """

    name: str
    title: str
    coefficients: Callable[[Tensor, Tensor], Tensor] | None = None
    size: Callable[[Grid, Grid, float], Grid] | None = None
    elements: int = 0


def refined(result: Segmentation, picture: Image.Image, name: str) -> Segmentation:
    """A plain segmentation with labels and scores that follow ``picture``.

    ``name`` is that of a REFINEMENTS entry. ``picture`` is the image that was segmented, RGB, at
    its own size. Classes compete with the background, and the threshold applies to refined scores.

    Raises:
        GclipError: no such refinement, a picture of another size, or a refined segmentation.
    """
    entry = find_refinement(name)
    height, width = size = tuple(result.labels.shape)
    if (picture.height, picture.width) != size:
        raise GclipError(
            f"The picture that was segmented, {height} × {width} (height × width), was expected, "
            f"but {picture.height} × {picture.width} came; pass the same picture."
        )
    if result.refined != "none":
        raise GclipError(
            f"A segmentation with refine='none' was expected, but '{result.refined}' came."
        )
    if entry.coefficients is None:
        return result
    n = len(result.vocabulary)
    # All background prompts together are one more class.
    classes = tuple(n if index < 0 else index for index in result.prompt_classes)
    n_scores = max(classes) + 1
    guide = images.resize(picture, entry.size(size, result.resized, entry.elements / n_scores))
    coefficients = partial(_coefficients, result.logits, classes, guide, entry)
    shown = images.resize(picture, _at_most(size, MAX_APPLIED / n_scores))
    labels = _resized(_labels(coefficients(), shown, n, result.threshold), size)
    patch = sqrt(prod(size) / prod(result.logits.shape[1:]))
    labels = torch.from_numpy(calm(labels.numpy(), patch))
    small = images.resize(picture, result.resized)
    return replace(
        result,
        labels=labels,
        refined=entry.name,
        # It refers to small pictures alone, not to that which was segmented.
        compute_scores=lambda: _scores(coefficients(), small, n, labels, result.threshold),
    )


def find_refinement(name: str) -> Refinement:
    """The REFINEMENTS entry of that name. Raises GclipError, which lists the valid names."""
    return find(REFINEMENTS, name, "refinement", GclipError)


def guided_filter(guide: Tensor, scores: Tensor) -> Tensor:
    """The guided filter's coefficients for scores (C, h, w): (C, 4, h / CELL, w / CELL) float32.

    ``h`` and ``w`` are multiples of CELL. Windows are ``2 RADIUS + 1`` cells a side at a short side
    of SIDE, fewer in a smaller picture, and are cut at the border. A window's coefficients are
    those of a ridge regression, over its pixels, of the score on the guide's three colours. A
    cell's are the mean of those of the windows that it is in (He, Sun, Tang 2013, equations 19 to
    21).
    """
    radius = max(1, round(RADIUS * min(guide.shape[1:]) / SIDE))
    mean = partial(_window_means, radius=radius)
    colour = mean(_cells(guide))
    covariance = mean(_cells(torch.stack([guide[i] * guide[j] for i, j in _PAIRS])))
    for entry, (i, j) in zip(covariance, _PAIRS, strict=True):
        entry -= colour[i] * colour[j]
        if i == j:
            entry += EPSILON
    score = mean(_cells(scores))
    shared = torch.stack([mean(_cells(scores * channel)) for channel in guide], dim=1)
    shared -= score[:, None] * colour
    weights = torch.einsum("ijhw,cjhw->cihw", _inverse(covariance), shared)
    constant = score - (weights * colour).sum(1)
    return mean(torch.cat([weights, constant[:, None]], dim=1))


def pamr(guide: Tensor, scores: Tensor) -> Tensor:
    """Pixel-adaptive mask refinement of scores (C, h, w): (C, 1, h, w) float32.

    Each step replaces a pixel's score by a weighted mean of its neighbours' scores. The weights are
    a softmax over the neighbours, by their distance in colour (Araslanov, Roth 2020, section 3.3).
    """
    deviation = torch.stack([*_neighbours(guide, centre=True)]).std(0)
    distances = [
        ((colour - guide).abs() / (1e-8 + 0.1 * deviation)).mean(0) for colour in _neighbours(guide)
    ]
    weights = torch.stack(distances).neg_().softmax(0)
    for _ in range(STEPS):
        mixed = torch.zeros_like(scores)
        for weight, neighbour in zip(weights, _neighbours(scores), strict=True):
            mixed.addcmul_(neighbour, weight)
        scores = mixed
    return scores[:, None]


def calm(labels: NDArray[np.int16], patch: float) -> NDArray[np.int16]:
    """Labels (height, width) with smooth outlines and without specks; "no class" (-1) is a class.

    Each pixel gets the class that most pixels have in a square of SMOOTHING patches a side. Then
    each connected region under SPECK patches, unless it is the largest of its class, gets the class
    of the nearest pixel around it. ``patch`` is a patch's side in pixels.
    """
    radius = SMOOTHING * patch / 2
    smooth, most_votes = labels.copy(), np.zeros(labels.shape, np.uint8)
    for label, box in _boxes(labels, margin=ceil(radius)):
        mine = Image.fromarray(np.uint8(labels[box] == label) * 255)
        votes = np.asarray(mine.filter(ImageFilter.BoxBlur(radius)))
        np.copyto(smooth[box], np.int16(label), where=votes > most_votes[box])
        np.maximum(votes, most_votes[box], out=most_votes[box])
    specks = np.zeros(labels.shape, bool)
    for label, box in _boxes(smooth, margin=0):
        regions, _ = ndimage.label(smooth[box] == label)
        areas = np.bincount(regions.flat)
        is_speck = areas < SPECK * patch**2
        is_speck[[0, 1 + areas[1:].argmax()]] = False
        specks[box] |= is_speck[regions]
    if not specks.any():
        return smooth
    return smooth[tuple(ndimage.distance_transform_edt(specks, None, False, True))]


def _boxes(labels: NDArray[np.int16], margin: int) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Each label with the rows and columns of its pixels, and of ``margin`` pixels around them."""
    for label, box in enumerate(ndimage.find_objects(labels.astype(np.int32) + 2), -1):
        if box is not None:
            yield label, tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)


def _cells(x: Tensor) -> Tensor:
    """Means over cells of CELL pixels a side: (n, h, w) to (n, h / CELL, w / CELL)."""
    return F.avg_pool2d(x, CELL)


def _window_means(x: Tensor, radius: int) -> Tensor:
    """Means over windows of ``2 radius + 1`` a side, cut at the border: (..., h, w)."""
    side = 2 * radius + 1
    means = F.avg_pool2d(x.flatten(0, -3), side, 1, radius, count_include_pad=False)
    return means.view_as(x)


def _inverse(matrix: Tensor) -> Tensor:
    """Inverses of symmetric matrices, given by the entries of _PAIRS (6, h, w): (3, 3, h, w)."""
    a, b, c, d, e, f = matrix
    rows = (
        (d * f - e * e, c * e - b * f, b * e - c * d),
        (c * e - b * f, a * f - c * c, b * c - a * e),
        (b * e - c * d, b * c - a * e, a * d - b * b),
    )
    determinant = a * rows[0][0] + b * rows[0][1] + c * rows[0][2]
    return torch.stack([torch.stack(row) for row in rows]) / determinant


def _neighbours(x: Tensor, centre: bool = False) -> Iterator[Tensor]:
    """``x`` (n, h, w) moved to each neighbour of DILATIONS; beyond the border as at the border."""
    height, width = x.shape[-2:]
    for distance in DILATIONS:
        padded = F.pad(x[None], [distance] * 4, mode="replicate")[0]
        for down, right in product(range(3), range(3)):
            if centre or (down, right) != (1, 1):
                rows = slice(down * distance, down * distance + height)
                columns = slice(right * distance, right * distance + width)
                yield padded[:, rows, columns]


def _at_most(size: Grid, most: float) -> Grid:
    """The size, or one of the same shape with about ``most`` pixels."""
    shrink = min(1.0, sqrt(most / prod(size)))
    height, width = (max(1, round(side * shrink)) for side in size)
    return height, width


def _guided_size(picture: Grid, resized: Grid, most: float) -> Grid:
    """Whole cells; about SIDE pixels at the short side, and not much more than in a square."""
    shrink = min(1.0, SIDE / min(picture), sqrt(min(most, 3 * SIDE**2) / prod(picture)))
    height, width = (CELL * max(1, round(side * shrink / CELL)) for side in picture)
    return height, width


def _pamr_size(picture: Grid, resized: Grid, most: float) -> Grid:
    return _at_most(resized, most)


REFINEMENTS: dict[str, Refinement] = table(
    Refinement("none", "none"),
    Refinement("guided", "guided filter", guided_filter, _guided_size, 40_000_000),
    Refinement("pamr", "PAMR", pamr, _pamr_size, 6_000_000),
)
"""How the edges of a mask may follow the picture."""


def _coefficients(
    logits: Tensor, classes: Sequence[int], guide: Image.Image, entry: Refinement
) -> Tensor:
    """Coefficients of each class, and of the background if there is one: (classes, k, h, w)."""
    colours = _colours(np.asarray(guide))
    scores = masks.scores(logits, classes, (guide.height, guide.width))
    parts = scores.split(CLASSES_AT_A_TIME)
    return torch.cat([entry.coefficients(colours, part) for part in parts])


def _colours(pixels: np.ndarray) -> Tensor:
    """Colours from 0 to 1, (3, h, w) float32, of pixels (h, w, 3) uint8."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous().float().div_(255)


def _applied(coefficients: Tensor, picture: Image.Image) -> Iterator[tuple[slice, Tensor]]:
    """Scores of each class at a picture's pixels, as rows and (classes, rows, width)."""
    pixels = np.asarray(picture)
    n, k = coefficients.shape[:2]
    for _, strip in masks.strips(coefficients.flatten(0, 1), pixels.shape[:2]):
        parts = strip.pixels().unflatten(0, (n, k))
        score = parts[:, -1]
        if k > 1:
            for channel, colour in enumerate(_colours(pixels[strip.rows])):
                score.addcmul_(parts[:, channel], colour)
        yield strip.rows, score


def _resized(labels: Tensor, size: Grid) -> Tensor:
    """Labels of the nearest pixels, for an image of another size."""
    return F.interpolate(labels[None, None].float(), size)[0, 0].to(torch.int16)


def _labels(coefficients: Tensor, picture: Image.Image, n: int, threshold: float) -> Tensor:
    """The best of ``n`` classes of each pixel: (height, width) int16; -1 as in masks.labels."""
    out = torch.empty(picture.height, picture.width, dtype=torch.int16)
    for rows, score in _applied(coefficients, picture):
        best, index = score.max(0)
        index[index >= n] = -1
        if threshold > 0:
            index[best < threshold] = -1
        out[rows] = index
    return out


def _scores(
    coefficients: Tensor, picture: Image.Image, n: int, labels: Tensor, threshold: float
) -> Tensor:
    """Refined scores of ``n`` classes, (n, h, w) float32 at the size of ``picture``.

    Where :func:`calm` has changed the label, its score and the best one change places.
    """
    out = torch.empty(len(coefficients), picture.height, picture.width)
    for rows, score in _applied(coefficients, picture):
        out[:, rows] = score
    best, index = out.max(0, keepdim=True)
    calmed = _resized(labels, out.shape[1:])[None].long()
    none = torch.full_like(index, n) if len(out) > n else index  # n: the background
    none = none.where(best >= threshold, index)
    calmed = calmed.where(calmed >= 0, none)
    own = out.gather(0, calmed)
    return out.scatter_(0, index, own).scatter_(0, calmed, best)[:n]
