"""Other methods, part by part, against the float64 reference, and on unusual grids and pictures.

Whole methods hide a wrong part: in SC-CLIP, a similarity from the wrong block changes the features
by a few millionths.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gclip_core import Backbone, Encoded, ImageError, Segmenter, attention
from gclip_core.relatives import METHODS, calibration, lposs, proxy, rfclip
from gclip_core.relatives.proxy import Proxy
from gclip_core.types import Grid
from tests import reference
from tests.models import enlarge_channel, loaded, normalised, picture, tiny_backbone

CALIBRATIONS = {name: METHODS[name].last for name in ("scclip", "sfp")}
PROXYCLIP = METHODS["proxyclip"]
STRONG = replace(PROXYCLIP, last=Proxy(gamma=200.0, beta=0.9))
GRIDS = [(8, (8, 12)), (32, (2, 5))]
"""The side of a patch, and a grid; for large patches, DINO's is twice as fine."""


def both(backbone: Backbone, grid: Grid) -> tuple[Encoded, reference.Tower, list[Tensor]]:
    """A picture, encoded here; the reference's tower, and its input of every block."""
    image = picture(*(backbone.patch * side for side in grid))
    tower = reference.read(backbone.model)
    encoded = Segmenter(backbone, backbone.patch * min(grid)).encode(image)
    return encoded, tower, reference.inputs(tower, normalised(image))


def is_parity(features: Tensor, expected: Tensor) -> bool:
    return reference.worst_cosine(features.flatten(0, 1), expected) >= 0.99999


def close(ours: Tensor, theirs: Tensor) -> bool:
    return bool((ours.double() - theirs).abs().max() <= 1e-5 * theirs.abs().max())


# --- SC-CLIP and SFP -----------------------------------------------------------------------------


def test_equal_patches() -> None:
    """Patches that are all alike have no outlier, but a different one among them is."""
    assert calibration.lof_outliers(torch.ones(40, 8)).tolist() == []
    for scale in (1e-3, 1, 1e3):
        patches = scale * torch.ones(32, 8)
        patches[7] = -3 * scale
        assert calibration.lof_outliers(patches).tolist() == [7]


@pytest.mark.parametrize("grid", [(4, 9), (9, 4), (1, 36)])
@pytest.mark.parametrize("name", CALIBRATIONS)
@pytest.mark.parametrize("outliers", [[], [0, 1, 4, 5, 9, 10, 17, 35]])
def test_repair(outliers: list[int], grid: Grid, name: str) -> None:
    """At the border and for an outlier among outliers, too."""
    patches = torch.randn(36, 5, generator=torch.Generator().manual_seed(3))
    keeps = CALIBRATIONS[name].keeps_isolated
    repaired = calibration.repaired(patches, torch.tensor(outliers, dtype=torch.long), grid, keeps)
    assert close(repaired, reference.mended(patches.double(), outliers, grid, name))


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_steps(name: str) -> None:
    encoded, tower, xs = both(tiny_backbone(21), (9, 11))
    steps = reference.calibrated_steps(tower, name, xs, encoded.grid)
    ours = CALIBRATIONS[name].calibrated(encoded)
    assert sorted(ours.outliers.tolist()) == sorted(steps.outliers)
    for part in ("before", "after", "gate"):
        assert close(getattr(ours, part), getattr(steps, part)), part
    assert all(map(close, ours.patches, steps.entering))
    assert close(ours.class_terms[:, 0], 0.3 * torch.stack([xs[11][0], sum(xs[4:11])[0]]))


def test_few_patches() -> None:
    """SC-CLIP refuses fewer than 31 patches with a message."""
    scclip = METHODS["scclip"]
    assert scclip.features(both(tiny_backbone(22), (5, 7))[0]).shape[:2] == (5, 7)
    for ask in (scclip.features, scclip.matrix):
        with pytest.raises(ImageError, match="at least 31 patches.*only 30"):
            ask(both(tiny_backbone(22), (5, 6))[0])


@pytest.mark.parametrize("grid", [(5, 6), (3, 3), (1, 5), (1, 1)])
def test_few_patches_sfp(grid: Grid) -> None:
    """SFP works with any number of patches, even if all are outliers."""
    encoded, tower, xs = both(tiny_backbone(22), grid)
    assert is_parity(METHODS["sfp"].features(encoded), reference.dense(tower, "sfp", xs, grid))


