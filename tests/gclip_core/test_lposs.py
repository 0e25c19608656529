"""LPOSS after other methods' features, on other grids and with few neighbours."""

import pytest

from gclip_core import Segmenter
from gclip_core.relatives import METHODS, lposs, proxy
from tests import reference
from tests.models import normalised, picture, tiny_backbone


@pytest.mark.parametrize("neighbours", [400, 5])
@pytest.mark.parametrize(("patch", "size"), [(8, (64, 96)), (32, (64, 160))])
def test_parity(
    patch: int, size: tuple[int, int], neighbours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It agrees with the reference after ClearCLIP; for large patches, DINO's grid is finer."""
    monkeypatch.setattr(lposs, "NEIGHBOURS", neighbours)
    backbone = tiny_backbone(41, patch=patch)
    image = picture(*size)
    segmenter = Segmenter(backbone, short_side=min(size))
    encoded, tower = segmenter.encode(image), reference.read(backbone.model)
    dino = proxy.dino(encoded)
    method = lposs.Lposs("mine", "Mine", METHODS["clearclip"].last)
    features = segmenter.dense_features(encoded, method)
    assert features.shape[:2] == dino.shape[:2]
    before = reference.dense(
        tower, "clearclip", reference.inputs(tower, normalised(image)), encoded.grid
    )
    expected = reference.propagated(before, encoded.grid, dino, patch, neighbours)
    assert reference.worst_cosine(features.flatten(0, 1), expected) >= 0.999999
