"""From pixels to block inputs. Planting and CS run the tower again from the first changed block."""

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor

from gclip_core import blocks, cs
from gclip_core.attention import Heads
from gclip_core.backbone import Backbone
from gclip_core.cs import Repair
from gclip_core.errors import GclipError
from gclip_core.stem import Stem
from gclip_core.types import Encoded, Grid, Pass

Made = TypeVar("Made")

TOKENS_PER_BATCH = 8192
"""The maximum number of tokens in a batch of windows; a batch has at least one window."""
MAX_WINDOW_TOKENS = 65_536
"""The maximum number of tokens of all windows; more would take gigabytes and minutes."""


def encode(
    backbone: Backbone, pixels: Tensor, image_size: Grid, side: int | None = None, stride: int = 112
) -> Encoded:
    """Encodes a normalised image, (3, height, width) float32, without planting and CS.

    Windows have ``side`` pixels a side and start every ``stride`` pixels, both rounded to patches.
    Without ``side``, or if one window covers the image, there is one pass. It also caches queries
    and keys of the blocks from the middle on, because methods fuse their attention.

    Raises:
        GclipError: too many windows, or too little memory of an accelerator.
    """
    patch, resized = backbone.patch, (pixels.shape[1], pixels.shape[2])
    grid = resized[0] // patch, resized[1] // patch
    window, corners = windows(grid, patch, side, stride)
    height, width = window
    if len(corners) == 1:
        fused = range(backbone.n_blocks // 2 - 1, backbone.n_blocks - 1)
        batch = _encode_batch(backbone, pixels[None], corners, fused)
        return Encoded((batch,), grid, grid, image_size, resized, backbone.uid)
    tokens = height * width + 1
    if len(corners) * tokens > MAX_WINDOW_TOKENS:
        raise GclipError(
            f"All windows together may have {MAX_WINDOW_TOKENS:,} tokens, but {len(corners):,} "
            f"windows of {tokens:,} came. Take a longer stride or a smaller image."
        )

    def cut(top: int, left: int) -> Tensor:
        below, right = (top + height) * patch, (left + width) * patch
        return pixels[:, top * patch : below, left * patch : right]

    passes, batch_size = [], max(1, TOKENS_PER_BATCH // tokens)
    for first in range(0, len(corners), batch_size):
        batch = corners[first : first + batch_size]
        crops = torch.stack([cut(*corner) for corner in batch])
        passes.append(_encode_batch(backbone, crops, batch))
    whole = cache(partial(encode, backbone, pixels, image_size))
    return Encoded(tuple(passes), grid, window, image_size, resized, backbone.uid, _whole=whole)


@torch.no_grad()
def _encode_batch(
    backbone: Backbone, pixels: Tensor, corners: Sequence[Grid], wanted: Container[int] = ()
) -> Pass:
    """One pass of windows, (B, 3, height, width), that caches queries and keys of ``wanted``."""
    cached: dict[int, Heads] = {}

    def keep(block: int, heads: Heads) -> None:
        if block in wanted:
            cached[block] = Heads(heads.q.contiguous(), heads.k.contiguous())  # without the values

    with _enough_memory(backbone, pixels.shape[-2:]):
        conv1, pixels = backbone.visual.conv1, pixels.to(backbone.device, backbone.dtype)
        classified = conv1.classified if isinstance(conv1, Stem) else lambda x: (conv1(x), None)
        maps, probabilities = classified(pixels)
        x = blocks.embed_patches(backbone.visual, maps)
        inputs = blocks.block_inputs(backbone.blocks, x, seen=keep)
    heads_of = {block: (inputs[block], heads) for block, heads in cached.items()}
    return Pass(tuple(inputs), tuple(corners), probabilities, heads_of)


@contextmanager
def _enough_memory(backbone: Backbone, size: Sequence[int]) -> Iterator[None]:
    """Turns an accelerator's lack of memory into a GclipError."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise GclipError(
            f"The memory of {backbone.device} is too full for {size[0]} × {size[1]} pixels. "
            "Reduce the shorter side, or try again."
        ) from error


@torch.no_grad()
def resumed(backbone: Backbone, encoded: Encoded, repair: Repair = cs.OFF) -> Encoded:
    """The encoding with the backbone's planted channels and the repair of CS.

    It shares the block inputs up to the first changed block with the clean encoding. Raises
    GclipError for too little memory of an accelerator.
    """
    planted, settings = backbone.planted, repair.settings
    if (encoded.planted, encoded.suppression) == (planted, settings):
        return encoded
    clean = encoded.clean
    if not planted and settings is None:
        return clean
    changed = sorted(set(repair.factors).union(*(plant.blocks for plant in planted)))
    # An encoding ends at the input of the last block; that block's weight has no effect here.
    weights = {b: changed_weight(backbone, b, repair) for b in changed if b < backbone.n_blocks - 1}

    def rerun(batch: Pass) -> Pass:
        start = min(weights)
        rest = blocks.block_inputs(backbone.blocks, batch.inputs[start], start, weights)
        inputs = (*batch.inputs[:start], *rest)
        return Pass(inputs, batch.corners, batch.probabilities, batch._heads)

    with _enough_memory(backbone, encoded.resized):
        passes = tuple(map(rerun, clean.passes)) if weights else clean.passes
    return replace(
        clean, passes=passes, planted=planted, suppression=settings, _clean=clean, _memo={}
    )


def changed_weight(backbone: Backbone, block: int, repair: Repair) -> Tensor:
    """``W2'`` of a planted or suppressed block; the model's own weight does not change."""
    factors = backbone.gains[block] * repair.factors.get(block, torch.ones(()))
    return cs.scaled(backbone.blocks[block].mlp.c_proj.weight, factors)


@torch.no_grad()
def block_heads(backbone: Backbone, batch: Pass, block: int, values: bool = False) -> Heads:
    """Queries and keys of a block, and its values on request: each (B, H, 1+N, d).

    If the block's input is that of the clean pass, cached queries and keys are used. In a pass of
    one window, the last block's heads are cached, because nearly every method uses them.
    """
    x, last = batch.inputs[block], block == backbone.n_blocks - 1
    entered, cached = batch._heads.get(block, (None, None))
    if cached is not None and entered is x and not values:
        return cached
    project = partial(blocks.project, backbone.blocks[block], x, values or last)
    if last and len(batch.corners) == 1:
        return once(batch, "last heads", project)
    return project()


def windows(
    grid: Grid, patch: int, side: int | None = None, stride: int = 112
) -> tuple[Grid, list[Grid]]:
    """The size of each window of an image of ``grid`` patches, and their corners; in patches.

    ``side`` and ``stride`` are in pixels, each rounded to whole patches. Without ``side`` one
    window covers the image.
    """
    length = to_patches(side, patch) if side else max(grid)
    window = min(length, grid[0]), min(length, grid[1])
    return window, window_corners(grid, window, to_patches(stride, patch))


def window_corners(size: Grid, window: Grid, stride: int) -> list[Grid]:
    """Top-left corners of the windows that cover ``size``; the last ones end at its edge.

    All lengths have the same unit. A stride longer than the window is reduced to the window's
    length, so that no gap is left.
    """

    def starts(length: int, span: int) -> list[int]:
        return [*range(0, length - span, min(stride, span)), max(0, length - span)]

    return [(y, x) for y in starts(size[0], window[0]) for x in starts(size[1], window[1])]


def average(parts: Iterable[tuple[Grid, Tensor]], canvas: Grid, channels: int) -> Tensor:
    """Mean of overlapping patch maps, (*canvas, channels) float32.

    ``parts`` are pairs of a corner, in patches, and a map (h, w, channels).
    """
    total = torch.zeros(*canvas, channels)
    count = torch.zeros(*canvas, 1)
    for (top, left), part in parts:
        here = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        total[here] += part.to(total)
        count[here] += 1
    return total / count


def to_patches(pixels: int, patch: int) -> int:
    """A length in pixels as whole patches, at least one: ``max(1, floor(x / p + 0.5))``."""
    return max(1, int(pixels / patch + 0.5))


def once(source: Encoded | Pass, key: Hashable, make: Callable[[], Made]) -> Made:
    """The value of ``key`` in ``source``'s own cache; ``make()`` computes it the first time."""
    if key not in source._memo:
        source._memo[key] = make()
    return source._memo[key]
