"""What is computed from a photo with settings, and what all visitors share."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from demo import backbones, canvas, compare, limits, share
from demo.photo import weigh
from demo.scene import check_cost, most_patches
from demo.settings import marks_of
from gclip_core import METHODS, GclipError, Mark
from gclip_core.cache import BoundedCache
from gclip_core.encoder import Encoded
from gclip_core.result import Segmentation
from gclip_core.segmenter import Segmenter
from tests.demo.photos import scene as scene_of
from tests.demo.photos import small_dog


def test_methods_do_not_lower_what_one_mask_may_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing many methods may be refused where a single mask is not."""
    one = scene_of(words="dog", short_side=64, refine="none")
    many = {f"method {n}": replace(METHODS["maskclip"], name=f"method {n}") for n in range(60)}
    monkeypatch.setattr("demo.compare.METHODS", METHODS | many)
    patches = math.prod(one.segmenter.grid(one.photo.picture.size[::-1]))
    cost = patches * one.segmenter.backbone.norms.numel()
    monkeypatch.setattr(limits, "MAX_COST", 2 * cost)
    assert one.mask()
    with pytest.raises(GclipError, match="smaller size"):
        compare.compared(one)


def test_simultaneous_requests_share_an_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one photo, whatever words they ask for."""
    encoded = list[Image.Image]()

    def encode(segmenter: Segmenter, image: Image.Image) -> Encoded:
        encoded.append(image)
        time.sleep(0.2)
        return segmenter.encode(image)

    monkeypatch.setattr(backbones, "HOST", replace(backbones.HOST, encode=encode))
    photo = small_dog(tmp_path)

    def mask(words: str) -> Segmentation:
        return scene_of(photo, words=words, short_side=64, refine="none").mask()

    with ThreadPoolExecutor(4) as pool:
        masks = [*pool.map(mask, ("dog", "cat", "dog", "sky"))]
    assert len(encoded) == 1 and masks[0] is masks[2] is not masks[1]


@pytest.mark.usefixtures("as_shipped")
def test_long_photo_is_encoded_smaller(tmp_path: Path) -> None:
    """It costs what one request may cost; a size that the visitor chose stays as it is."""
    one = scene_of(small_dog(tmp_path, size=(1000, 100)), words="dog")
    chosen = one.with_settings(short_side=one.segmenter.backbone.short_side)
    patches = [math.prod(each.segmenter.grid((100, 1000))) for each in (one, chosen)]
    channels = one.segmenter.backbone.norms.numel()
    check_cost(patches[0], channels)
    assert patches[0] > 0.9 * most_patches(channels)
    with pytest.raises(GclipError, match="smaller size"):
        check_cost(patches[1], channels)
    assert f"max_patches={one.segmenter.max_patches}" in share.python(one)


def test_notes_are_the_visitors_own() -> None:
    """A duplicate word is reported to the visitor who typed it, and to nobody else."""
    small = {"short_side": 64, "refine": "none", "background": False}
    (note,) = scene_of(words="cat, CAT, dog", **small).mask().notes
    assert "“CAT”" in note
    assert scene_of(words="cat, dog", **small).mask().notes == ()
    assert scene_of(words="cat, dog, Dog", **small).mask().notes != ()


def test_cache_is_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pictures, encodings and masks, each weighed with everything that methods cached in it;
    tensors that share a storage are weighed once."""
    cache = BoundedCache(10 * 2**20, weigh)
    monkeypatch.setattr("demo.photo.CACHE", cache)
    monkeypatch.setattr("demo.scene.CACHE", cache)
    for number in range(4):
        path = small_dog(tmp_path, f"{number}.png", (400, 300 + number))
        scene = scene_of(path, words="dog, grass", short_side=224, refine="none")
        light = weigh(scene.encoded)
        scene.suggested()
        suggested = weigh(scene.encoded)
        scene.mask()
        assert weigh(scene.encoded) > suggested > light > 3 * 2**20
        assert weigh([scene.encoded, scene.encoded.inputs]) == weigh(scene.encoded)
        assert cache.get(scene.tower_key) is scene.encoded
        weights = map(weigh, cache.values())
        assert 4 * 2**20 < sum(weights) <= 10 * 2**20


def test_marks() -> None:
    """Points and boxes, with a word or none, in tenths of a pixel."""
    marks = marks_of("0.33333,0.5,red dog;.1,.2,0.3,1,", 100, 50)
    assert marks == (Mark(33.3, 25, "red dog"), Mark.box(10, 10, 30, 50))


def test_score_needs_known_words_and_a_truth(tmp_path: Path) -> None:
    known = scene_of(words="dog, grass")
    assert 0.4 < known.scores(known.mask()).miou < 1
    for other in (
        scene_of(words="dachshund, grass", nearest=False),
        scene_of(words="car"),
        scene_of(small_dog(tmp_path), words="dog"),
    ):
        assert other.scores(other.mask()) is None


def test_words_on_a_weak_fit_are_not_sure() -> None:
    """Words that are in the photo are sure; with less certain logits, none is."""
    current = scene_of(words="dog, grass, sky", refine="none")
    mask = current.mask()
    assert canvas.unsure(current, mask) == (False, False, False)
    assert canvas.unsure(current, replace(mask, logits=0.05 * mask.logits)) == (True, True, True)
