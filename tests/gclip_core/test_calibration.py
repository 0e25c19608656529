"""Calibration part by part: against the float64 reference, by hand, and on unusual pictures.

Whole methods hide a wrong part: a similarity from the wrong block changes their features by a few
millionths. So the parts are compared one by one.
"""

import pytest
import torch
from torch import Tensor

from gclip_core import ImageError, Segmenter
from gclip_core.relatives import METHODS, calibration
from tests import reference
from tests.models import normalised, picture, tiny_backbone

GRID = (9, 11)
CALIBRATIONS = {name: METHODS[name].last for name in ("scclip", "sfp")}


def close(ours: Tensor, theirs: Tensor, share: float = 1e-5) -> bool:
    """Within ``share`` of the largest value."""
    return bool((ours.double() - theirs).abs().max() <= share * theirs.abs().max())


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
def test_repair(outliers: list[int], grid: tuple[int, int], name: str) -> None:
    """Repair agrees with the reference, also at the border and for an outlier among outliers."""
    patches = torch.randn(36, 5, generator=torch.Generator().manual_seed(3))
    keeps = CALIBRATIONS[name].keeps_isolated
    repaired = calibration.repaired(patches, torch.tensor(outliers, dtype=torch.long), grid, keeps)
    assert close(repaired, reference.mended(patches.double(), outliers, grid, name))


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_steps(name: str) -> None:
    """Every step agrees with the reference."""
    backbone, image = tiny_backbone(21), picture(9 * 8, 11 * 8)
    tower = reference.read(backbone.model)
    xs = reference.inputs(tower, normalised(image))
    steps = reference.calibrated_steps(tower, name, xs, GRID)
    calibrated = CALIBRATIONS[name].calibrated(Segmenter(backbone, 9 * 8).encode(image))
    assert sorted(calibrated.outliers.tolist()) == sorted(steps.outliers)
    assert close(calibrated.before, steps.before)
    assert close(calibrated.after, steps.after)
    assert close(calibrated.gate, steps.gate)
    assert close(calibrated.patches[0], steps.entering[0])
    assert close(calibrated.patches[1], steps.entering[1])
    assert close(calibrated.class_terms[:, 0], 0.3 * torch.stack([xs[11][0], sum(xs[4:11])[0]]))


def test_few_patches() -> None:
    """SC-CLIP refuses fewer than 31 patches with a message."""
    segmenter = Segmenter(tiny_backbone(22), short_side=40)
    assert segmenter.dense_features(picture(40, 56), METHODS["scclip"]).shape[:2] == (5, 7)
    for ask in (segmenter.dense_features, lambda one, method: method.matrix(one)):
        with pytest.raises(ImageError, match="at least 31 patches.*only 30"):
            ask(segmenter.encode(picture(40, 48)), METHODS["scclip"])


@pytest.mark.parametrize("grid", [(5, 6), (3, 3), (1, 5), (1, 1)])
def test_few_patches_sfp(grid: tuple[int, int]) -> None:
    """SFP works with any number of patches, even if all are outliers."""
    backbone, photo = tiny_backbone(22), picture(grid[0] * 8, grid[1] * 8)
    ours = Segmenter(backbone, 8 * min(grid)).dense_features(photo, METHODS["sfp"])
    tower = reference.read(backbone.model)
    theirs = reference.dense(tower, "sfp", reference.inputs(tower, normalised(photo)), grid)
    assert reference.worst_cosine(ours.flatten(0, 1), theirs) >= 0.99999
