"""Masks with smooth outlines whose edges follow the image, without any training.

A refinement makes the score of every class a function of the image's colours, ``q = a · I + b``,
with coefficients on a small grid. These are upsampled to the image's own size and applied there,
so that edges are as sharp as the image. Then outlines are smoothed and specks removed
(``smooth_outlines``).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod, sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from torch import Tensor

from gclip_core.errors import GclipError, MethodError
from gclip_core.pixels import images, masks
from gclip_core.tables import Table
from gclip_core.types import Size

CELL = 2
"""Side in pixels of the cells that have coefficients of the guided filter."""
RADIUS = 4
"""Radius of the guided filter's windows in cells."""
EPSILON = 1e-4
"""Ridge penalty of the guided filter's regression, for colours from 0 to 1. A channel whose
variance in a window is far below it does not change the scores there."""
HAZE = 0.15
"""Opacity that counts as none in a cut-out; one minus it counts as full."""
LONGEST = 3
"""An image with a larger ratio of its sides is scaled to as many pixels as one of this ratio."""
SMOOTHING = 0.4
"""Side of the square in which pixels vote for a smooth outline, in patches."""
SPECK = 1.0
"""In patches: a region with a smaller area is a speck, unless it is the largest of its class."""


@dataclass(frozen=True)
class Refinement:
    """An entry of REFINEMENTS.

    ``coefficients(guide, scores)`` takes the image scaled to a shorter side of ``side`` pixels,
    (3, height, width) with colours from 0 to 1, and the class scores (C, height, width). It returns
    (C, 4, rows, columns) float32, the weights of three colours and a constant, or (C, 1, rows,
    columns), the constant alone. Height and width are multiples of CELL.
    """

    name: str
    title: str
    coefficients: Callable[[Tensor, Tensor], Tensor]
    side: int


def image_of(size: Size, image: images.Source | None) -> Image.Image:
    """The checked image that was encoded, whose ``size`` is (height, width).

    Raises GclipError for none or one of another size, and ImageError as ``images.check`` does.
    """
    if image is None:
        raise GclipError(
            "To refine the mask of an encoded image, the image itself is needed. Pass it as image=…"
        )
    image = images.check(image)
    if (image.height, image.width) != size:
        raise GclipError(
            f"This image has {image.height} × {image.width} pixels (height × width), but the one "
            f"that was encoded has {size[0]} × {size[1]}; pass the same image."
        )
    return image


def refined(
    logits: Tensor, prompt_classes: Sequence[int], image: Image.Image, name: str, threshold: float
) -> Tensor:
    """Labels as ``masks.labels``, with edges that follow ``image``; "no class" counts as a class.

    ``name`` is a name in REFINEMENTS. ``image`` is the checked image that was segmented, at its
    own size. The threshold applies to refined scores.
    """
    entry = REFINEMENTS[name]
    height, width = size = image.height, image.width
    # All background prompts together are one more class, and the threshold is the score of another.
    n = max(prompt_classes) + 1
    classes = [n if index < 0 else index for index in prompt_classes]
    share = min(entry.side / min(size), sqrt(LONGEST * entry.side**2 / prod(size)))
    small = CELL * max(1, round(height * share / CELL)), CELL * max(1, round(width * share / CELL))
    scores = masks.scores(logits, classes, small)
    scores = F.pad(scores, (0, 0, 0, 0, 0, 1), value=threshold)
    # A class that is best nowhere would get no pixel, so its score is not refined. But refined
    # scores may be below a threshold that no score was below before.
    best = scores.argmax(0).flatten()
    if threshold > 0:
        best = F.pad(best, (0, 1), value=len(scores) - 1)
    best = best.unique()
    guide = _colours(np.asarray(images.resize(image, small)))
    coefficients = entry.coefficients(guide, scores[best])
    labels = _labels(coefficients, np.asarray(image), best.where(best < n, -1))
    patch = sqrt(prod(size) / prod(logits.shape[1:]))
    return torch.from_numpy(smooth_outlines(labels.numpy(), patch))


