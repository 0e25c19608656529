"""Sliding windows over a picture."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from evaluation import sliding
from gclip_core import Attended, Method, Segmenter, gclip
from gclip_core.relatives import METHODS
from gclip_core.relatives.proxy import Proxy
from gclip_core.types import Grid
from tests.models import enlarge_channel, picture, tiny_backbone


@pytest.mark.parametrize(
    ("grid", "side", "stride", "window", "corners"),
    [
        ((21, 28), 224, 112, (14, 14), [(y, x) for y in (0, 7) for x in (0, 7, 14)]),
        ((14, 15), 224, 112, (14, 14), [(0, 0), (0, 1)]),  # the last one flush with the edge
        ((10, 50), 320, 480, (10, 20), [(0, 0), (0, 20), (0, 30)]),  # no gap with a long stride
        ((5, 6), 224, 112, (5, 6), [(0, 0)]),  # an image smaller than the window
        ((5, 6), 0, 16, (5, 6), [(0, 0)]),
        ((9, 9), 90, 71, (6, 6), [(y, x) for y in (0, 3) for x in (0, 3)]),  # rounded to patches
    ],
)
def test_places(grid: Grid, side: int, stride: int, window: Grid, corners: list[Grid]) -> None:
    """Patches of 16 pixels."""
    assert sliding.places(grid, 16, side, stride) == (window, corners)


@pytest.mark.parametrize(
    ("method", "patch", "finer"),
    [
        (METHODS["clearclip"], 8, 1),
        (gclip(amf_blocks=[5, 6], cs_blocks=[2, 5]), 8, 1),
        (gclip(amf_blocks="auto", n_fused=3), 8, 1),
        (replace(METHODS["proxyclip"], last=Proxy(gamma=200.0, beta=0.9)), 32, 2),
    ],
)
def test_average(method: Method, patch: int, finer: int) -> None:
    """Features are the mean over windows, each a picture of its own; a proxy's are finer. AMF's
    blocks are those of the whole picture."""
    backbone = tiny_backbone(61, lambda model: enlarge_channel(model, 7, 120, (2, 5)), patch=patch)
    segmenter = Segmenter(backbone, short_side=4 * patch)
    side, image = 3 * patch, picture(4 * patch, 7 * patch)
    windows = sliding.encode(segmenter, image, side, 2 * patch)
    ours = windows.features(method)
    if isinstance(method.last, Attended) and method.last.fusion:
        fusion = replace(method.last.fusion, blocks=segmenter.report(image, method).fused.blocks)
        method = replace(method, last=replace(method.last, fusion=fusion))
    total, count = torch.zeros_like(ours), torch.zeros(4 * finer, 7 * finer, 1)
    for y, x in product((0, 1), (0, 2, 4)):
        crop = image.crop((x * patch, y * patch, x * patch + side, y * patch + side))
        here = slice(finer * y, finer * (y + 3)), slice(finer * x, finer * (x + 3))
        total[here] += replace(segmenter, short_side=side).dense_features(crop, method)
        count[here] += 1
    assert torch.allclose(ours, total / count, atol=1e-5)
