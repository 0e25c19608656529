"""Images to trunks: one pass or windows, resumed where planting or suppression changes a block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from gclip_core import amf, blocks, cs, windows
from gclip_core.attention import Heads
from gclip_core.backbone import Backbone
from gclip_core.cs import Repair
from gclip_core.errors import GclipError
from gclip_core.types import Grid, Trunk

Kept = TypeVar("Kept")

TOKENS_PER_BATCH = 8192
"""Tokens of windows that go through the tower together."""
MAX_WINDOW_TOKENS = 65_536
"""Patches of all windows together: a short stride would need gigabytes and minutes."""


# --- clean passes --------------------------------------------------------------------------------


def whole(backbone: Backbone, pixels: Tensor, image_size: Grid) -> Trunk:
    """The clean trunk of one normalised picture, (3, height, width), in one pass."""
    kept: dict[int, Heads] = {}

    def keep(block: int, heads: Heads) -> None:
        if block in wanted:
            kept[block] = Heads(heads.q, heads.k)

    wanted = amf.likely_fused(backbone.amf_blocks, backbone.n_blocks)
    (made,) = _trace(backbone, pixels[None], image_size, keep)
    for block, heads in kept.items():
        made._memo["heads", block] = heads
    return made


def windowed(
    backbone: Backbone, pixels: Tensor, image_size: Grid, side: int, stride: int
) -> tuple[Trunk, ...]:
    """The clean trunks of all windows of a picture, several in one batch.

    ``side`` and ``stride`` are in pixels, rounded to patches.

    Raises:
        GclipError: the windows would hold too many patches together.
    """
    patch = backbone.patch
    canvas = (pixels.shape[-2], pixels.shape[-1])
    side, stride = (windows.to_patches(n, patch) for n in (side, stride))
    window = (min(side, canvas[0]), min(side, canvas[1]))
    corners = windows.corners(canvas, window, stride)
    tokens = (window[0] // patch) * (window[1] // patch) + 1
    if len(corners) * tokens > MAX_WINDOW_TOKENS:
        raise GclipError(
            f"Windows may hold {MAX_WINDOW_TOKENS:,} patches together, but {len(corners):,}"
            f" windows of {tokens - 1:,} came. Take a longer stride or a smaller image."
        )
    one_pass = _Lazy(lambda: whole(backbone, pixels, image_size))
    traced: list[Trunk] = []
    for some in batches(corners, tokens):
        batch = torch.stack([pixels[:, y : y + window[0], x : x + window[1]] for y, x in some])
        traced += [
            replace(one, window=corner, canvas=canvas, _whole=one_pass)
            for one, corner in zip(_trace(backbone, batch, image_size), some, strict=True)
        ]
    return tuple(traced)


def _trace(
    backbone: Backbone,
    pixels: Tensor,
    image_size: Grid,
    seen: Callable[[int, Heads], None] | None = None,
) -> list[Trunk]:
    """Clean trunks of a batch of equally large pictures, (B, 3, height, width).

    A batch too large for the device's memory is halved.

    Raises:
        GclipError: one picture alone is too large for it.
    """
    try:
        return _trace_at_once(backbone, pixels, image_size, seen)
    except torch.OutOfMemoryError as error:
        if len(pixels) == 1:
            height, width = pixels.shape[-2:]
            raise GclipError(
                f"The memory of {backbone.device} was to hold a picture of {height} × {width} "
                "pixels, but has no room for it now. Take a smaller shorter side, or try again."
            ) from error
    half = len(pixels) // 2  # tried here, where the failed attempt holds no memory any more
    parts = (pixels[:half], pixels[half:])
    return [one for part in parts for one in _trace(backbone, part, image_size, seen)]


def _trace_at_once(
    backbone: Backbone,
    pixels: Tensor,
    image_size: Grid,
    seen: Callable[[int, Heads], None] | None,
) -> list[Trunk]:
    with torch.no_grad():
        x = blocks.embed_patches(backbone.model.visual, pixels.to(backbone.device))
        inputs = blocks.block_inputs(backbone.blocks, x, seen=seen)
    resized = (pixels.shape[-2], pixels.shape[-1])
    grid = (resized[0] // backbone.patch, resized[1] // backbone.patch)
    return [
        Trunk(tuple(x[index] for x in inputs), grid, image_size, resized, backbone.uid)
        for index in range(len(pixels))
    ]


# --- planting and suppression --------------------------------------------------------------------


def resumed(
    backbone: Backbone, trunks: Sequence[Trunk], repair: Repair | None = None
) -> list[Trunk]:
    """The same trunks with the backbone's planted channels, repaired or not.

    They share all with their clean ones up to the first block that differs.
    """
    planted = backbone.planted
    settings = None if repair is None else repair.settings
    if all(t.planted == planted and t.suppression == settings for t in trunks):
        return list(trunks)
    clean = [t.clean for t in trunks]
    if not planted and repair is None:
        return clean
    changed = {block for plant in planted for block in plant.blocks}
    changed |= set() if repair is None else set(repair.channels)
    before_last = sorted(changed - {backbone.n_blocks - 1})
    rest: list[tuple[Tensor, ...]] = [()] * len(clean)
    if before_last:
        weights = {block: replaced_weight(backbone, block, repair) for block in before_last}
        rest = _rerun(backbone, clean, before_last[0], weights)
    n = backbone.n_blocks
    return [
        replace(
            t,
            inputs=(*t.inputs[: n - len(tail)], *tail),
            planted=planted,
            suppression=settings,
            _clean=t,
            _memo={},
        )
        for t, tail in zip(clean, rest, strict=True)
    ]


def replaced_weight(backbone: Backbone, block: int, repair: Repair | None) -> Tensor:
    """``W2'`` of a planted or suppressed block; the model's own weight stays untouched."""
    W2: Tensor = backbone.blocks[block].mlp.c_proj.weight
    return cs.changed_weight(W2, block, backbone.planted, backbone.norms[block], repair)


def _rerun(
    backbone: Backbone, clean: Sequence[Trunk], start: int, replaced: Mapping[int, Tensor]
) -> list[tuple[Tensor, ...]]:
    """Inputs of the blocks after ``start`` when some run with a ``W2'`` of their own."""
    out: list[tuple[Tensor, ...]] = []
    for some in batches(clean, clean[0].n_patches + 1):
        with torch.no_grad():
            x = torch.stack([t.inputs[start] for t in some])
            inputs = blocks.block_inputs(backbone.blocks, x, start, replaced)[1:]
        out += [tuple(x[index] for x in inputs) for index in range(len(some))]
    return out


