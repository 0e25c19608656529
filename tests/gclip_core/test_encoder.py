"""Sliding windows over a picture."""

from dataclasses import replace

import pytest

from gclip_core import encoder
from gclip_core.segmenter import Segmenter
from tests.models import picture, tiny_backbone


@pytest.mark.parametrize(
    ("grid", "side", "stride", "window", "corners"),
    [
        ((21, 28), 224, 112, (14, 14), [(y, x) for y in (0, 7) for x in (0, 7, 14)]),
        ((14, 15), 224, 112, (14, 14), [(0, 0), (0, 1)]),  # the last one flush with the edge
        ((10, 50), 320, 480, (10, 20), [(0, 0), (0, 20), (0, 30)]),  # no gap with a long stride
        ((5, 6), 224, 112, (5, 6), [(0, 0)]),  # an image smaller than the window
        ((5, 6), None, 16, (5, 6), [(0, 0)]),
        ((9, 9), 90, 71, (6, 6), [(y, x) for y in (0, 3) for x in (0, 3)]),  # rounded to patches
    ],
)
def test_windows(
    grid: tuple[int, int],
    side: int | None,
    stride: int,
    window: tuple[int, int],
    corners: list[tuple[int, int]],
) -> None:
    """Patches of 16 pixels."""
    assert encoder.windows(grid, 16, side, stride) == (window, corners)


@pytest.mark.parametrize(("window", "stride"), [(16, 2048), (20, 13), (None, 8)])
def test_count_windows(window: int | None, stride: int) -> None:
    """The count of windows and patches is that of an encoding."""
    segmenter = Segmenter(tiny_backbone(), short_side=96, window=window, stride=stride)
    encoded = segmenter.encode(picture(96, 128))
    windows = sum(len(batch.corners) for batch in encoded.batches)
    assert segmenter.count_windows((96, 128)) == (windows, encoded.window[0] * encoded.window[1])


def test_own_cache() -> None:
    """What ``replace`` makes of an encoding has a cache of its own."""
    encoded = Segmenter(tiny_backbone(), short_side=32).encode(picture(32, 32))
    for one in (encoded, encoded.batches[0]):
        one.cached("key", lambda: "value")
        assert replace(one).cached("key", lambda: "new") == "new"
