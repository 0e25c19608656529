"""A segmenter, end to end: which blocks, which channels, whose answer, and what stays."""

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import (
    METHODS,
    Backbone,
    Encoded,
    GclipError,
    Method,
    MethodError,
    Segmenter,
    damage,
    encoder,
    gclip,
    word_lists,
)
from gclip_core.types import Fusion, FusionReason, FusionReport, Suppression, SuppressionReason
from tests import reference
from tests.gclip_core.test_masks import per_entry
from tests.models import enlarge_channel, look_at_one_patch, normalised, picture, tiny_backbone

WORDS = "cat, sofa; couch, wall"
IMAGE = picture(24, 40)
PATCHES = (3, 5)


def segmenter_of(backbone: Backbone, **settings: Any) -> Segmenter:
    return Segmenter(backbone, **{"templates": "plain", **settings})


def looking(*blocks: int) -> Segmenter:
    """On a tower whose tokens all look at one patch in ``blocks``, and evenly in all others."""
    return segmenter_of(tiny_backbone(30, lambda model: look_at_one_patch(model, blocks)))


def with_channel() -> Backbone:
    """A tower with an abnormal channel 7 in blocks 6 and 8."""
    return tiny_backbone(31, lambda model: enlarge_channel(model, 7, 40, (6, 8)))


def close(ours: Tensor, theirs: Tensor) -> bool:
    """Equal but for rounding, which depends on the processor and on how memory is aligned."""
    return torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4)


def second_weight(backbone: Backbone, block: int) -> Tensor:
    """A block's ``W2`` in float64."""
    return reference.read(backbone.model)[f"{block}.mlp.c_proj.weight"]


def assert_features_agree(
    backbone: Backbone,
    method: Method,
    replaced: dict[int, Tensor] | None = None,
    name: str = "gclip",
    **asked: Any,
) -> list[Tensor]:
    """Features equal the reference's with other weights ``replaced``; what enters its blocks."""
    tower = reference.read(backbone.model)
    xs = reference.inputs(tower, normalised(IMAGE), replaced)
    expected = reference.dense(tower, name, xs, PATCHES, **asked)
    features = segmenter_of(backbone, short_side=24).dense_features(IMAGE, method)
    assert reference.worst_cosine(features.patches, expected) >= 0.99999
    return xs


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return segmenter_of(tiny_backbone(36))


@pytest.fixture(scope="module")
def encoded(segmenter: Segmenter) -> Encoded:
    return segmenter.encode(picture(32, 48))