# --- heads ---------------------------------------------------------------------------------------


def queries_keys(backbone: Backbone, trunks: Sequence[Trunk], block: int) -> Heads:
    """Queries and keys of a block for a batch of trunks, each (B, H, 1+N, d).

    Taken from the clean pass where it kept them and nothing has changed what enters the block.
    """
    first = trunks[0]
    kept = first.clean._memo.get(("heads", block)) if len(trunks) == 1 else None
    if kept is not None and first.inputs[block] is first.clean.inputs[block]:
        return kept
    with torch.no_grad():
        x = torch.stack([t.inputs[block] for t in trunks])
        return blocks.project(backbone.blocks[block], x, values=False)


def last_heads(backbone: Backbone, trunks: Sequence[Trunk]) -> Heads:
    """The last block's queries, keys and values, (B, H, 1+N, d): the same for every method."""

    def make() -> Heads:
        with torch.no_grad():
            x = torch.stack([t.inputs[-1] for t in trunks])
            return blocks.project(backbone.blocks[-1], x)

    return once(trunks[0], "last heads", make) if len(trunks) == 1 else make()


# --- helpers -------------------------------------------------------------------------------------


def batches(items: Sequence[Kept], tokens: int) -> list[Sequence[Kept]]:
    """Consecutive items that hold at most TOKENS_PER_BATCH tokens together, at least one each."""
    n = max(1, TOKENS_PER_BATCH // tokens)
    return [items[first : first + n] for first in range(0, len(items), n)]


def once(source: Trunk, key: Hashable, make: Callable[[], Kept]) -> Kept:
    """A value that belongs to a trunk, made once and kept with it."""
    if key not in source._memo:
        source._memo[key] = make()
    found: Kept = source._memo[key]
    return found


class _Lazy:
    """A trunk made at the first call, once, whoever calls."""

    def __init__(self, make: Callable[[], Trunk]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: Trunk | None = None

    def __call__(self) -> Trunk:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
