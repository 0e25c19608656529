"""ProxyCLIP: DINO's features of a photo, its attention, and different grids."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from gclip_core import Segmenter, attention
from gclip_core.relatives import METHODS, proxy
from gclip_core.relatives.proxy import Proxy
from tests import reference
from tests.models import loaded, normalised, picture, tiny_backbone

PROXYCLIP = METHODS["proxyclip"]
STRONG = replace(PROXYCLIP, last=Proxy(gamma=200.0, beta=0.9))


def test_features() -> None:
    """DINO sees the photo itself, however the tower normalises it: the stem's own features."""
    image = picture(96, 128)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    expected = loaded().visual.conv1.transformer((pixels[None] - 127) / 128, (6, 8))
    for backbone in (loaded(), tiny_backbone(3, patch=16, image=64)):
        encoded = Segmenter(backbone, short_side=96).encode(image)
        assert torch.allclose(proxy.dino(encoded), expected[0], atol=1e-3)


@pytest.mark.parametrize(
    ("method", "settings", "size"),
    [
        (PROXYCLIP, {"patch": 8}, (64, 96)),
        (STRONG, {"patch": 32}, (64, 160)),
    ],
)
def test_parity(
    method: Any, settings: dict[str, Any], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features and attention equal the reference's on every grid; for large patches it is finer."""
    monkeypatch.setattr(attention, "ELEMENTS_AT_A_TIME", 250)  # two rows at a time, or six
    backbone = tiny_backbone(41, **settings)
    patch = backbone.patch
    image = picture(*(length // patch * patch for length in size))
    segmenter = Segmenter(backbone, short_side=min(image.size))
    encoded, tower = segmenter.encode(image), reference.read(backbone.model)
    xs, dino = reference.inputs(tower, normalised(image)), proxy.dino(encoded)
    finer = 2 if patch == 32 else 1
    assert dino.shape == (encoded.grid[0] * finer, encoded.grid[1] * finer, 384)
    features = segmenter.dense_features(encoded, method)
    gamma, beta = method.last.gamma, method.last.beta
    z = reference.proxied(tower, xs[-1], encoded.grid, dino, gamma, beta)
    expected = reference.projected(tower, z)
    assert features.shape[:2] == dino.shape[:2]
    assert reference.worst_cosine(features.flatten(0, 1), expected) >= 0.999999
    matrix = method.matrix(encoded, head=1).double()
    (h, w), (H, W) = encoded.grid, dino.shape[:2]
    up, down = (
        torch.kron(resize(h, H), resize(w, W))
        for resize in (reference.bilinear_matrix, lambda n, m: _means(n, m).T)
    )
    average = down.T @ reference.proxy_attention(dino, gamma, beta) @ up
    assert torch.allclose(matrix[1:, 1:], average, atol=1e-5)
    assert matrix[0].tolist() == [1] + h * w * [0], "the class token keeps to itself"


def _means(n: int, n_fine: int) -> torch.Tensor:
    """Each of n patches is the mean of its fine ones: (n, n_fine)."""
    finer = n_fine // n
    return torch.eye(n).double().repeat_interleave(finer, 1) / finer


def test_plain_picture() -> None:
    """Where all patches are alike, each keeps its own Value, and there is no nan."""
    features = torch.ones(3, 4, 8) + 1e-4 * torch.randn(3, 4, 8)
    values = torch.randn(2, 12, 5)
    assert torch.equal(proxy.averaged(proxy.SHIPPED, features, values, (3, 4)), values)
    flat = Segmenter(tiny_backbone(43), short_side=32).encode(np.zeros((32, 32, 3), np.uint8))
    assert Segmenter(flat.backbone).dense_features(flat, PROXYCLIP).isfinite().all()