class TestWhichBlocksAmfFuses:
    @pytest.mark.parametrize(
        ("looked_in", "settings", "expected", "reason"),
        [
            (range(5, 11), {}, (5, 6), FusionReason.GLOBAL_TOKENS),
            (range(12), {}, (1, 2), FusionReason.GLOBAL_TOKENS),
            (range(5, 11), {"n_fused": 3}, (5, 6, 7), FusionReason.GLOBAL_TOKENS),
            (range(8, 11), {"amf_blocks": "backbone"}, (8, 9), FusionReason.GLOBAL_TOKENS),
            ((), {}, (5, 6), FusionReason.MIDDLE),
            ((5, 6, 7), {}, (5, 6), FusionReason.MIDDLE),
            ((), {"n_fused": 3}, (5, 6, 7), FusionReason.MIDDLE),
            (range(8, 11), {"amf_blocks": [3]}, (3,), FusionReason.BY_HAND),
            (range(5, 11), {"amf": False}, (), FusionReason.OFF),
        ],
    )
    def test_choice(
        self,
        looked_in: Sequence[int],
        settings: dict[str, Any],
        expected: tuple[int, ...],
        reason: FusionReason,
    ) -> None:
        """The first with global tokens up to the end or the middle ones or those named."""
        segmenter = looking(*looked_in)
        encoded = segmenter.encode(picture(32, 48))
        report = segmenter.report(encoded, gclip(**settings))
        assert report.fusion == FusionReport(expected, reason)
        tokens = segmenter.globality(encoded).tokens
        assert [block for block in range(12) if tokens[block]] == list(looked_in)

    def test_backbone_blocks(self) -> None:
        """The backbone's own."""
        segmenter = segmenter_of(replace(with_channel(), amf_blocks=(2, 4), cs_blocks=(3, 4)))
        asked = gclip(amf_blocks="backbone", cs_blocks="backbone")
        report = segmenter.report(segmenter.encode(picture(32, 32)), asked)
        assert report.fusion == FusionReport((2, 4), FusionReason.BACKBONE)
        assert report.suppressed == (3, 4)

    def test_global_tokens(self) -> None:
        """Scores and tokens agree with the reference."""
        backbone = tiny_backbone(32)
        segmenter = segmenter_of(backbone, short_side=24)
        tower = reference.read(backbone.model)
        xs = reference.inputs(tower, normalised(IMAGE))
        expected = [reference.received(tower, block, xs[block]) for block in range(12)]
        encoded = segmenter.encode(IMAGE)
        assert torch.allclose(
            segmenter.received(encoded).double(), torch.stack(expected), atol=1e-4
        )
        assert not any(segmenter.globality(encoded, threshold=1000).tokens)
        assert segmenter.report(encoded, gclip(global_threshold=1)).fusion.blocks == (1, 2)
        globality = segmenter.globality(encoded, threshold=2.0)
        assert globality.scores == pytest.approx([float(m.max()) for m in expected], abs=1e-4)
        assert globality.tokens == tuple(
            tuple(j for j in range(15) if float(m[j]) >= 2.0) for m in expected
        )
        assert any(globality.tokens)
        for block, tokens in enumerate(globality.tokens):
            if not tokens:
                assert math.isnan(globality.agreement[block])
                continue
            maps = reference.qk_maps(tower, block, xs[block])
            mean = sum(maps) / len(maps)
            cosines = [F.cosine_similarity(mean[1 + g, 1:], mean[0, 1:], dim=0) for g in tokens]
            assert globality.agreement[block] == pytest.approx(
                float(sum(cosines) / len(cosines)), 1e-4
            )

    def test_cs_and_windows(self) -> None:
        """Neither changes global tokens and the blocks that AMF fuses."""
        clean = segmenter_of(with_channel(), short_side=24)
        image = picture(24, 56)
        expected = clean.report(clean.encode(image), gclip(cs=False, global_threshold=2))
        tokens = clean.globality(clean.encode(image), 2).tokens
        for segmenter in (clean, replace(clean, window=24, stride=16)):
            encoded = segmenter.encode(image)
            method = gclip(cs_blocks=[0, 1, 2], global_threshold=2)
            for ready in (encoded, segmenter.suppress(encoded, method)):
                report = segmenter.report(ready, method)
                assert report.fusion.blocks == expected.fusion.blocks
                assert segmenter.globality(ready, 2).tokens == tokens