# --- ProxyCLIP and LPOSS -------------------------------------------------------------------------


def test_dino() -> None:
    """DINO sees the photo itself, however the tower normalises it: the stem's own features."""
    image = picture(96, 128)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    expected = loaded().visual.conv1.transformer((pixels[None] - 127) / 128, (6, 8))
    for backbone in (loaded(), tiny_backbone(3, patch=16, image=64)):
        encoded = Segmenter(backbone, short_side=96).encode(image)
        assert torch.allclose(proxy.dino(encoded), expected[0], atol=1e-3)


@pytest.mark.parametrize(("patch", "grid", "method"), [(*GRIDS[0], PROXYCLIP), (*GRIDS[1], STRONG)])
def test_proxy(patch: int, grid: Grid, method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "ELEMENTS_AT_A_TIME", 250)  # two rows at a time, or six
    encoded, tower, xs = both(tiny_backbone(41, patch=patch), grid)
    dino, settings = proxy.dino(encoded), (method.last.gamma, method.last.beta)
    (h, w), (H, W) = grid, dino.shape[:2]
    assert ((2 * h, 2 * w) if patch == 32 else grid) == (H, W)
    z = reference.proxied(tower, xs[-1], grid, dino, *settings)
    assert is_parity(method.features(encoded), reference.projected(tower, z))
    matrix = method.matrix(encoded, head=1).double()
    up = torch.kron(reference.bilinear_matrix(h, H), reference.bilinear_matrix(w, W))
    mean = torch.kron(*(torch.eye(n).double().repeat_interleave(H // h, 1) for n in grid))
    average = mean @ reference.proxy_attention(dino, *settings) @ up / (H // h) ** 2
    assert torch.allclose(matrix[1:, 1:], average, atol=1e-5)
    assert matrix[0].tolist() == [1] + h * w * [0], "the class token keeps to itself"


def test_plain_picture() -> None:
    """Where all patches are alike, each keeps its own Value, and there is no nan."""
    features = torch.ones(3, 4, 8) + 1e-4 * torch.randn(3, 4, 8)
    values = torch.randn(2, 12, 5)
    assert torch.equal(proxy.averaged(proxy.SHIPPED, features, values, (3, 4)), values)
    flat = Segmenter(tiny_backbone(43), short_side=32).encode(np.zeros((32, 32, 3), np.uint8))
    assert PROXYCLIP.features(flat).isfinite().all()


@pytest.mark.parametrize("neighbours", [400, 5])
@pytest.mark.parametrize(("patch", "grid"), GRIDS)
def test_lposs(patch: int, grid: Grid, neighbours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ClearCLIP."""
    monkeypatch.setattr(lposs, "NEIGHBOURS", neighbours)
    encoded, tower, xs = both(tiny_backbone(41, patch=patch), grid)
    features = lposs.Lposs("mine", "Mine", METHODS["clearclip"].last).features(encoded)
    before, dino = reference.dense(tower, "clearclip", xs, grid), proxy.dino(encoded)
    assert is_parity(features, reference.propagated(before, grid, dino, patch, neighbours))


# --- RF-CLIP -------------------------------------------------------------------------------------

RFCLIP = tiny_backbone(61, lambda model: enlarge_channel(model, 7, 120, (2, 5)))


@pytest.mark.parametrize(("channels", "grid"), [((), (5, 5)), ((7, 19), (4, 7)), ((7, 19), (7, 3))])
def test_rfclip(channels: tuple[int, ...], grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sinks and without."""
    monkeypatch.setitem(rfclip.SINK_CHANNELS, RFCLIP.name, channels)
    (encoded, tower, xs), method = both(RFCLIP, grid), METHODS["rfclip"]
    z, weights = reference.rfclip(tower, xs[0], grid, channels)
    assert is_parity(method.features(encoded), reference.projected(tower, z))
    for head, expected in {None: sum(weights) / 4, 2: weights[2]}.items():
        matrix = method.matrix(encoded, head)
        assert torch.allclose(matrix[1:, 1:].double(), expected, atol=1e-4)
