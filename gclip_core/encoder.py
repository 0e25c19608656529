"""From pixels to block inputs. CS runs the tower again from the first block that it changes."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gclip_core import blocks, cs
from gclip_core.attention import Heads
from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.stem import Stem
from gclip_core.cs import Suppression, SuppressionReport
from gclip_core.types import Grid, Size

Made = TypeVar("Made")
TOKENS_PER_BATCH = 8192
"""The maximum number of tokens in a batch of windows; a batch has at least one window."""


@dataclass(frozen=True, eq=False)
class Cached:
    """A value with a cache of what is computed from it; ``replace`` makes a new cache."""

    cache: dict[Hashable, Any] = field(init=False, repr=False, default_factory=dict)

    def cached(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The value of ``key``; ``make()`` computes it the first time."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]


@dataclass(frozen=True, eq=False)
class Batch(Cached):
    """Block inputs of a batch of B windows of equal size; usually one window, the whole image.

    ``inputs[l]`` is the input of block ``l``, (B, 1+N, D) in the model's dtype; ``window`` is the
    size of each window, and ``corners`` are their (top, left), in patches. ``probabilities`` (B,
    classes) float32 are those of the stem's classes, None for a tower without a stem.
    """

    inputs: tuple[Tensor, ...]
    window: Grid
    corners: tuple[Grid, ...]
    probabilities: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Encoded(Cached):
    """An encoded image: the input of every block, in one window or in many.

    ``grid`` is the size of the image in patches. ``image_size`` is the size of the image and
    ``resized`` the size that was encoded, in pixels. ``model`` is the backbone's. With CS,
    ``suppression`` are its settings and ``without_cs`` is the encoding that it resumes from.
    ``encode_whole`` encodes the image as one window.
    """

    batches: tuple[Batch, ...]
    grid: Grid
    image_size: Size
    resized: Size
    model: nn.Module = field(repr=False)
    suppression: Suppression | None = None
    without_cs: "Encoded | None" = field(default=None, repr=False)
    encode_whole: "Callable[[], Encoded] | None" = field(default=None, repr=False)

    @property
    def window(self) -> Grid:
        """The size of each window in patches; ``grid`` if there is one window."""
        return self.batches[0].window

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The input of each block in the first window, usually the only one: (1+N, D) each."""
        return tuple(x[0] for x in self.batches[0].inputs)

    @property
    def clean(self) -> "Encoded":
        """The encoding without CS."""
        return self.without_cs or self

    @property
    def whole(self) -> "Encoded":
        """The clean encoding of the whole image as one window, on which AMF chooses its blocks."""
        clean = self.clean
        return clean.cached("whole", clean.encode_whole) if clean.encode_whole else clean


def encode(
    backbone: Backbone, pixels: Tensor, image_size: Size, side: int | None, stride: int
) -> Encoded:
    """Encodes a normalised image, (3, height, width) float32, without CS.

    Windows have ``side`` pixels a side and start every ``stride`` pixels, both rounded to patches.
    Without ``side`` one window covers the image.
    """
    patch, resized = backbone.patch, (pixels.shape[1], pixels.shape[2])
    grid = resized[0] // patch, resized[1] // patch
    window, corners = windows(grid, patch, side, stride)
    height, width = window
    batches, batch_size = [], max(1, TOKENS_PER_BATCH // (height * width + 1))
    for first in range(0, len(corners), batch_size):
        some = corners[first : first + batch_size]
        crops = [
            pixels[:, y * patch : (y + height) * patch, x * patch : (x + width) * patch]
            for y, x in some
        ]
        batches.append(_encode_batch(backbone, torch.stack(crops), window, some))
    whole = partial(encode, backbone, pixels, image_size, None, stride)
    return Encoded(
        batches=tuple(batches),
        grid=grid,
        image_size=image_size,
        resized=resized,
        model=backbone.model,
        encode_whole=whole if len(corners) > 1 else None,
    )


@torch.no_grad()
def _encode_batch(
    backbone: Backbone, pixels: Tensor, window: Grid, corners: Sequence[Grid]
) -> Batch:
    """Encodes windows, (B, 3, height, width)."""
    conv1, pixels = backbone.visual.conv1, pixels.to(backbone.device, backbone.dtype)
    if isinstance(conv1, Stem):
        patches, probabilities = conv1.classified(pixels)
    else:
        patches, probabilities = conv1(pixels), None
    x = blocks.embed_patches(backbone.visual, patches)
    inputs = blocks.block_inputs(backbone.blocks, x)
    return Batch(tuple(inputs), window, tuple(corners), probabilities)


@torch.no_grad()
def suppress(backbone: Backbone, encoded: Encoded, report: SuppressionReport) -> Encoded:
    """The encoding of the tower with suppressed channels.

    It shares the block inputs up to the first changed block with the encoding without CS.
    """
    clean = encoded.clean
    if report.settings is None:
        return clean
    if report.settings == encoded.suppression:
        return encoded
    weights = {
        block: cs.scale_rows(backbone.blocks[block].mlp.c_proj.weight, factors)
        for block, factors in report.factors.items()
    }
    start = min(weights)

    def rerun(batch: Batch) -> Batch:
        inputs = blocks.block_inputs(backbone.blocks, batch.inputs[start], start, weights)
        return replace(batch, inputs=(*batch.inputs[:start], *inputs))

    batches = tuple(map(rerun, clean.batches))
    return replace(clean, batches=batches, suppression=report.settings, without_cs=clean)


@torch.no_grad()
def block_heads(backbone: Backbone, batch: Batch, block: int, values: bool = False) -> Heads:
    """Queries and keys of a block, and its values on request: each (B, H, 1+N, d).

    In a batch of one window the last block's heads are cached: nearly every method uses them.
    """
    last = block == backbone.n_blocks - 1
    project = partial(blocks.project, backbone.blocks[block], batch.inputs[block], values or last)
    return batch.cached("last heads", project) if last and len(batch.corners) == 1 else project()


def windows(grid: Grid, patch: int, side: int | None, stride: int) -> tuple[Grid, list[Grid]]:
    """The size of each window of an image of ``grid`` patches, and their corners; in patches.

    ``side`` and ``stride`` are in pixels, each rounded to whole patches. Without ``side`` one
    window covers the image. The last windows end at the image's edge, and a stride longer than the
    window is reduced to its length, so that no gap is left.
    """

    def to_patches(pixels: int) -> int:
        return max(1, int(pixels / patch + 0.5))

    length = to_patches(side) if side else max(grid)
    window = min(length, grid[0]), min(length, grid[1])
    rows, columns = (
        [*range(0, whole - span, min(to_patches(stride), span)), whole - span]
        for whole, span in zip(grid, window, strict=True)
    )
    return window, list(product(rows, columns))


def average(parts: Sequence[tuple[Grid, Tensor]], canvas: Grid) -> Tensor:
    """Mean of overlapping patch maps, (*canvas, channels) float32.

    ``parts`` are pairs of a corner, in patches, and a map (h, w, channels).
    """
    total, count = torch.zeros(*canvas, parts[0][1].shape[-1]), torch.zeros(*canvas, 1)
    for (top, left), part in parts:
        here = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        total[here] += part.to(total)
        count[here] += 1
    return total / count
