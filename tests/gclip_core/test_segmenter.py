"""A segmenter from end to end: blocks of AMF, channels of CS, masks and refusals."""

import gc
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import (
    METHODS,
    Backbone,
    Encoded,
    GclipError,
    Method,
    Segmenter,
    attention,
    damage,
    gclip,
    global_tokens,
    inspection,
)
from gclip_core.blocks import Heads
from gclip_core.numbering import ChosenBlocks, Reason
from gclip_core.words.text import embed
from tests import reference
from tests.models import enlarge_channel, look_at_one_patch, normalised, picture, tiny_backbone

WORDS = "cat, sofa; couch, wall"
IMAGE = picture(24, 40)
GRID = (3, 5)
AUTO = {"amf_blocks": "auto"}


def segmenter_of(backbone: Backbone, **settings: Any) -> Segmenter:
    return Segmenter(backbone, **{"templates": "plain", **settings})


def with_channel() -> Backbone:
    """A tower with an outlier channel 7 in blocks 6 and 8."""
    return tiny_backbone(31, lambda model: enlarge_channel(model, 7, 40, (6, 8)))


def close(ours: Tensor, theirs: Tensor) -> bool:
    """Equal except for rounding, which depends on the processor and on memory alignment."""
    return torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return segmenter_of(tiny_backbone(36))


@pytest.fixture(scope="module")
def encoded(segmenter: Segmenter) -> Encoded:
    return segmenter.encode(picture(32, 48))


@pytest.mark.parametrize(
    ("global_blocks", "settings", "expected", "reason"),
    [
        (range(5, 11), AUTO, (5, 6), Reason.GLOBAL_TOKENS),
        (range(12), AUTO, (1, 2), Reason.GLOBAL_TOKENS),
        ((5, 6, 8, 9, 10), AUTO, (8, 9), Reason.GLOBAL_TOKENS),
        ((9, 10), AUTO, (9, 10), Reason.GLOBAL_TOKENS),
        ((10,), AUTO, (5, 6), Reason.MIDDLE),
        (range(5, 11), AUTO | {"n_fused": 3}, (5, 6, 7), Reason.GLOBAL_TOKENS),
        (range(8, 11), {}, (2, 4), Reason.BACKBONE),
        ((), AUTO, (5, 6), Reason.MIDDLE),
        ((5, 6, 7), AUTO, (5, 6), Reason.MIDDLE),
        (range(8, 11), {"amf_blocks": [3]}, (3,), Reason.BY_HAND),
        (range(5, 11), {"amf": False}, (), Reason.OFF),
    ],
)
def test_amf_blocks(
    global_blocks: Sequence[int],
    settings: dict[str, Any],
    expected: tuple[int, ...],
    reason: Reason,
) -> None:
    """AMF fuses the first blocks with global tokens, else the middle ones, or the chosen ones."""
    backbone = tiny_backbone(30, lambda model: look_at_one_patch(model, global_blocks))
    segmenter = segmenter_of(replace(backbone, amf_blocks=(2, 4)))
    encoded = segmenter.encode(picture(32, 48))
    assert segmenter.report(encoded, gclip(**settings)).fused == ChosenBlocks(expected, reason)
    tokens = inspection.global_tokens(encoded).tokens
    assert [block for block in range(12) if tokens[block]] == list(global_blocks)


def test_global_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Received attention and tokens equal the reference's, however many rows are computed at a
    time; there is no nan where all attend to the class token alone."""
    monkeypatch.setattr(attention, "ELEMENTS_AT_A_TIME", 80)
    q, k = torch.ones(1, 7, 2), torch.zeros(1, 7, 2)
    k[:, 0] = 1000
    assert global_tokens.received(Heads(q, k)).isfinite().all()
    backbone = tiny_backbone(32)
    segmenter = segmenter_of(backbone, short_side=24)
    tower = reference.read(backbone.model)
    xs = reference.inputs(tower, normalised(IMAGE))
    expected = torch.stack([reference.received(tower, block, xs[block]) for block in range(12)])
    encoded = segmenter.encode(IMAGE)
    assert torch.allclose(
        torch.stack([*map(encoded.received, range(12))]).double(), expected, atol=1e-4
    )
    found = inspection.global_tokens(encoded, threshold=2.0)
    assert found.scores == pytest.approx(expected.amax(1).tolist(), abs=1e-4)
    assert found.tokens == tuple(tuple((m >= 2).nonzero()[:, 0].tolist()) for m in expected)
    assert any(found.tokens)


def test_clean_choice() -> None:
    """CS does not change the blocks that AMF fuses."""
    segmenter = segmenter_of(with_channel(), short_side=24)
    encoded, method = (
        segmenter.encode(picture(24, 56)),
        gclip(cs_blocks=[0, 1, 2], global_threshold=2),
    )
    expected = segmenter.report(encoded, replace(method, suppression=None)).fused
    assert segmenter.report(method.encoding(encoded), method).fused == expected


@pytest.mark.parametrize("amf", [False, True])
@pytest.mark.parametrize("blocks", ["auto", (0, 10)])
def test_cs_features(blocks: str | tuple[int, ...], amf: bool) -> None:
    """Features with CS equal the reference's, and differ from those without."""
    backbone = with_channel()
    method = gclip(amf=amf, amf_blocks=[7, 9], cs_blocks=blocks)
    tower, replaced = reference.read(backbone.model), {}
    for block in (6, 8) if blocks == "auto" else blocks:
        W2 = tower[f"{block}.mlp.c_proj.weight"]
        replaced[block] = reference.suppressed(W2, [int(W2.norm(dim=1).argmax())])
    xs = reference.inputs(tower, normalised(IMAGE), replaced)
    expected = reference.dense(tower, "gclip", xs, GRID, (7, 9) if amf else ())
    segmenter = segmenter_of(backbone, short_side=24)
    encoded = segmenter.encode(IMAGE)
    features = segmenter.dense_features(encoded, method)
    assert reference.worst_cosine(features.flatten(0, 1), expected) >= 0.99999
    for ours, theirs in zip(method.encoding(encoded).inputs, xs, strict=True):
        assert reference.worst_cosine(ours, theirs) >= 0.99999
    off = segmenter.dense_features(encoded, replace(method, suppression=None))
    assert not torch.allclose(features, off, atol=1e-3)


