"""Encodings: their caches and their lifetime."""

import gc
import weakref
from dataclasses import replace

import torch

from gclip_core import Segmenter
from tests.models import enlarge_channel, picture, tiny_backbone


def test_own_cache() -> None:
    """An encoding made by ``replace`` has its own cache."""
    encoded = Segmenter(tiny_backbone(), short_side=32).encode(picture(32, 32))
    before = encoded.received(11), encoded.heads(11).q
    other = replace(encoded, inputs=tuple(x.flip(0) for x in encoded.inputs))
    after = other.received(11), other.heads(11).q
    assert not any(torch.allclose(*pair) for pair in zip(before, after, strict=True))


def test_freed() -> None:
    """An encoding is freed with its last reference, not by the cyclic collector."""
    backbone = tiny_backbone(31, lambda model: enlarge_channel(model, 7, 40, (6, 8)))
    segmenter = Segmenter(backbone, 32)
    gc.disable()
    try:
        encoded = segmenter.encode(picture(32, 48))
        segmenter.dense_features(encoded)
        segmenter.suggest(encoded)
        freed = weakref.ref(encoded)
        del encoded
        assert freed() is None
    finally:
        gc.enable()