class TestChannelSuppression:
    @pytest.mark.parametrize("target", ["mean", "median"])
    @pytest.mark.parametrize("amf", [False, True])
    @pytest.mark.parametrize("blocks", ["auto", (2, 6), (0, 10)])
    def test_features(self, blocks: str | tuple[int, ...], amf: bool, target: str) -> None:
        """Agrees with the reference."""
        backbone = with_channel()
        method = gclip(amf=amf, amf_blocks=[7, 9], cs_blocks=blocks, cs_target=target)
        replaced = {}
        for block in (6, 8) if blocks == "auto" else blocks:
            W2 = second_weight(backbone, block)
            replaced[block] = reference.suppressed(W2, [int(W2.norm(dim=1).argmax())], target)
        assert_features_agree(backbone, method, replaced, amf_blocks=(7, 9) if amf else ())
        segmenter = segmenter_of(backbone, short_side=24)
        on, off = (
            segmenter.dense_features(IMAGE, m).patches
            for m in (method, replace(method, suppression=None))
        )
        assert not torch.allclose(on, off, atol=1e-3)

    @pytest.mark.parametrize("suppressing", [False, True])
    def test_inputs(self, suppressing: bool) -> None:
        """What enters the blocks of a damaged tower, with CS and without."""
        damaged = damage(tiny_backbone(33), 5, 60, [6, 8])
        replaced = {}
        if suppressing:
            weights = {block: second_weight(damaged, block) for block in (6, 8)}
            replaced = {block: reference.suppressed(W2, [5]) for block, W2 in weights.items()}
        method = gclip(amf=False, cs=suppressing)
        xs = assert_features_agree(damaged, method, replaced)
        segmenter = segmenter_of(damaged, short_side=24)
        for ours, theirs in zip(
            segmenter.suppress(segmenter.encode(IMAGE), method).inputs, xs, strict=True
        ):
            assert reference.worst_cosine(ours, theirs) >= 0.99999

    @pytest.mark.parametrize("name", ["clip", "sclip"])
    def test_last_block(self, name: str) -> None:
        """CS of the last block changes methods that keep its FFN."""
        damaged = damage(tiny_backbone(34), 5, 60, [11])
        last = reference.suppressed(second_weight(damaged, 11), [5])
        method = replace(METHODS[name], suppression=Suppression((11,)))
        assert_features_agree(damaged, method, name=name, last_W2=last)

    def test_report(self) -> None:
        """Norms and entropy before and after."""
        segmenter = segmenter_of(with_channel())
        report = segmenter.report(segmenter.encode(picture(32, 32)))
        assert report.abnormal == report.suppressed == (6, 8)
        assert (report.channels[6], report.channels[8]) == (7, 7)
        assert report.ratios[6] > 10 > 2 > report.ratios[5]
        assert report.norms_before.shape == report.norms_after.shape == (12, 32)
        changed = (report.norms_before != report.norms_after).nonzero().tolist()
        assert changed == [[6, 7], [8, 7]]
        rest = [d for d in range(32) if d != 7]
        assert report.norms_after[6, 7].item() == pytest.approx(
            report.norms_before[6, rest].mean().item()
        )
        entropy = [reference.entropy(row) for row in report.norms_before.tolist()]
        assert report.entropy.tolist() == pytest.approx(entropy, abs=1e-5)
        assert (report.entropy_after > report.entropy)[[6, 8]].all()
        assert torch.equal(report.entropy_after[:6], report.entropy[:6])

    def test_nothing_abnormal(self) -> None:
        """Without an abnormal channel nothing changes and that is the reason."""
        segmenter = segmenter_of(tiny_backbone(35))
        encoded = segmenter.encode(picture(32, 32))
        method = gclip(amf=False)
        report = segmenter.report(encoded, method)
        assert report.suppressed == report.abnormal == ()
        assert report.cs_reason == SuppressionReason.NONE_ABNORMAL
        assert segmenter.suppress(encoded, method) is encoded
        on, off = (
            segmenter.dense_features(encoded, m).patches for m in (method, METHODS["clearclip"])
        )
        assert close(on, off)

    def test_values(self) -> None:
        """Values are those of the last block."""
        segmenter = segmenter_of(with_channel())
        encoded = segmenter.encode(picture(32, 32))
        for method in (METHODS["clearclip"], gclip(amf=False)):
            x = segmenter.suppress(encoded, method).inputs[-1].double()
            _, _, v = reference.qkv(reference.read(segmenter.backbone.model), 11, x)
            values = segmenter.values(encoded, method)
            assert values.shape == (16, 32)
            assert torch.allclose(values.double(), torch.cat(v, dim=1)[1:], atol=1e-4)


