"""Masks whose edges follow the picture and are calm: refinements of class scores, without training.

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
from gclip_core.numbering import check_index
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
MAX_PIXELS = 3 * SIDE**2
"""Maximum number of its pixels."""
DILATIONS = (8, 16)
"""Distances in pixels of the neighbours of PAMR, eight at each distance (SCLIP's settings)."""
STEPS = 10
"""Iterations of PAMR."""
SMOOTHING = 0.4
"""Side of the square in which pixels vote for a smooth outline, in patches."""
SPECK = 1.0
"""Patches; a region of a smaller area is a speck, unless it is the largest of its class."""
MAX_SECONDS = 2.0
"""A refinement whose estimated time on one core is longer is left out."""
MAX_BYTES = 256 * 10**6
"""A refinement whose scores need more memory is left out."""
CLASSES_AT_A_TIME = 16
"""Number of classes whose coefficients are computed at a time, to save memory."""
SECONDS_PER_PIXEL = 1e-8
"""Estimated time per class to apply coefficients to a pixel of the picture."""

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Entries of a symmetric 3 × 3 matrix of colour channels."""


@dataclass(frozen=True)
class Refinement:
    """An entry of REFINEMENTS.

    ``coefficients(guide, scores)`` are computed from a small picture (3, h, w), with colours from 0
    to 1, and the class scores (C, h, w): (C, k, h, w) float32. With ``k = 4`` they are the weights
    of three colours and a constant, with ``k = 1`` the constant alone. ``size(picture, resized)``
    is the size of the small picture, from the picture's and that which the tower sees.
    ``seconds`` is the estimated time per class and pixel of the small picture.
    """

    name: str
    title: str
    coefficients: Callable[[Tensor, Tensor], Tensor] | None = None
    size: Callable[[Grid, Grid], Grid] | None = None
    seconds: float = 0.0
    authors: str = ""
    year: int | None = None


def refined(
    result: Segmentation,
    picture: Image.Image,
    refinement: str | Refinement,
    bounded: bool = True,
) -> Segmentation:
    """A plain segmentation with labels and scores that follow ``picture``.

    ``refinement`` is a REFINEMENTS entry or its name. ``picture`` is the image that was segmented,
    RGB, at its own size. Classes compete with the hidden words, and the threshold applies to the
    refined scores. If ``bounded`` and if it would take too much time or memory
    (:func:`is_affordable`), the result stays plain: its ``refined`` is "none", and ``notes`` has a
    sentence on it.

    Raises:
        GclipError: no such refinement, a picture of another size, or a refined segmentation.
    """
    entry = find_refinement(refinement)
    _check_picture(result, picture)
    if result.refined != "none":
        raise GclipError(
            f"A segmentation with refine='none' was expected, but '{result.refined}' came."
        )
    if entry.coefficients is None:
        return result
    if bounded and not is_affordable(result, entry):
        note = (
            f"The edges of this mask do not follow the picture: {len(result.vocabulary)} words on "
            f"{prod(result.labels.shape) / 1e6:.1f} megapixels would take too long. Use fewer "
            "words or a smaller picture."
        )
        return replace(result, notes=(*result.notes, note))
    guide, small = _guide(result, picture, entry), images.resize(picture, result.resized)
    coefficients = _coefficients(result.logits, _owners(result), guide, entry)
    n = len(result.vocabulary)
    labels = _labels(coefficients, picture, n, result.threshold)
    patch = sqrt(labels.numel() / prod(result.logits.shape[1:]))
    labels = torch.from_numpy(calm(labels.numpy(), patch))
    return replace(
        result,
        labels=labels,
        refined=entry.name,
        # It refers to small pictures alone, not to that which was segmented.
        _scores=partial(
            _scores,
            result.logits,
            _owners(result),
            n,
            labels,
            result.threshold,
            guide,
            small,
            entry,
        ),
    )


def alpha(
    result: Segmentation, picture: Image.Image, index: int, refinement: str | Refinement = "guided"
) -> Tensor:
    """The opacity of a class's cut-out, (height, width) uint8 at the picture's own size.

    255 where the refined mask has the class of ``index``, and 0 elsewhere.

    Raises:
        GclipError: no such refinement or class, or a picture of another size.
    """
    check_index("Class", index, len(result.vocabulary))
    return (refined(result, picture, refinement).labels == index).to(torch.uint8) * 255


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


def is_affordable(result: Segmentation, refinement: str | Refinement) -> bool:
    """Whether a refinement stays below MAX_SECONDS on one core, and below MAX_BYTES; estimated."""
    entry = find_refinement(refinement)
    if entry.size is None:
        return True
    n_classes = max(_owners(result)) + 1
    pixels = prod(result.labels.shape)
    small = prod(entry.size(tuple(result.labels.shape), result.resized))
    seconds = n_classes * (pixels * SECONDS_PER_PIXEL + small * entry.seconds)
    score_bytes = 4 * n_classes * small
    return seconds <= MAX_SECONDS and score_bytes <= MAX_BYTES


def find_refinement(name: str | Refinement) -> Refinement:
    """The REFINEMENTS entry of that name. Raises GclipError, which lists the valid names."""
    if isinstance(name, Refinement):
        return name
    return find(REFINEMENTS, name, "refinement", GclipError)


def guided_filter(guide: Tensor, scores: Tensor, radius: int, epsilon: float = EPSILON) -> Tensor:
    """The guided filter's coefficients for scores (C, h, w): (C, 4, h / CELL, w / CELL) float32.

    ``h`` and ``w`` are multiples of CELL, and windows are ``2 radius + 1`` cells a side, cut at the
    border. A window's coefficients are those of a ridge regression, over its pixels, of the score
    on the guide's three colours. A cell's are the mean of those of the windows that it is in (He,
    Sun, Tang 2013, equations 19 to 21).
    """
    mean = partial(_window_means, radius=radius)
    colour = mean(_cells(guide))
    covariance = mean(_cells(torch.stack([guide[i] * guide[j] for i, j in _PAIRS])))
    for entry, (i, j) in zip(covariance, _PAIRS, strict=True):
        entry -= colour[i] * colour[j]
        if i == j:
            entry += epsilon
    score = mean(_cells(scores))
    shared = torch.stack([mean(_cells(scores * channel)) for channel in guide], dim=1)
    shared -= score[:, None] * colour
    weights = torch.einsum("ijhw,cjhw->cihw", _inverse(covariance), shared)
    constant = score - (weights * colour).sum(1)
    return mean(torch.cat([weights, constant[:, None]], dim=1))


def pamr(guide: Tensor, scores: Tensor) -> Tensor:
    """Pixel-adaptive mask refinement of scores (C, h, w): (C, h, w) float32.

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
    return scores


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


def guided(radius: int = RADIUS, epsilon: float = EPSILON) -> Refinement:
    """:func:`guided_filter` as a refinement; ``radius`` is in cells at a short side of SIDE."""

    def coefficients(guide: Tensor, scores: Tensor) -> Tensor:
        cells = max(1, round(radius * min(guide.shape[1:]) / SIDE))
        return guided_filter(guide, scores, cells, epsilon)

    return Refinement(
        "guided", "guided filter", coefficients, _guided_size, 5e-8, "He, Sun, Tang", 2010
    )


def _guided_size(picture: Grid, resized: Grid) -> Grid:
    """Whole cells; at most about SIDE pixels at the short side and MAX_PIXELS in all."""
    shrink = min(1.0, SIDE / min(picture), sqrt(MAX_PIXELS / prod(picture)))
    height, width = (CELL * max(1, round(side * shrink / CELL)) for side in picture)
    return height, width


REFINEMENTS: dict[str, Refinement] = table(
    Refinement("none", "none"),
    guided(),
    Refinement(
        "pamr",
        "PAMR",
        lambda guide, scores: pamr(guide, scores)[:, None],
        lambda picture, resized: resized,
        3e-7,
        "Araslanov, Roth",
        2020,
    ),
)
"""How the edges of a mask may follow the picture."""


def _owners(result: Segmentation) -> tuple[int, ...]:
    """The class of each entry; hidden words together are one more class."""
    n = len(result.vocabulary)
    return tuple(n if owner < 0 else owner for owner in result.owner)


def _check_picture(result: Segmentation, picture: Image.Image) -> None:
    height, width = result.labels.shape
    if (picture.height, picture.width) != (height, width):
        raise GclipError(
            f"The picture that was segmented, {height} × {width} (height × width), was expected, "
            f"but {picture.height} × {picture.width} came; pass the same picture."
        )


def _guide(result: Segmentation, picture: Image.Image, entry: Refinement) -> Image.Image:
    """The small picture from which coefficients are computed."""
    return images.resize(picture, entry.size(tuple(result.labels.shape), result.resized))


def _coefficients(
    logits: Tensor, owners: Sequence[int], guide: Image.Image, entry: Refinement
) -> Tensor:
    """Coefficients of each class and of the hidden words: (classes, k, h, w) float32."""
    colours = _colours(np.asarray(guide))
    scores = masks.scores(logits, owners, (guide.height, guide.width))
    parts = scores.split(CLASSES_AT_A_TIME)
    return torch.cat([entry.coefficients(colours, part) for part in parts])


def _colours(pixels: np.ndarray) -> Tensor:
    """Colours from 0 to 1, (3, h, w) float32, of pixels (h, w, 3) uint8."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous().float().div_(255)


def _applied(coefficients: Tensor, picture: Image.Image) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and scores (classes, rows, columns) of the tiles of a picture."""
    pixels = np.asarray(picture)
    n, k = coefficients.shape[:2]
    flat = coefficients.flatten(0, 1)
    for rows, columns in masks.tiles(flat, pixels.shape[:2]):
        tile = masks.interpolated(flat, rows, columns).unflatten(0, (n, k))
        score = tile[:, -1]
        if k > 1:
            colours = _colours(pixels[rows.pixels, columns.pixels])
            for channel, colour in enumerate(colours):
                score.addcmul_(tile[:, channel], colour)
        yield rows.pixels, columns.pixels, score


def _labels(coefficients: Tensor, picture: Image.Image, n: int, threshold: float) -> Tensor:
    """The best of ``n`` classes of each pixel: (height, width) int16; -1 as in masks.labels."""
    out = torch.empty(picture.height, picture.width, dtype=torch.int16)
    for rows, columns, score in _applied(coefficients, picture):
        best, index = score.max(0)
        index[index >= n] = -1
        if threshold > 0:
            index[best < threshold] = -1
        out[rows, columns] = index
    return out


def _scores(
    logits: Tensor,
    owners: Sequence[int],
    n: int,
    labels: Tensor,
    threshold: float,
    guide: Image.Image,
    small: Image.Image,
    entry: Refinement,
) -> Tensor:
    """Refined scores of ``n`` classes, (n, h', w') float32 at the size of ``small``.

    Where :func:`calm` has changed the label, its score and the best one change places.
    """
    coefficients = _coefficients(logits, owners, guide, entry)
    out = torch.empty(len(coefficients), small.height, small.width)
    for rows, columns, score in _applied(coefficients, small):
        out[:, rows, columns] = score
    best, index = out.max(0, keepdim=True)
    calmed = F.interpolate(labels[None, None].float(), out.shape[1:])[0].long()  # nearest
    none = torch.full_like(index, n) if len(out) > n else index  # n: the hidden words
    none = none.where(best >= threshold, index)
    calmed = calmed.where(calmed >= 0, none)
    own = out.gather(0, calmed)
    return out.scatter_(0, index, own).scatter_(0, calmed, best)[:n]
