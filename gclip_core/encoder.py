"""Images to block inputs: one window or many, resumed where planting or CS changes a block."""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor

from gclip_core import amf, blocks, cs
from gclip_core.attention import Heads
from gclip_core.backbone import Backbone
from gclip_core.cs import Repair
from gclip_core.errors import GclipError
from gclip_core.types import Encoded, Grid, Pass

Made = TypeVar("Made")

TOKENS_PER_BATCH = 8192
"""Tokens of windows that go through the tower together."""
MAX_WINDOW_TOKENS = 65_536
"""Patches of all windows together: a short stride would need gigabytes and minutes."""


# --- clean passes --------------------------------------------------------------------------------


def encode(
    backbone: Backbone, pixels: Tensor, image_size: Grid, side: int | None = None, stride: int = 112
) -> Encoded:
    """A normalised picture, (3, height, width), without planting and CS.

    With ``side`` in windows of that size every ``stride``, in pixels, rounded to patches; without
    it, or where one window covers the picture, in one pass. One pass also keeps the queries and
    keys that AMF is likely to use.
    """
    patch, resized = backbone.patch, (pixels.shape[1], pixels.shape[2])
    grid = resized[0] // patch, resized[1] // patch
    length, step = (to_patches(n, patch) // patch for n in (side or max(resized), stride))
    window = height, width = min(length, grid[0]), min(length, grid[1])
    corners = window_corners(grid, window, step)
    if len(corners) == 1:
        wanted = amf.likely_fused(backbone.amf_blocks, backbone.n_blocks)
        passes = _passes(backbone, pixels[None], corners, wanted)
        return Encoded(tuple(passes), grid, grid, image_size, resized, backbone.uid)
    tokens = height * width + 1
    if len(corners) * tokens > MAX_WINDOW_TOKENS:
        raise GclipError(
            f"Windows may hold {MAX_WINDOW_TOKENS:,} patches together, but {len(corners):,}"
            f" windows of {tokens - 1:,} came. Take a longer stride or a smaller image."
        )

    def cut(top: int, left: int) -> Tensor:
        below, beside = (top + height) * patch, (left + width) * patch
        return pixels[:, top * patch : below, left * patch : beside]

    passes, together = [], max(1, TOKENS_PER_BATCH // tokens)
    for first in range(0, len(corners), together):
        some = corners[first : first + together]
        passes += _passes(backbone, torch.stack([cut(*corner) for corner in some]), some)
    whole = cache(partial(encode, backbone, pixels, image_size))
    return Encoded(tuple(passes), grid, window, image_size, resized, backbone.uid, _whole=whole)


def _passes(
    backbone: Backbone, pixels: Tensor, corners: Sequence[Grid], wanted: Collection[int] = ()
) -> list[Pass]:
    """Windows of one size, (B, 3, height, width), in one batch; in halves if memory is short.

    Queries and keys of ``wanted`` blocks are kept.
    """
    kept: dict[int, Heads] = {}

    def keep(block: int, heads: Heads) -> None:
        if block in wanted:
            kept[block] = Heads(heads.q, heads.k)

    try:
        with torch.no_grad():
            inputs = blocks.block_inputs(
                backbone.blocks,
                blocks.embed_patches(backbone.model.visual, pixels.to(backbone.device)),
                seen=keep,
            )
        found = {block: (inputs[block], heads) for block, heads in kept.items()}
        return [Pass(tuple(inputs), tuple(corners), found)]
    except torch.OutOfMemoryError as error:
        if len(pixels) == 1:
            height, width = pixels.shape[-2:]
            raise GclipError(
                f"The memory of {backbone.device} was to hold a picture of {height} × {width} "
                "pixels, but has no room for it now. Take a smaller shorter side, or try again."
            ) from error
    # Outside the except clause, where the failed attempt's block inputs are no longer referenced.
    half = len(pixels) // 2
    parts = (pixels[:half], corners[:half]), (pixels[half:], corners[half:])
    return [one for part in parts for one in _passes(backbone, *part)]


# --- planting and suppression --------------------------------------------------------------------


def resumed(backbone: Backbone, encoded: Encoded, repair: Repair = cs.OFF) -> Encoded:
    """The same picture with the backbone's planted channels, repaired or not.

    Block inputs up to the first block that differs are shared with the clean encoding.
    """
    planted, settings = backbone.planted, repair.settings
    if (encoded.planted, encoded.suppression) == (planted, settings):
        return encoded
    clean = encoded.clean
    if not planted and settings is None:
        return clean
    changed = set(repair.channels).union(*[plant.blocks for plant in planted])
    before_last = sorted(changed - {backbone.n_blocks - 1})
    weights = {block: replaced_weight(backbone, block, repair) for block in before_last}

    def rerun(one: Pass) -> Pass:
        start = before_last[0]
        with torch.no_grad():
            rest = blocks.block_inputs(backbone.blocks, one.inputs[start], start, weights)
        return Pass((*one.inputs[: start + 1], *rest[1:]), one.corners, one._heads)

    passes = tuple(map(rerun, clean.passes)) if before_last else clean.passes
    return replace(
        clean, passes=passes, planted=planted, suppression=settings, _clean=clean, _memo={}
    )


def replaced_weight(backbone: Backbone, block: int, repair: Repair) -> Tensor:
    """``W2'`` of a planted or suppressed block; the model's own weight stays untouched."""
    W2: Tensor = backbone.blocks[block].mlp.c_proj.weight
    return cs.changed_weight(W2, block, backbone.planted, backbone.norms[block], repair)


# --- heads ---------------------------------------------------------------------------------------


def block_heads(backbone: Backbone, one: Pass, block: int, values: bool = False) -> Heads:
    """Queries and keys of a block, and its values where asked for: each (B, H, 1+N, d).

    Taken from the clean pass where it kept them and nothing has changed what enters the block. The
    last block's are kept with a single window: nearly every method uses them.
    """
    x, last = one.inputs[block], block == backbone.n_blocks - 1
    entered, kept = one._heads.get(block, (None, None))
    if kept is not None and entered is x and not values:
        return kept

    def make() -> Heads:
        with torch.no_grad():
            return blocks.project(backbone.blocks[block], x, values or last)

    return once(one, "last heads", make) if last and len(one.corners) == 1 else make()


# --- windows -------------------------------------------------------------------------------------


def window_corners(size: Grid, window: Grid, stride: int) -> list[tuple[int, int]]:
    """Top-left corners that cover ``size`` with ``window``; the last ones flush with the edge.

    All in pixels (or all in patches). One corner where the image is no larger than the window; a
    stride longer than the window is taken as the window, so that nothing is left out.
    """

    def starts(length: int, span: int) -> list[int]:
        if length <= span:
            return [0]
        return [*range(0, length - span, min(stride, span)), length - span]

    return [(y, x) for y in starts(size[0], window[0]) for x in starts(size[1], window[1])]


def average(parts: Iterable[tuple[tuple[int, int], Tensor]], canvas: Grid, channels: int) -> Tensor:
    """Mean of overlapping patch maps: corners (in patches) and (h, w, channels) -> canvas.

    Returns (height, width, channels) float32.
    """
    total = torch.zeros(*canvas, channels)
    count = torch.zeros(*canvas, 1)
    for (top, left), part in parts:
        bottom, right = top + part.shape[0], left + part.shape[1]
        total[top:bottom, left:right] += part.to(total)
        count[top:bottom, left:right] += 1
    return total / count


def to_patches(pixels: int, patch: int) -> int:
    """Pixels rounded to whole patches, at least one: ``max(p, p floor(x / p + 0.5))``."""
    return max(patch, patch * int(pixels / patch + 0.5))


# --- helpers -------------------------------------------------------------------------------------


def once(source: Encoded | Pass, key: Hashable, make: Callable[[], Made]) -> Made:
    """A value that belongs to a picture's way through the tower, made once and kept with it."""
    if key not in source._memo:
        source._memo[key] = make()
    found: Made = source._memo[key]
    return found
