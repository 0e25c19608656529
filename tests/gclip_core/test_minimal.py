"""GCLIP in one file gives the library's labels."""

from functools import partial

import pytest
import torch

from gclip_core import Segmenter, gclip, minimal
from gclip_core.backbones.registry import OPENAI_MEAN, OPENAI_STD
from gclip_core.pixels import masks
from tests.models import enlarge_channel, picture, tiny_clip, tokenizer, wrap_backbone

WORDS = ["cat", "sofa", "an old wall"]


@pytest.mark.parametrize("size", [(140, 100), (300, 350)], ids=["rounded", "half a patch"])
def test_labels(size: tuple[int, int]) -> None:
    """Except where two words are nearly equal; AMF and CS both change the labels here."""
    model = tiny_clip(3, image=224, patch=16, quick_gelu=True)
    enlarge_channel(model, 7, 40, minimal.CS)
    segmenter = Segmenter(wrap_backbone(model, OPENAI_MEAN, OPENAI_STD), minimal.SIDE)
    photo = picture(*size)
    segment = partial(segmenter.segment, photo, WORDS)
    blocks = {"amf_blocks": minimal.AMF, "cs_blocks": minimal.CS}
    ours = segment(gclip(**blocks))
    best, second = masks.scores(ours.logits, ours.prompt_classes, size).topk(2, dim=0).values
    clear = best - second > 1e-3
    assert clear.double().mean() > 0.95
    labels = minimal.segment(model, tokenizer(), photo, WORDS)
    assert torch.equal(labels[clear], ours.labels[clear].long())
    for other in (gclip(cs=False, **blocks), gclip(amf=False, **blocks)):
        assert (segment(other).labels != ours.labels)[clear].double().mean() > 0.02
