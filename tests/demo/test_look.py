"""A look: every answer depends on its own request alone, and the cache is bounded in bytes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gclip_core as gclip
from demo import variants
from demo.look import Request, Studio
from demo.settings import Settings
from demo.source import WORKED_PIXELS, worked_size
from evaluation.photos import star_photos
from gclip_core import GclipError
from tests.models import loaded, tiny_backbone
from tests.pictures import noise

WORDS = "dog, person, grass"
PLANTED = {"plant": True, "plant_channel": 7, "plant_gain": 100.0}


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(tiny_backbone())


def request(words: str = WORDS, **changes: object) -> Request:
    return Request(Settings(example="dog", words=words, **changes))


def labels(studio: Studio, asked: Request) -> np.ndarray:
    look = studio.look(asked)
    return look.mask(look.chosen).labels


def upload(folder: Path, height: int, width: int, **changes: object) -> Request:
    path = folder / "upload.png"
    noise(height // 10, width // 10).resize((width, height)).save(path, compress_level=1)
    return Request(Settings(source="upload", words=WORDS, **changes), upload=str(path))


def test_spaces_are_no_words(studio: Studio) -> None:
    assert studio.look(request("  ")).settings == studio.look(request("")).settings
    with pytest.raises(GclipError, match="At least one word"):
        studio.look(request(",;"))


def test_background_is_on_for_one_word_and_off_for_more(studio: Studio) -> None:
    assert (labels(studio, request("dog")) == labels(studio, request("dog", background="on"))).all()
    assert (labels(studio, request()) >= 0).all(), "every pixel gets one of several words"
    weak = studio.look(request("dog", rest_weight=0.0))
    assert (weak.mask(weak.chosen).labels >= 0).all(), "at weight 0 it takes nothing"


def test_background_is_on_where_all_words_are_suggested_ones() -> None:
    photo = str(star_photos()["dog"].path)
    own = Studio(loaded()).look(Request(Settings(source="upload", words=WORDS), upload=photo))
    first, second, *_ = own.more_words
    assert own.changed(words=f"{first}, {second}").rest == "background"
    assert own.changed(words=f"{first}; a synonym, {second}").rest == "background"
    assert own.changed(words=f"{first}, {second}", background="off").rest == "none"
    assert own.changed(words=f"{first}, aardvark").rest == "auto"


def test_an_example_is_measured_against_its_drawn_mask(studio: Studio) -> None:
    photo = star_photos()["dog"]
    look = studio.look(request(photo.text))
    mask, truth = look.mask(look.chosen), photo.labels()
    for index, iou in mask.iou.items():
        here, found = truth == index, (mask.labels == index) & (truth >= 0)
        assert iou == pytest.approx((here & found).sum() / (here | found).sum())
    assert mask.miou is not None


def test_a_simulation_changes_its_own_answer_alone(studio: Studio) -> None:
    bare = studio.look(request(amf=False, cs=False))
    own = bare.segment(bare.chosen).logits
    planted = studio.look(request(amf=False, cs=False, **PLANTED))
    assert not planted.segment(planted.chosen).logits.equal(own)
    again = Studio(studio.default).look(request(amf=False, cs=False))
    assert again.segment(again.chosen).logits.equal(own)


def test_all_variants_take_one_pass_through_the_tower() -> None:
    passes = []

    def encode(segmenter: gclip.Segmenter, image: Image.Image) -> gclip.Encoded:
        passes.append(1)
        return segmenter.encode(image)

    look = Studio(tiny_backbone(), encode=encode).look(request(short_side=64))
    for name in variants.VARIANTS:
        look.mask(variants.variant(look.settings, name))
    assert len(passes) == 1


def test_the_cache_stays_under_its_bound() -> None:
    studio = Studio(tiny_backbone())
    studio.cache.limit = 3_000_000
    for example in star_photos():
        look = studio.look(Request(Settings(example=example, words=WORDS)))
        look.mask(look.chosen)
        assert studio.cache.size <= 3_000_000


@pytest.mark.parametrize("size", [(1, 1), (2000, 2000), (4000, 6000), (70, 65_000), (9000, 20)])
def test_a_picture_is_worked_on_at_4_megapixels_at_most(size: tuple[int, int]) -> None:
    height, width = worked_size(size)
    assert 0 < height * width <= WORKED_PIXELS
    if size[0] * size[1] <= WORKED_PIXELS:
        assert (height, width) == size
    elif min(height, width) > 100:
        assert height / width == pytest.approx(size[0] / size[1], rel=0.01)


def test_a_large_upload_is_scaled_as_said(studio: Studio, tmp_path: Path) -> None:
    look, size = studio.look(upload(tmp_path, 2000, 2200)), worked_size((2000, 2200))
    assert look.mask(look.chosen).labels.shape == look.picture.size == size
    assert look.done("side").scaled == ((2000, 2200), size)
    small = studio.look(upload(tmp_path, 240, 300))
    assert small.picture.size == (240, 300)
    assert small.done("side").scaled is None


def test_a_backbone_that_is_not_here_is_never_fetched_by_asking(studio: Studio) -> None:
    with pytest.raises(GclipError, match="not on this machine"):
        studio.look(request(backbone="metaclip-vit-l-14"))
    closed = Studio(studio.default, downloads=False)
    with pytest.raises(GclipError, match="switched off"):
        closed.fetch("metaclip-vit-l-14")