def test_report() -> None:
    """Norms before and after CS."""
    segmenter = segmenter_of(with_channel())
    report = segmenter.report(segmenter.encode(picture(32, 32)))
    assert report.outlier_blocks == report.suppressed.blocks == (6, 8)
    assert (report.channels[6], report.channels[8]) == (7, 7)
    assert report.ratios[6] > 10 > 2 > report.ratios[5]
    assert (report.norms_before != report.norms_after).nonzero().tolist() == [[6, 7], [8, 7]]
    others = report.norms_before[6, [d for d in range(32) if d != 7]]
    assert report.norms_after[6, 7].item() == pytest.approx(others.mean().item())


def test_no_outlier(segmenter: Segmenter, encoded: Encoded) -> None:
    """Without an outlier channel before the last block, CS changes nothing, and says why."""
    report = segmenter.report(encoded, gclip(amf=False))
    assert report.outlier_blocks == ()
    assert report.suppressed == ChosenBlocks((), Reason.NO_OUTLIER)
    assert gclip().encoding(encoded) is encoded
    last = segmenter_of(damage(segmenter.backbone, 5, 60, [11]))
    report = last.report(last.encode(IMAGE), gclip())
    assert report.suppressed == ChosenBlocks((), Reason.NO_OUTLIER)


def test_attention_map(segmenter: Segmenter, encoded: Encoded) -> None:
    """Attention maps are the tower's, of one head or the mean."""
    tower = reference.read(segmenter.backbone.model)
    maps = reference.qk_maps(tower, 4, encoded.inputs[4].double())
    assert torch.allclose(inspection.attention_map(encoded, 4, 2).double(), maps[2], atol=1e-5)
    mean = inspection.attention_map(encoded, 4).double()
    assert torch.allclose(mean, sum(maps) / 4, atol=1e-5)


def test_mask() -> None:
    """Logits are scaled cosines, and labels the best class of each pixel."""
    backbone = tiny_backbone(36)
    segmenter, image = segmenter_of(backbone, logit_scale=25.0), picture(50, 80)
    result = segmenter.segment(image, WORDS, METHODS["clearclip"])
    features = segmenter.dense_features(image, METHODS["clearclip"])
    text = embed(backbone, ["cat", "sofa", "couch", "wall"], "plain")
    logits = 25 * torch.einsum("pe,hwe->phw", text, features)
    assert features.shape == (4, 6, 16)
    assert torch.allclose(result.logits, logits, atol=1e-4)
    assert result.vocabulary.names == ("cat", "sofa", "wall")
    full = F.interpolate(logits[None], (50, 80), mode="bilinear")[0]
    labels = torch.stack([full[0], full[1:3].amax(0), full[3]]).argmax(0)
    assert (result.labels == labels).float().mean() > 0.999


def test_background(segmenter: Segmenter, encoded: Encoded) -> None:
    """Background prompts take the pixels that they fit best; a smaller weight gives them fewer."""
    typed = segmenter.segment(encoded, "dog, sofa, wall, sky")
    weights = {
        weight: segmenter.segment(
            encoded, "dog, wall", background=["sofa", "sky"], background_weight=weight
        )
        for weight in (0, 0.5, 1)
    }
    expected = torch.tensor([0, 2, 1, 2])[typed.logits.argmax(0)]
    result = weights[1]
    assert result.background == ("sofa", "sky")
    assert torch.equal(result.logits.argmax(0), expected)
    assert sum(result.areas()) + result.no_class_area() == pytest.approx(1)
    areas = [result.no_class_area() for result in weights.values()]
    assert areas == sorted(areas)
    assert areas[0] < areas[-1]
    left_out = segmenter.segment(encoded, "cat, sofa", background=["cats"])
    assert left_out.no_class_area() == 0
    assert "every pixel gets a typed word" in left_out.notes[0]


