"""Wrapping a CLIP, refusing what cannot be used, the registry, and damage."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CLIP, convert_weights_to_lp
from open_clip.pretrained import get_pretrained_cfg

from gclip_core import (
    BACKBONES,
    Backbone,
    BackboneError,
    GclipError,
    Segmenter,
    damage,
    load_backbone,
)
from gclip_core.backbones import load
from gclip_core.backbones.registry import OPENAI_MEAN, OPENAI_STD, BackboneEntry
from gclip_core.relatives import METHODS
from tests.models import (
    MEAN,
    STD,
    picture,
    tiny_backbone,
    tiny_clip,
    tokenizer,
    wrap_backbone,
)


def check_entry(entry: BackboneEntry) -> None:
    """An entry agrees with open_clip's own configurations."""
    config = open_clip.get_model_config(entry.architecture)
    published = get_pretrained_cfg(entry.architecture, entry.pretrained)
    assert load.hub_source(entry), "open_clip knows where the weights are"
    vision = config["vision_cfg"]
    assert (entry.n_blocks, entry.patch) == (vision["layers"], vision["patch_size"])
    assert entry.mean == tuple(published.get("mean") or OPENAI_MEAN)
    assert entry.std == tuple(published.get("std") or OPENAI_STD)
    assert bool(published.get("quick_gelu")) == bool(config.get("quick_gelu"))


@pytest.mark.parametrize("name", [entry.name for entry in BACKBONES.values() if entry.pretrained])
def test_entries(name: str) -> None:
    check_entry(BACKBONES[name])


def without_projection() -> CLIP:
    """Its features are no embeddings."""
    model = tiny_clip(1, layers=2)
    model.visual.proj = None
    return model


TINY = tiny_backbone(1, layers=2)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: load_backbone("openai"), "openai-vit-b-16"),
        (lambda: load_backbone(device="cuda:99"), "cuda:99"),
        (lambda: load_backbone(device="toaster"), "toaster"),
        (lambda: load_backbone(device="meta"), "device 'meta'"),
        (lambda: load_backbone(device=None), "device 'None'"),
        (lambda: load_backbone(dtype="float8"), "float8"),
        (lambda: replace(TINY, short_side=0), "short_side must"),
        (lambda: replace(TINY, mean=(2, 0, 0)), "mean must be a number from 0 to 1"),
        (lambda: replace(TINY, std=(0.5, 0.5, 0)), "std must"),
        (lambda: replace(TINY, amf_blocks="6 7"), "amf_blocks must be auto, backbone or"),
        (lambda: replace(TINY, tokenizer="ViT-B-16"), "and a SimpleTokenizer"),
        (lambda: wrap_backbone(without_projection()), "used: its image tower has no projection"),
        (lambda: damage(TINY, 32, 2, [0]), "no channel 32"),
        (lambda: damage(TINY, 0, float("nan"), [0]), "gain must"),
        (lambda: damage(TINY, 0, 2, []), "At least one block"),
        (lambda: damage(TINY, 0, 2, [2]), "no block 2"),
    ],
)
def test_unusable(make: Callable[[], object], reason: str) -> None:
    """A name, device or dtype that does not exist, and a setting out of range."""
    with pytest.raises(GclipError, match=reason):
        make()


def test_digest() -> None:
    """The same weights give the same digest."""
    digests = [wrap_backbone(tiny_clip(seed, layers=2)).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision(dtype: torch.dtype) -> None:
    """In bfloat16 the whole model, in float16 only the weights, as in OpenAI's files."""
    exact = Segmenter(tiny_backbone(3, layers=4), templates="plain", short_side=48)
    model = tiny_clip(3, layers=4)
    if dtype == torch.bfloat16:
        model = model.to(dtype)
    else:
        convert_weights_to_lp(model, dtype=dtype)
    backbone = wrap_backbone(model)
    low = Segmenter(backbone, templates="plain", short_side=48)
    image = picture(48, 48)
    trunk, whole = low.encode(image), exact.encode(image)
    assert {x.dtype for x in trunk.inputs} == {dtype}
    for name in ("clip", "gclip", "proxyclip", "rfclip", "sfp", "pearl"):
        method = METHODS[name]
        result = low.segment(trunk, "cat, dog", method)
        assert result.logits.dtype == torch.float32
        expected = exact.segment(whole, "cat, dog", method).logits
        assert (result.logits - expected).abs().mean() < 1, name
        ours, theirs = low.dense_features(trunk, method), exact.dense_features(whole, method)
        assert F.cosine_similarity(ours, theirs, dim=-1).mean() > 0.98, name


@pytest.mark.parametrize(
    ("vision", "text", "reason"),
    [
        ({"layers": 1}, {}, "has 1 block"),
        ({"patch_size": (8, 4)}, {}, "patches are not square"),
        ({"attentional_pool": True}, {}, "image tower pools in another way"),
        ({"pool_type": "avg"}, {}, "image tower pools in another way"),
        ({"final_ln_after_pool": True}, {}, "image tower pools in another way"),
        ({"qk_norm": True}, {}, "not a plain"),
        ({"scale_fc": True}, {}, "not a plain"),
        ({}, {"no_causal_mask": True}, "not causal"),
        ({}, {"pool_type": "last"}, "text tower pools in another way"),
        ({}, {"proj_bias": True}, "ends in no matrix"),
        ({}, {"proj_type": "none"}, "ends in no matrix"),
    ],
)
def test_unusable_towers(vision: dict[str, Any], text: dict[str, Any], reason: str) -> None:
    """Towers for which the result would be wrong."""
    own = {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32}
    model = CLIP(16, {**own, **vision}, {"width": 16, "heads": 2, "layers": 1, **text})
    for wrong, what in ((model, reason), (model.visual, "not an open_clip CLIP")):
        with pytest.raises(BackboneError, match=f"{what}.* pool by its class token"):
            Backbone("mine", "Mine", wrong, tokenizer(), MEAN, STD, 32)


def test_damage() -> None:
    """Only the scaled rows differ, and every other tensor is shared."""
    healthy = tiny_backbone(5)
    weights = {name: value.clone() for name, value in healthy.model.state_dict().items()}
    damaged = damage(healthy, channel=7, gain=30, blocks=[6, 8])
    changed = {f"visual.transformer.resblocks.{b}.mlp.c_proj.weight" for b in (6, 8)}
    for name, value in damaged.model.state_dict().items():
        original = healthy.model.state_dict()[name]
        assert torch.equal(original, weights[name]), name
        assert (value.data_ptr() == original.data_ptr()) == (name not in changed), name
    for block in (6, 8):
        W2, own = (b.blocks[block].mlp.c_proj.weight for b in (damaged, healthy))
        assert torch.equal(W2[7], 30 * own[7])
        assert torch.equal(W2[:7], own[:7])
        assert torch.equal(W2[8:], own[8:])
    assert damaged.title == damage(damaged, 3, 2, [1]).title == "tiny, damaged on purpose"