class TestSegmenting:
    def test_mask(self) -> None:
        """A mask of every class."""
        segmenter = segmenter_of(tiny_backbone(36), logit_scale=25.0)
        image = picture(50, 80)
        result = segmenter.segment(image, WORDS, METHODS["clearclip"])
        features = segmenter.dense_features(image, METHODS["clearclip"])
        assert features.grid == (4, 6)
        text = segmenter.embed_words(["cat", "sofa", "couch", "wall"])
        logits = (25 * text @ features.patches.T).reshape(4, 4, 6)
        assert torch.allclose(result.logits, logits, atol=1e-4)
        assert result.vocabulary.names == ("cat", "sofa", "wall")
        assert result.method == METHODS["clearclip"]
        scores = per_entry(logits, (32, 48)).softmax(0)
        expected = torch.stack([scores[0], scores[1:3].amax(0), scores[3]])
        assert result.scores.shape == (3, 32, 48)
        assert torch.allclose(result.scores, expected, atol=1e-4)
        full = per_entry(logits, (50, 80))
        labels = torch.stack([full[0], full[1:3].amax(0), full[3]]).argmax(0)
        assert result.labels.shape == (50, 80)
        assert result.labels.dtype == torch.int16
        assert (result.labels == labels).float().mean() > 0.999

    def test_background(self, segmenter: Segmenter, encoded: Encoded) -> None:
        """Background prompts take what they win."""
        typed = segmenter.segment(encoded, "dog, sofa, wall, sky")
        hiding = segmenter.segment(
            encoded, "dog, wall", background=["sofa", "sky"], background_weight=1
        )
        assert hiding.background == ("sofa", "sky")
        expected = torch.tensor([0, -1, 1, -1])[typed.labels.long()]
        assert torch.equal(hiding.labels.long(), expected)
        assert torch.allclose(hiding.scores, typed.scores[[0, 2]], atol=1e-6)
        assert hiding.no_class_area() == pytest.approx((expected == -1).float().mean().item())
        assert sum(hiding.areas()) + hiding.no_class_area() == pytest.approx(1)
        assert 0 < hiding.no_class_area() < 1

    def test_background_weight(self, segmenter: Segmenter, encoded: Encoded) -> None:
        """A weaker background takes less."""
        areas = [
            segmenter.segment(
                encoded, "dog, wall", background=["sofa", "sky"], background_weight=w
            ).no_class_area()
            for w in (0, 0.5, 1)
        ]
        assert areas == sorted(areas)
        assert areas[0] < areas[-1]

    def test_no_background_left(self, segmenter: Segmenter, encoded: Encoded) -> None:
        """A background without prompts is noted."""
        result = segmenter.segment(encoded, "cat, sofa", background=["cats"])
        assert result.no_class_area() == 0
        assert any("every pixel gets a typed word" in note for note in result.notes)

    def test_suggest(self, segmenter: Segmenter, encoded: Encoded) -> None:
        """Words are suggested for an image."""
        words = segmenter.suggest(encoded, most=12)
        assert 1 <= len(segmenter.suggest(encoded, most=2)) <= min(2, len(words))
        assert len({*words}) == len(words) <= 12
        assert {*words} <= {*word_lists.read("everyday")}

    def test_suggest_windows(self, segmenter: Segmenter) -> None:
        """Words are suggested for the whole image."""
        image, windowed = picture(48, 64), replace(segmenter, window=16, stride=8)
        assert windowed.suggest(image) == segmenter.suggest(image)

    def test_towers(self) -> None:
        """Every patch size and depth."""
        for patch, layers in [(4, 24), (14, 12), (32, 2)]:
            backbone = tiny_backbone(38, patch=patch, image=4 * patch, layers=layers)
            settings = gclip(n_fused=1) if layers == 2 else gclip()
            result = segmenter_of(backbone).segment(picture(64, 90), WORDS, settings)
            h, w = result.logits.shape[1:]
            assert (h, w) == (4, round(4 * 90 / 64))
            assert result.scores.shape == (3, h * patch, w * patch)

    def test_attention_map(self, segmenter: Segmenter, encoded: Encoded) -> None:
        """Attention maps are those of the tower."""
        tower = reference.read(segmenter.backbone.model)
        maps = reference.qk_maps(tower, 4, encoded.inputs[4].double())
        assert torch.allclose(segmenter.attention_map(encoded, 4, 2).double(), maps[2], atol=1e-5)
        mean = sum(maps) / 4
        assert torch.allclose(segmenter.attention_map(encoded, 4).double(), mean, atol=1e-5)


class TestWindows:
    def test_mean(self) -> None:
        """Logits are the mean over windows."""
        backbone = with_channel()
        segmenter = segmenter_of(backbone, short_side=32, window=24, stride=16)
        image = picture(32, 56)
        encoded = segmenter.encode(image)
        corners = encoder.window_corners((32, 56), (24, 24), 16)
        encoded_corners = [corner for batch in encoded.passes for corner in batch.corners]
        assert [(8 * top, 8 * left) for top, left in encoded_corners] == corners
        assert len(corners) == 2 * 3
        method = gclip()
        result = segmenter.segment(encoded, WORDS, method)
        blocks = segmenter.report(encoded, method).fusion.blocks
        single = segmenter_of(backbone, short_side=24)
        total, count = torch.zeros(4, 4, 7), torch.zeros(4, 7)
        for top, left in corners:
            crop = image.crop((left, top, left + 24, top + 24))
            alone = single.segment(crop, WORDS, gclip(amf_blocks=blocks)).logits
            y, x = top // 8, left // 8
            total[:, y : y + 3, x : x + 3] += alone
            count[y : y + 3, x : x + 3] += 1
        assert torch.allclose(result.logits, total / count, atol=2e-3)
        assert result.scores.shape == (3, 32, 56)
        assert result.labels.shape == (32, 56)
        features = segmenter.dense_features(encoded, method)
        assert features.grid == (4, 7)
        assert torch.allclose(features.patches.norm(dim=1), torch.ones(28), atol=1e-5)

    def test_one_pass(self) -> None:
        """Attention views use one unwindowed pass."""
        backbone = with_channel()
        image = picture(32, 56)
        whole, windowed = segmenter_of(backbone), segmenter_of(backbone, window=16, stride=8)
        a, b = whole.encode(image), windowed.encode(image)
        method = gclip()
        assert close(whole.attention_map(a, 3), windowed.attention_map(b, 3))
        assert close(whole.last_attention(a, method), windowed.last_attention(b))
        assert close(whole.values(a, method), windowed.values(b))
        assert close(whole.received(a), windowed.received(b))


