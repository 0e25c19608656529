"""Every entry of the METHODS table, on random towers, against the reference."""

from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from gclip_core import Encoded, Segmenter, gclip
from gclip_core.relatives import METHODS
from gclip_core.relatives.calibration import Calibration
from gclip_core.relatives.proxy import dino
from tests import reference
from tests.models import normalised, picture, tiny_backbone

GRID = (5, 7)
RELATIVES = [name for name, method in METHODS.items() if isinstance(method.last, Calibration)]
Passed = tuple[Segmenter, Encoded, reference.Tower, list[Tensor]]
"""A picture encoded by us and by the reference."""
TOWERS: dict[str, dict[str, Any]] = {
    "12 blocks": {"ls_init_value": 0.3, "quick_gelu": True},
    "24 blocks": {"layers": 24},
}
DEPTHS = ["gclip", "itaclip", "resclip", *RELATIVES]
"""Methods that use blocks at certain depths."""


@lru_cache
def encoded(tower: str) -> Passed:
    """A picture of 5 x 7 patches."""
    settings = TOWERS[tower]
    backbone = tiny_backbone(7, **settings)
    patch = backbone.patch
    image = picture(5 * patch, 7 * patch)
    segmenter = Segmenter(backbone, short_side=5 * patch)
    theirs = reference.read(backbone.model, settings.get("quick_gelu", False))
    return segmenter, segmenter.encode(image), theirs, reference.inputs(theirs, normalised(image))


@pytest.mark.parametrize(
    ("tower", "name"),
    [*(("12 blocks", name) for name in METHODS), *(("24 blocks", name) for name in DEPTHS)],
)
def test_methods(tower: str, name: str) -> None:
    """Every method agrees with the reference."""
    segmenter, trunk, theirs, xs = encoded(tower)
    middle = segmenter.report(trunk, gclip()).fused.blocks if name == "gclip" else ()
    proxy = dino(trunk) if name in ("proxyclip", "lposs") else None
    expected = reference.dense(theirs, name, xs, GRID, middle, dino=proxy)
    features = segmenter.dense_features(trunk, METHODS[name])
    assert features.shape == (*GRID, 16)
    assert reference.worst_cosine(features.flatten(0, 1), expected) >= 0.99999
    assert torch.allclose(features.norm(dim=-1), torch.ones(GRID), atol=1e-5)


def test_ideas_off() -> None:
    """GCLIP with both ideas off is ClearCLIP, bit for bit."""
    segmenter, trunk, _, _ = encoded("12 blocks")
    off = segmenter.dense_features(trunk, gclip(amf=False, cs=False))
    assert torch.equal(off, segmenter.dense_features(trunk, METHODS["clearclip"]))


@pytest.mark.parametrize("name", [n for n, row in reference.METHODS.items() if row.attention])
def test_last_attention(name: str) -> None:
    """The matrix that is shown is the matrix that is used."""
    segmenter, trunk, tower, xs = encoded("12 blocks")
    middle = segmenter.report(trunk, gclip()).fused.blocks if name == "gclip" else ()
    matrices = reference.fused_maps(tower, name, xs, GRID, middle)
    for head, expected in {None: sum(matrices) / 4, 3: matrices[3]}.items():
        matrix = METHODS[name].matrix(trunk, head)
        assert torch.allclose(matrix.double(), expected, atol=1e-5)


@pytest.mark.parametrize("name", RELATIVES)
@pytest.mark.parametrize("head", [None, 2])
def test_calibrated_last_attention(name: str, head: int | None) -> None:
    """The matrix of calibrated methods includes repair."""
    segmenter, trunk, tower, xs = encoded("12 blocks")
    steps = reference.calibrated_steps(tower, name, xs, GRID)
    first, second = (
        sum(maps) / 4 if head is None else maps[head] for maps in (steps.first, steps.second)
    )
    repair = reference.mended(torch.eye(35).double(), steps.outliers, GRID, name)
    expected = steps.after @ (first @ steps.before @ repair + second) / 2
    matrix = METHODS[name].matrix(trunk, head)
    assert torch.allclose(matrix[1:, 1:].double(), expected, atol=1e-5)
    assert matrix[0].tolist() == [1] + 35 * [0], "the class token keeps to itself"
    assert matrix[1:, 0].abs().max() == 0
