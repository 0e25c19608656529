"""Encodings: their caches and their lifetime."""

import gc
import weakref

from gclip_core import Segmenter
from gclip_core.encoder import MOST_KEPT
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


def test_kept() -> None:
    """What depends on an encoding alone is computed once, and what it keeps is bounded."""
    segmenter = Segmenter(tiny_backbone(31), 32)
    encoded = segmenter.encode(picture(32, 48))
    assert segmenter._likeness(encoded) is segmenter._likeness(encoded)
    first = encoded.once(("a value", 0), list)
    assert encoded.once(("a value", 0), list) is first
    for number in range(1, MOST_KEPT + 1):
        encoded.once(("a value", number), list)
    assert encoded.once(("a value", 0), list) is not first
