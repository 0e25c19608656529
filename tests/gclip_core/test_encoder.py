"""Sliding windows over a picture: which corners, and the mean where they overlap."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip_core import encoder
from gclip_core.segmenter import Segmenter
from tests.models import picture, tiny_backbone


@pytest.mark.parametrize(
    ("size", "window", "stride", "expected"),
    [
        ((336, 448), (224, 224), 112, [(y, x) for y in (0, 112) for x in (0, 112, 224)]),
        ((224, 240), (224, 224), 112, [(0, 0), (0, 16)]),  # the last one flush with the edge
        ((10, 50), (10, 20), 30, [(0, 0), (0, 20), (0, 30)]),  # no gap with a long stride
        ((50, 60), (224, 224), 112, [(0, 0)]),  # an image smaller than the window
    ],
)
def test_corners_by_hand(
    size: tuple[int, int], window: tuple[int, int], stride: int, expected: list[tuple[int, int]]
) -> None:
    """Corners worked by hand."""
    assert encoder.window_corners(size, window, stride) == expected


sides = st.integers(1, 40)


@settings(deadline=None)
@given(size=st.tuples(sides, sides), window=st.tuples(sides, sides), stride=sides)
def test_corners(size: tuple[int, int], window: tuple[int, int], stride: int) -> None:
    """Corners cover everything and stay inside."""
    window = (min(window[0], size[0]), min(window[1], size[1]))
    covered = torch.zeros(size)
    corners = encoder.window_corners(size, window, stride)
    for y, x in corners:
        assert y + window[0] <= size[0]
        assert x + window[1] <= size[1]
        covered[y : y + window[0], x : x + window[1]] += 1
    assert (covered > 0).all()
    assert len(set(corners)) == len(corners)


@pytest.mark.parametrize(
    ("window", "stride"), [(16, 2048), (20, 13), (12, 12), (64, 24), (None, 8)]
)
def test_count_windows(window: int | None, stride: int) -> None:
    """A stride longer than its window, too, and sizes that round to patches."""
    segmenter = Segmenter(tiny_backbone(), short_side=96, window=window, stride=stride)
    encoded = segmenter.encode(picture(96, 128))
    windows = sum(len(batch.corners) for batch in encoded.passes)
    assert segmenter.count_windows((96, 128)) == (windows, encoded.window[0] * encoded.window[1])
