"""Sliding windows over a picture."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from gclip_core import METHODS, Segmenter, encoder, gclip
from tests.models import enlarge_channel, picture, tiny_backbone


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


def test_own_cache() -> None:
    """An encoding made by ``replace`` has its own cache."""
    encoded = Segmenter(tiny_backbone(), short_side=32).encode(picture(32, 32))
    before = encoded.received(11), encoded.heads(11).q
    other = replace(encoded, inputs=tuple(x.flip(1) for x in encoded.inputs))
    after = other.received(11), other.heads(11).q
    assert not any(torch.allclose(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize("window", [None, 24])
def test_freed(window: int | None) -> None:
    """An encoding is freed with its last reference, not by the cyclic collector."""
    backbone = tiny_backbone(31, lambda model: enlarge_channel(model, 7, 40, (6, 8)))
    segmenter = Segmenter(backbone, 32, window=window, stride=8)
    gc.disable()
    try:
        encoded = segmenter.encode(picture(32, 48))
        segmenter.dense_features(encoded)
        segmenter.suggest(encoded)
        freed = weakref.ref(encoded)
        del encoded
        assert freed() is None
    finally:
        gc.enable()


def test_some_windows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of windows computed at a time changes nothing, with CS or without."""
    backbone = tiny_backbone(31, lambda model: enlarge_channel(model, 7, 40, (6, 8)))
    segmenter, image = Segmenter(backbone, 32, window=24, stride=8), picture(32, 48)
    methods = gclip(), METHODS["clearclip"]
    expected = [segmenter.dense_features(image, method) for method in methods]
    monkeypatch.setattr(encoder, "TOKENS_PER_BATCH", 30)
    encoded = segmenter.encode(image)
    encoded = replace(encoded, probabilities=torch.rand(len(encoded.corners), 5))
    parts = [*encoded.split()]
    assert len(parts) == 3
    assert torch.equal(torch.cat([part.probabilities for part in parts]), encoded.probabilities)
    for method, features in zip(methods, expected, strict=True):
        assert torch.allclose(segmenter.dense_features(image, method), features, atol=1e-5)