class TestWhatStays:
    """Weights are untouched during and after requests; threads do not mix."""

    METHODS: tuple[Method, ...] = (
        gclip(amf_blocks=[4, 5], cs_blocks=[6, 8]),
        gclip(amf=False, cs_blocks=[2]),
        gclip(cs=False, heads="mean", amf_blocks=[3]),
        METHODS["sclip"],
    )

    def requests(self, backbone: Backbone) -> list[Callable[[], Tensor]]:
        """Requests with all settings on one model, damaged and not."""
        damaged = damage(backbone, 3, 50, [1, 6])
        faces = [
            segmenter_of(bb, **settings)
            for bb in (backbone, damaged)
            for settings in ({}, {"window": 24, "stride": 16})
        ]
        image = picture(32, 48)
        return [
            lambda f=segmenter, m=method: f.segment(image, WORDS, m).logits
            for segmenter in faces
            for method in self.METHODS
        ]

    def test_weights_stay(self) -> None:
        """During and after requests."""
        model = (backbone := with_channel()).model
        before, done = fingerprint(model), threading.Event()

        def watch() -> list[bool]:
            looks = []
            while not done.is_set():
                looks.append(fingerprint(model) == before)
            return looks

        with ThreadPoolExecutor(1) as pool:
            watched = pool.submit(watch)
            for request in self.requests(backbone):
                request()
            done.set()
        assert len(watched.result()) > 3
        assert all(watched.result())
        assert fingerprint(model) == before

    def test_threads(self) -> None:
        """Threads of different settings get their own answer."""
        requests = self.requests(with_channel())
        alone = [request() for request in requests]
        assert len({tuple(answer.flatten().tolist()) for answer in alone}) == len(alone)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda request: request(), requests * 3))
        for answer, expected in zip(together, alone * 3, strict=True):
            assert close(answer, expected)


def fingerprint(model: nn.Module) -> list[tuple[int, int, bytes]]:
    """Every tensor's place and bytes, and every module."""
    tensors = (*model.parameters(), *model.buffers())
    places = [(id(x), x.data_ptr(), x.numpy(force=True).tobytes()) for x in tensors]
    return [*places, *((id(module), module.training, b"") for module in model.modules())]


def mine(attention: str = "kk", **parts: Any) -> Method:
    """A method that nobody published."""
    return Method("mine", "Mine", attention, False, False, **parts)


