"""RF-CLIP against the float64 reference: sinks, moved attention, both paths."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from gclip_core import METHODS, Segmenter
from gclip_core.refocus import Refocusing
from tests import reference
from tests.models import enlarge_channel, normalised, picture, tiny_backbone

RFCLIP = METHODS["rfclip"]
REFOCUS = replace(RFCLIP, refocusing=Refocusing(refocus=True))
CHANNELS = 7, 19
BACKBONE = replace(
    tiny_backbone(61, lambda model: enlarge_channel(model, 7, 120, (2, 5))), sink_channels=CHANNELS
)


@pytest.mark.parametrize(
    ("channels", "method", "grid"),
    [((), RFCLIP, (5, 5)), (CHANNELS, RFCLIP, (4, 7)), (CHANNELS, REFOCUS, (7, 3))],
)
def test_parity(channels: tuple[int, ...], method: Any, grid: tuple[int, int]) -> None:
    """Features and attention equal the reference's, with sinks and without."""
    backbone, image = replace(BACKBONE, sink_channels=channels), picture(8 * grid[0], 8 * grid[1])
    segmenter, tower = Segmenter(backbone, short_side=8 * min(grid)), reference.read(backbone.model)
    x = reference.inputs(tower, normalised(image))[0]
    z, weights = reference.refocused(tower, x, grid, channels, method.refocusing.refocus)
    encoded = segmenter.encode(image)
    features = segmenter.dense_features(encoded, method).flatten(0, 1)
    assert reference.worst_cosine(features, reference.projected(tower, z)) >= 0.99999
    for head, expected in {None: sum(weights) / 4, 2: weights[2]}.items():
        matrix = segmenter.last_attention(encoded, method, head)
        assert torch.allclose(matrix[1:, 1:].double(), expected, atol=1e-4)


def test_settings_count() -> None:
    """Sinks and moved attention each change the result."""
    segmenter, image = Segmenter(BACKBONE, short_side=40), picture(40, 56)
    encoded = segmenter.encode(image)
    plain = segmenter.dense_features(encoded, RFCLIP)
    assert not torch.allclose(segmenter.dense_features(encoded, REFOCUS), plain, atol=1e-3)
    unknown = Segmenter(replace(BACKBONE, sink_channels=()), short_side=40)
    assert not torch.allclose(unknown.dense_features(image, RFCLIP), plain, atol=1e-3)