def pamr(guide: Tensor, scores: Tensor, distances: Sequence[int], steps: int) -> Tensor:
    """Pixel-adaptive mask refinement of scores (C, height, width), the same shape and dtype.

    Each step replaces a pixel's score by a weighted mean over its neighbours, eight at each of the
    ``distances`` in pixels. The weights are a softmax over the neighbours of ``-|difference in
    colour| / (0.1 standard deviation)`` (Araslanov, Roth 2020, section 3.3), averaged over the
    colours. The standard deviation is that of the neighbours and the pixel itself, which counts
    once for each distance.
    """
    neighbours = [*_neighbours(guide, distances)]
    deviation = torch.stack([guide] * len(distances) + neighbours).std(0)
    differences = [((x - guide).abs() / (1e-8 + 0.1 * deviation)).mean(0) for x in neighbours]
    weights = torch.stack(differences).neg_().softmax(0)
    for _ in range(steps):
        mixed = torch.zeros_like(scores)
        for weight, neighbour in zip(weights, _neighbours(scores, distances), strict=True):
            mixed.addcmul_(neighbour, weight)
        scores = mixed
    return scores


def _neighbours(x: Tensor, distances: Sequence[int]) -> Iterator[Tensor]:
    """``x`` (n, height, width) shifted to each neighbour; values at the border are repeated."""
    height, width = x.shape[-2:]
    for distance in distances:
        padded = F.pad(x[None], [distance] * 4, mode="replicate")[0]
        for down, right in product(range(0, 2 * distance + 1, distance), repeat=2):
            if (down, right) != (distance, distance):
                yield padded[:, down : down + height, right : right + width]


def guided_filter(guide: Tensor, scores: Tensor) -> Tensor:
    """The guided filter's coefficients: (C, 4, height / CELL, width / CELL) float32.

    ``scores`` are (C, height, width), with multiples of CELL. Windows are ``2 RADIUS + 1`` cells a
    side, cut off at the border. A window's coefficients are those of a ridge regression, over its
    pixels, of the score on the guide's three colours. A cell's coefficients are the mean over all
    windows that contain it (He, Sun, Tang 2013, equations 19 to 21; on a coarser grid as in He, Sun
    2015).
    """

    def mean(x: Tensor) -> Tensor:  # over the windows around each cell
        return _window_means(F.avg_pool2d(x, CELL))

    colour, score = mean(guide), mean(scores)
    covariance = torch.stack([mean(guide * channel) for channel in guide])  # (3, 3, rows, columns)
    covariance += EPSILON * torch.eye(3)[..., None, None] - colour[:, None] * colour
    shared = torch.stack([mean(scores * channel) for channel in guide], dim=1)
    shared -= score[:, None] * colour
    weights = torch.einsum("hwij,cjhw->cihw", covariance.permute(2, 3, 0, 1).inverse(), shared)
    constant = score - (weights * colour).sum(1)
    return _window_means(torch.cat([weights, constant[:, None]], dim=1))


def _window_means(x: Tensor) -> Tensor:
    """Means of ``x`` (..., rows, columns) over windows of ``2 RADIUS + 1`` cells, cut off at the
    border."""
    for kernel, padding in (((2 * RADIUS + 1, 1), (RADIUS, 0)), ((1, 2 * RADIUS + 1), (0, RADIUS))):
        x = F.avg_pool2d(x, kernel, 1, padding, count_include_pad=False)
    return x


def _guided(guide: Tensor, scores: Tensor) -> Tensor:
    """PAMR moves an outline to an edge that may be a patch away; the filter makes it sharp."""
    return guided_filter(guide, pamr(guide, scores, (2, 4), 20))


def _pamr(guide: Tensor, scores: Tensor) -> Tensor:
    """With SCLIP's settings."""
    return pamr(guide, scores, (8, 16), 10)[:, None]


REFINEMENTS: Table[Refinement] = Table(
    Refinement("guided", "guided filter", _guided, 160),
    Refinement("pamr", "PAMR", _pamr, 320),
    what="refinement",
    error=MethodError,
)
"""The ways in which the edges of a mask can follow the image."""