@pytest.mark.parametrize("method", [gclip(amf=False), METHODS["clearclip"]], ids=lambda m: m.name)
def test_own_cs(method: Method) -> None:
    """Features and attention of the last block have the method's CS, whatever the encoding's."""
    segmenter = segmenter_of(with_channel())
    clean = segmenter.encode(IMAGE)
    own, other = (m.encoding(clean) for m in (method, gclip(cs_blocks=[2])))
    for ask in (segmenter.dense_features, lambda one, method: method.matrix(one)):
        expected = ask(own, method)
        assert torch.equal(ask(clean, method), expected)
        assert torch.equal(ask(other, method), expected)


def test_other_encoding() -> None:
    """An encoding of another size or by another backbone is refused."""
    own = segmenter_of(tiny_backbone(36), short_side=32)
    other = replace(own, backbone=replace(own.backbone, cs_blocks=(0,)))
    with pytest.raises(GclipError, match="another backbone"):
        other.dense_features(own.encode(picture(32, 32)))
    encoded = replace(own, short_side=24).encode(picture(32, 56))
    for ask in (own.dense_features, own.suggest, own.report):
        with pytest.raises(
            GclipError, match=r"as 4 × 7 patches, .* 3 × 5. Encode it with this segmenter"
        ):
            ask(encoded)


def test_freed() -> None:
    """An encoding is freed with its last reference, not by the cyclic collector."""
    segmenter = segmenter_of(with_channel(), short_side=32)
    gc.disable()
    try:
        encoded = segmenter.encode(picture(32, 48))
        segmenter.dense_features(encoded)
        segmenter.suggest(encoded)
        segmenter._likeness(encoded)
        freed = weakref.ref(encoded)
        del encoded
        assert freed() is None
    finally:
        gc.enable()


def test_threads() -> None:
    """Concurrent requests with many settings get their own answers, and change no weights."""
    backbone, image = with_channel(), picture(32, 48)
    digest = backbone.digest
    methods = gclip(cs_blocks=[6, 8]), gclip(amf=False, cs_blocks=[2]), METHODS["sclip"]
    segmenters = segmenter_of(backbone), segmenter_of(backbone, short_side=24)

    def answer(request: tuple[Segmenter, Method]) -> Tensor:
        return request[0].segment(image, WORDS, request[1]).logits

    requests = list(product(segmenters, methods))
    alone = [answer(request) for request in requests]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(answer, requests * 2))
    assert all(close(*pair) for pair in zip(together, alone * 2, strict=True))
    assert replace(backbone).digest == digest


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda s, _: replace(s, short_side=0), "short_side must"),
        (lambda s, _: replace(s, max_patches=0), "max_patches must"),
        (lambda s, _: replace(s, logit_scale=float("nan")), "logit_scale must"),
        (lambda s, _: replace(s, templates="imagenet"), "templates must"),
        (lambda *_: Segmenter("built-in"), "not a Backbone"),
        (lambda s, it: s.dense_features(it, "clearclip"), "METHODS"),
        (lambda s, it: s.dense_features(it, gclip(n_fused=12)), "up to 11 of 12"),
        (lambda s, it: s.dense_features(it, gclip(amf_blocks=[11])), "AMF works.*11 of 12.*k 12 "),
        (lambda s, it: s.report(it, gclip(cs_blocks=[11])), "CS works.*11 of 12.*block 12 "),
        (lambda s, it: s.suggest(it, most=0), "most must be"),
        (lambda s, it: s.segment(it, "cat", threshold=1.1), "threshold must"),
        (lambda s, it: s.segment(it, "cat", background_weight="1"), "weight must"),
        (lambda s, it: s.segment(it, "cat", background="off"), "a list of words, not 'off'"),
        (lambda s, it: s.segment(it, "cat", background=np.array(["a", "b"])), "a list of words"),
        (lambda _, it: inspection.attention_map(it, 12), "0 to 11"),
        (lambda _, it: inspection.attention_map(it, 0, 4), "0 to 3"),
        (lambda _, it: gclip().matrix(it, 0.0), "0 to 3"),
    ],
)
def test_unusable_requests(
    segmenter: Segmenter, encoded: Encoded, ask: Callable[..., object], reason: str
) -> None:
    """A setting out of range, and what cannot be computed from an encoding, are refused."""
    with pytest.raises(GclipError, match=reason):
        ask(segmenter, encoded)
