"""GCLIP in one file chooses the library's blocks and channel, and gives its features and labels."""

import pytest
import torch
from PIL import Image

from gclip_core import Backbone, Segmenter, gclip, minimal
from gclip_core.pixels import masks
from tests import ROOT
from tests.models import enlarge_channel, look_at_one_patch, picture, small, tiny_backbone

PHOTO = Image.open(ROOT / "assets/photos/flower.jpg").crop((0, 0, 300, 300))
"""Where the damaged model has global tokens."""
WORDS = ["cat", "sofa", "wall"]
MEASURED = {"amf_blocks": "auto", "cs_blocks": "auto"}


def damaged(model: torch.nn.Module) -> None:
    """Global tokens from block 4 on, and an outlier channel in three blocks."""
    look_at_one_patch(model, range(4, 11))
    enlarge_channel(model, 7, 40, (2, 5, 8))


@pytest.fixture(scope="module", params=["neither", "both", "built-in-damaged"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    if request.param == "built-in-damaged":
        return small("built-in-damaged")
    prepare = damaged if request.param == "both" else None
    return tiny_backbone(3, prepare, image=48, patch=8, quick_gelu=prepare is None)


def test_choice_and_features(backbone: Backbone) -> None:
    """Blocks and channels are the library's; features agree within 1e-5."""
    segmenter = Segmenter(backbone)
    encoded = segmenter.encode(PHOTO)
    report = segmenter.report(encoded, gclip(**MEASURED))
    *trunk, _ = backbone.blocks
    first = minimal.first_with_global_tokens(minimal.run(trunk, encoded.inputs[0])[0])
    assert (first, first + 1) == report.fused.blocks
    weights = [block.mlp.c_proj.weight for block in trunk]
    changed = [(minimal.suppressed(W2) != W2).any(1).nonzero().flatten().tolist() for W2 in weights]
    blocks = report.suppressed.blocks
    assert changed == [[c] * (b in blocks) for b, c in enumerate(report.channels[:-1])]

    def difference(method: object) -> float:
        return float((segmenter.dense_features(encoded, method) - ours).abs().max())

    ours = minimal.features(backbone.visual, encoded.pixels)
    assert difference(gclip(**MEASURED)) < 1e-5
    assert difference(gclip(amf=False, **MEASURED)) > 1e-2
    assert not blocks or difference(gclip(cs=False, **MEASURED)) > 1e-2


@pytest.mark.parametrize("size", [(140, 100), (300, 350)])
def test_labels(size: tuple[int, int], backbone: Backbone) -> None:
    """Except where two words are nearly equal."""
    photo = picture(*size)
    result = Segmenter(backbone).segment(photo, WORDS, gclip(**MEASURED))
    best, second = masks.scores(result.logits, result.prompt_classes, size).topk(2, dim=0).values
    clear = best - second > 1e-3
    assert clear.double().mean() > 0.95
    labels = minimal.segment(backbone, photo, WORDS)
    assert torch.equal(labels[clear], result.labels[clear].long())
