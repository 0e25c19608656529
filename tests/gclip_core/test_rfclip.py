"""RF-CLIP against the float64 reference: sinks and both paths."""

import pytest
import torch

from gclip_core import Segmenter
from gclip_core.relatives import METHODS, rfclip
from tests import reference
from tests.models import enlarge_channel, normalised, picture, tiny_backbone

RFCLIP = METHODS["rfclip"]
CHANNELS = 7, 19
BACKBONE = tiny_backbone(61, lambda model: enlarge_channel(model, 7, 120, (2, 5)))


@pytest.mark.parametrize(
    ("channels", "grid"), [((), (5, 5)), (CHANNELS, (4, 7)), (CHANNELS, (7, 3))]
)
def test_parity(
    channels: tuple[int, ...], grid: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features and attention equal the reference's, with sinks and without."""
    monkeypatch.setitem(rfclip.SINK_CHANNELS, BACKBONE.name, channels)
    image, tower = picture(8 * grid[0], 8 * grid[1]), reference.read(BACKBONE.model)
    segmenter = Segmenter(BACKBONE, short_side=8 * min(grid))
    x = reference.inputs(tower, normalised(image))[0]
    z, weights = reference.rfclip(tower, x, grid, channels)
    encoded = segmenter.encode(image)
    features = segmenter.dense_features(encoded, RFCLIP).flatten(0, 1)
    assert reference.worst_cosine(features, reference.projected(tower, z)) >= 0.99999
    for head, expected in {None: sum(weights) / 4, 2: weights[2]}.items():
        matrix = RFCLIP.matrix(encoded, head)
        assert torch.allclose(matrix[1:, 1:].double(), expected, atol=1e-4)
