"""Encodings: their caches and their lifetime."""

import gc
import weakref

from gclip_core import Segmenter
from tests.models import enlarge_channel, picture, tiny_backbone


def test_freed() -> None:
    """An encoding is freed with its last reference, not by the cyclic collector."""
    backbone = tiny_backbone(31, lambda model: enlarge_channel(model, 7, 40, (6, 8)))
    segmenter = Segmenter(backbone, 32)
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
