"""FreeCP part by part against the float64 reference, and in whole segmentations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gclip_core import METHODS, MethodError, Segmenter
from gclip_core.relatives import freecp
from gclip_core.words.text import embed
from tests import reference
from tests.models import normalised, picture, tiny_backbone

WORDS = "cat, sofa; couch, wall"
BACKBONE = tiny_backbone(51, lambda model: model.logit_scale.fill_(4.0))
CLEARCLIP = METHODS["clearclip"]


def segmenter_of(**settings: object) -> Segmenter:
    return Segmenter(BACKBONE, **{"templates": "plain", **settings})


@pytest.mark.parametrize("grid", [(5, 9), (9, 4)])
def test_parity(grid: tuple[int, int]) -> None:
    """Matrix and maps equal the reference's, on square and oblong pictures."""
    image = picture(8 * grid[0], 8 * grid[1])
    segmenter, tower = segmenter_of(short_side=8 * min(grid)), reference.read(BACKBONE.model)
    xs = reference.inputs(tower, normalised(image))
    expected, encoded = reference.transitions(tower, xs), segmenter.encode(image)
    (affinity,) = freecp.affinity(encoded)
    assert torch.allclose(affinity, affinity.T)
    assert torch.allclose((affinity @ affinity).double(), expected, rtol=1e-4)
    words = ["cat", "sofa", "wall", "sky"]
    text = embed(BACKBONE, words, "plain").double()
    scale = float(BACKBONE.model.logit_scale.exp())
    F_ = reference.dense(tower, "clearclip", xs, grid)
    maps = reference.freecp(expected, reference.softmax(scale * F_ @ text.T).T, 3, grid)
    assert 0 < maps.flatten(1).amax(1).sum() < 3, "some classes are dropped, not all"
    result = segmenter.segment(encoded, words[:3], CLEARCLIP, background=["sky"], purify="freecp")
    assert torch.allclose(result.maps.double(), maps, atol=1e-3)
    full = F.interpolate(maps[None], image.size[::-1], mode="bilinear")[0]
    with_background = torch.cat([1 - full.amax(0, keepdim=True), full]).argmax(0) - 1
    assert (result.labels == with_background).float().mean() > 0.995
    assert result.purified == "freecp"
    edged = segmenter.segment(
        image, words[:3], CLEARCLIP, background=["sky"], purify="freecp", refine="guided"
    )
    assert 0.5 < (edged.labels == result.labels).float().mean() < 1
    alone = segmenter.segment(encoded, words[:3], CLEARCLIP, purify="freecp")
    assert alone.no_class_area() == 0, "without a background every pixel has a class"


def test_senders() -> None:
    """Boxes equal the reference's, for touching and separate parts and at the border."""
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.random((40, 7, 9)) ** rng.integers(1, 12, (40, 1, 1))).float()
    maps[0] = 0
    expected = torch.stack([reference.senders(one.double()) for one in maps])
    assert torch.equal(freecp.boxes(maps).double(), expected)


def test_no_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """If all patches attend to the class token alone, nothing spreads, and no map is nan."""
    monkeypatch.setattr(freecp.attention, "head_mean", lambda q, k: torch.zeros(1, 13, 13))
    segmenter = segmenter_of(short_side=24)
    result = segmenter.segment(picture(24, 32), WORDS, CLEARCLIP, purify="freecp")
    assert not result.maps.any()


def test_synonyms() -> None:
    """A class has the probability of its best synonym, and one map."""
    generator = torch.Generator().manual_seed(0)
    affinity, shares = (torch.rand(n, 30, generator=generator) for n in (30, 4))
    shares[0, :2] = torch.tensor([0.0, 1.0])  # the smallest and the largest of all
    joined = torch.stack([shares[0], shares[1:3].amax(0), shares[3]])
    maps = freecp.purified(affinity, shares, (0, 1, 1, -1), (5, 6))
    assert torch.equal(maps, freecp.purified(affinity, joined, (0, 1, -1), (5, 6)))


def test_large_patches() -> None:
    """With features on a finer grid, probabilities are averaged to the tower's grid."""
    backbone = tiny_backbone(52, patch=32)
    segmenter, image = Segmenter(backbone, short_side=128, templates="plain"), picture(128, 192)
    result = segmenter.segment(image, WORDS, METHODS["proxyclip"], purify="freecp")
    assert (result.logits.shape[1:], result.maps.shape[1:]) == ((8, 12), (4, 6))


def test_one_word() -> None:
    """One word without a background has probability one everywhere, without nan."""
    result = segmenter_of().segment(picture(32, 32), "cat", CLEARCLIP, purify="freecp")
    assert result.maps.eq(0).all() and result.labels.eq(0).all()


def test_refused() -> None:
    """An unknown name is refused."""
    with pytest.raises(MethodError, match="none, freecp"):
        segmenter_of().segment(picture(32, 32), WORDS, purify="all")