class TestSettings:
    @pytest.mark.parametrize(
        "settings",
        [
            {"short_side": 0},
            {"short_side": "336"},
            {"short_side": 33.5},
            {"window": 0},
            {"stride": None},
            {"logit_scale": 0},
            {"logit_scale": float("nan")},
            {"templates": "imagenet"},
            {"templates": ("a photo",)},
        ],
        ids=str,
    )
    def test_segmenter(self, settings: dict[str, Any]) -> None:
        """What cannot be meant is refused at once."""
        with pytest.raises(GclipError, match=next(iter(settings)).rstrip("s")):
            Segmenter(tiny_backbone(1, layers=1), **settings)

    def test_no_backbone(self) -> None:
        """A name in place of a backbone is refused at once."""
        with pytest.raises(GclipError, match="A Backbone was expected, but 'built-in' came"):
            Segmenter("built-in")

    @pytest.mark.parametrize("name", ["threshold", "background_weight"])
    @pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), None, "0.5"])
    def test_threshold_and_weight(self, name: str, value: object) -> None:
        segmenter = segmenter_of(tiny_backbone(1, layers=1))
        with pytest.raises(GclipError, match=name):
            segmenter.segment(picture(8, 8), "cat", METHODS["clip"], **{name: value})

    @pytest.mark.parametrize(
        ("method", "reason"),
        [
            (gclip(amf_blocks=[11]), "1 to 11 of 12.*block 12 "),
            (gclip(n_fused=12), "up to 11 of 12"),
            (gclip(cs_blocks=[12]), "[Bb]locks"),
            (mine("quick"), "qq, kk"),
            (mine(fusion=Fusion("all")), "AMF blocks must be auto, backbone"),
            (mine(fusion=Fusion(())), "no block came"),
            (mine(fusion=Fusion((-1,))), "block 0 came"),
            (mine(fusion=Fusion((1,), weight=1)), "below 1"),
            (mine(suppression=Suppression("all")), "CS blocks must be auto, backbone"),
            (mine(suppression=Suppression((-1,))), "block 0 came"),
        ],
    )
    def test_methods(
        self, segmenter: Segmenter, encoded: Encoded, method: Method, reason: str
    ) -> None:
        """A method that the tower cannot compute is refused."""
        for ask in (segmenter.dense_features, segmenter.last_attention):
            with pytest.raises(MethodError, match=reason):
                ask(encoded, method)

    @pytest.mark.parametrize(
        ("ask", "reason"),
        [
            (lambda segmenter, it: segmenter.suggest(it, most=0), "most must be"),
            (lambda segmenter, it: segmenter.received(it, [99]), "0 to 11"),
            (lambda segmenter, it: segmenter.received(it, [1.0]), "0 to 11"),
            (lambda segmenter, it: segmenter.received(it, []), "one or more"),
            (lambda segmenter, it: segmenter.received(it, 3), "3"),
            (lambda segmenter, it: segmenter.globality(it, threshold="5"), "threshold must be"),
            (
                lambda segmenter, it: segmenter.globality(it, threshold=float("nan")),
                "threshold must be",
            ),
            (lambda segmenter, it: segmenter.values(it, part="x"), "one of: q, k, v"),
            (lambda _, it: segmenter_of(tiny_backbone(37)).segment(it, WORDS), "another backbone"),
        ],
    )
    def test_encodings(
        self, segmenter: Segmenter, encoded: Encoded, ask: Callable[..., object], reason: str
    ) -> None:
        """What cannot be asked of an encoding is refused."""
        with pytest.raises(GclipError, match=reason):
            ask(segmenter, encoded)

    def test_full_device(
        self, segmenter: Segmenter, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A device that is too full is said to be."""
        full = Mock(side_effect=torch.OutOfMemoryError)
        monkeypatch.setattr(encoder.blocks, "block_inputs", full)
        with pytest.raises(GclipError, match="memory of cpu is too full"):
            segmenter.suppress(encoded, gclip(cs_blocks=[3]))


@pytest.mark.parametrize("name", ["clip", "gclip"])
def test_last_labels(name: str) -> None:
    """The last entry is the method's; earlier ones are what a tower of fewer blocks would label."""
    model = segmenter_of(tiny_backbone(), short_side=32)
    encoded = model.encode(picture(40, 56))
    method = METHODS[name]
    by_block = model.labels_by_block(encoded, ["cat", "dog", "sofa"], method, True)
    assert by_block.shape == (model.backbone.n_blocks, *encoded.grid)
    result = model.segment(encoded, ["cat", "dog", "sofa"], method, background=True)
    classes = torch.tensor(result.prompt_classes)
    assert torch.equal(by_block[-1].long(), classes[result.logits.argmax(0)])


def test_labels_by_block() -> None:
    """The labels of a block are those of a tower that ends there."""
    model = segmenter_of(tiny_backbone(), short_side=32)
    encoded = model.encode(picture(40, 56))
    words = ["cat", "dog", "sofa"]
    by_block = model.labels_by_block(encoded, words)
    visual, text = model.backbone.visual, model.embed_words(words)
    for block in range(model.backbone.n_blocks - 1):
        output = visual.transformer.resblocks[block](encoded.inputs[block][None])[0, 1:]
        cosines = F.normalize(visual.ln_post(output) @ visual.proj, dim=-1) @ text.T
        best = cosines.topk(2, dim=1)
        clear = (best.values[:, 0] - best.values[:, 1] > 1e-5).view(encoded.grid)
        assert torch.equal(best.indices[:, 0].view(encoded.grid)[clear], by_block[block][clear])
    with_windows = segmenter_of(model.backbone, short_side=32, window=24, stride=8).encode(
        picture(40, 56)
    )
    assert torch.equal(model.labels_by_block(with_windows, words), by_block)
