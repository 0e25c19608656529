"""Sliding windows over an image that is already on the patch grid."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gclip_core.types import Grid


def corners(size: Grid, window: Grid, stride: int) -> list[tuple[int, int]]:
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