def cut_out(image: Image.Image, inside: NDArray[np.bool_]) -> Image.Image:
    """The pixels of an image inside a mask (height, width) that has some, in RGBA without margins.

    The opacity is a guided filter's answer to "inside?", so that the edge is soft and follows the
    image. Transparent pixels are black: the image does not contain what was cut away.
    """
    margin = 2 * RADIUS * CELL  # a cell's coefficients depend on pixels up to there
    ((rows, columns),) = ndimage.find_objects(inside.astype(np.uint8))
    box = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in (rows, columns))
    pixels, mask = np.array(image.convert("RGBA"))[box], torch.from_numpy(inside[box])
    guide = _colours(pixels[..., :3])
    over = [0, -guide.shape[2] % CELL, 0, -guide.shape[1] % CELL]
    padded = (F.pad(part[None], over, mode="replicate")[0] for part in (guide, mask[None].float()))
    weights = F.interpolate(guided_filter(*padded)[0][None], scale_factor=CELL, mode="bilinear")[0]
    *colours, constant = weights[:, : guide.shape[1], : guide.shape[2]]
    opacity = sum((w * c for w, c in zip(colours, guide, strict=True)), constant)
    # The regression leaves a haze outside and inside, which is not an edge.
    opacity = ((opacity - HAZE) / (1 - 2 * HAZE)).clamp(0, 1).mul(255).round().byte().numpy()
    pixels[..., 3] = np.minimum(pixels[..., 3], opacity)
    cut = Image.fromarray(pixels * (opacity > 0)[..., None])
    return cut.crop(cut.getchannel("A").getbbox())


def smooth_outlines(labels: NDArray[np.int16], patch: float) -> NDArray[np.int16]:
    """Labels (height, width) with smooth outlines and no specks; "no class" (-1) is a class, too.

    Each pixel gets the majority class of a square of SMOOTHING patches a side. Then each connected
    region under SPECK patches, unless it is the largest of its class, gets the class of the nearest
    pixel around it. ``patch`` is a patch's side in pixels.
    """
    radius = SMOOTHING * patch / 2
    smooth, most_votes = labels.copy(), np.zeros(labels.shape, np.uint8)
    for label, box in _boxes(labels, margin=ceil(radius)):
        mine = Image.fromarray((labels[box] == label).astype(np.uint8) * 255)
        votes = np.asarray(mine.filter(ImageFilter.BoxBlur(radius)))
        np.copyto(smooth[box], np.int16(label), where=votes > most_votes[box])
        np.maximum(votes, most_votes[box], out=most_votes[box])
    specks = np.zeros(labels.shape, bool)
    for label, box in _boxes(smooth, margin=0):
        regions = masks.connected_parts(smooth[box] == label)
        areas = np.bincount(regions.flat)
        is_speck = areas < SPECK * patch**2
        is_speck[0] = is_speck[1 + int(areas[1:].argmax())] = False
        specks[box] |= is_speck[regions]
    # The nearest pixel is next to the connected specks, so their own box is enough.
    connected = masks.connected_parts(specks, corners=True)
    for label, box in _boxes(connected, margin=1):
        if label:
            nearest: Any = ndimage.distance_transform_edt(
                specks[box], return_distances=False, return_indices=True
            )
            mine = connected[box] == label
            smooth[box][mine] = smooth[box][tuple(nearest)][mine]
    return smooth


def _boxes(labels: NDArray[np.integer], margin: int) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Each label with the rows and columns of its pixels plus ``margin`` pixels around them."""
    for label, box in enumerate(ndimage.find_objects(labels.astype(np.int32) + 2), -1):
        if box is not None:
            rows, columns = (slice(max(0, s.start - margin), s.stop + margin) for s in box)
            yield label, (rows, columns)


def _colours(pixels: NDArray[np.uint8]) -> Tensor:
    """Colours from 0 to 1, (3, height, width) float32, of pixels (height, width, 3)."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous().float().div_(255)


def _labels(coefficients: Tensor, pixels: NDArray[np.uint8], class_of: Tensor) -> Tensor:
    """The class with the best score at each pixel: (height, width) int16."""
    labels = torch.empty(pixels.shape[:2], dtype=torch.int16)
    for tile in masks.tiles(coefficients.shape[2:], pixels.shape[:2]):
        parts = tile.interpolate(coefficients.flatten(0, 1)).unflatten(0, coefficients.shape[:2])
        *weights, score = parts.unbind(1)
        for weight, colour in zip(weights, _colours(pixels[tile.pixels]), strict=False):
            score.addcmul_(weight, colour)
        labels[tile.pixels] = class_of[score.max(0).indices].to(torch.int16)
    return labels
