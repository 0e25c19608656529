"""An answer depends on its own request alone, and the cache is bounded in bytes."""

import time
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gclip_core as gclip
from demo import around, variants
from demo.answer import compute, resolve
from demo.engine import Engine
from demo.request import Request
from demo.settings import Settings
from demo.source import WORKED_PIXELS, worked_size
from demo.tabs import compare, learn
from evaluation.photos import shipped_photos
from gclip_core import GclipError
from tests.models import loaded, tiny_backbone
from tests.pictures import noise

WORDS = "dog, person, grass"
PLANTED = {"plant": True, "plant_channel": 7, "plant_gain": 100.0}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(tiny_backbone())


def request(words: str = WORDS, **changes: object) -> Request:
    return Request(Settings(example="dog", words=words, **changes))


def labels(engine: Engine, asked: Request) -> np.ndarray:
    return compute(engine, resolve(engine, asked)).mask.labels


def logits(engine: Engine, asked: Request) -> torch.Tensor:
    question = resolve(engine, asked)
    return engine.segment(question, question.chosen).result.logits


def upload(folder: Path, height: int, width: int, **changes: object) -> Request:
    path = folder / f"{height}x{width}.png"
    noise(height // 10, width // 10).resize((width, height)).save(path, compress_level=1)
    return Request(Settings(source="upload", words=WORDS, **changes), upload=str(path))


def test_spaces_are_no_words(engine: Engine) -> None:
    spaces, nothing = (resolve(engine, request(words)).settings for words in ("  ", ""))
    assert spaces == nothing
    with pytest.raises(GclipError, match="At least one word"):
        resolve(engine, request(",;"))


def test_edges_follow_the_photo_but_not_where_methods_are_compared() -> None:
    engine = Engine(loaded())
    answers = {
        name: compute(engine, resolve(engine, request(refine=name)))
        for name in ("none", "guided", "pamr")
    }
    plain = answers["none"].mask.labels
    for name, answer in answers.items():
        assert answer.mask.result.refined == name
        assert np.array_equal(answer.mask.labels, plain) == (name == "none")
        (compared,) = (row for row in compare.compute(engine, answer).rows if row.name == "gclip")
        assert np.array_equal(compared.mask.labels, plain)
    assert learn.REQUEST.settings.refine == "none"
    question = answers["pamr"].question
    picture, segmenter = question.scene.picture.image, question.scene.segmenter
    library = segmenter.segment(picture, WORDS, question.chosen, refine="pamr")
    assert np.array_equal(library.labels.numpy(), answers["pamr"].mask.labels)


def test_background_is_on_for_one_word_and_off_for_more(engine: Engine) -> None:
    assert (labels(engine, request("dog")) == labels(engine, request("dog", background="on"))).all()
    assert (labels(engine, request()) >= 0).all(), "every pixel gets one of several words"
    weak = request("dog", rest_weight=0.0)
    assert (labels(engine, weak) >= 0).all(), "at weight 0 it takes nothing"


def test_background_is_on_for_suggested_words_left_as_they_are() -> None:
    photo, engine = str(shipped_photos()["dog"].path), Engine(loaded())
    own = Request(Settings(source="upload"), upload=photo)
    answer = compute(engine, resolve(engine, own))
    chips = around.compute(engine, answer).more_words
    suggested, chip = answer.question.settings.words, chips[0]

    def rest(words: str, **changes: object) -> str:
        return resolve(engine, own.changed(words=words, **changes)).rest

    assert answer.question.rest == rest(suggested) == "background"
    assert rest(f"{suggested}, {chip}") == "background", "a chip beside them changes nothing"
    assert rest(suggested, background="off") == "none"
    assert rest(f"{suggested}, aardvark") == "auto"
    assert rest(f"{chip}, aardvark") == "auto"
    assert rest(f"{chip}, {chips[1]}") == "auto", "no suggested word is left"


def test_the_nearest_known_word_replaces_an_unknown_one_until_that_is_undone() -> None:
    engine = Engine(loaded())
    question = resolve(engine, request("tram, grass"))
    assert question.settings.words == "tram, grass", (
        "what was typed stays in the field and the link"
    )
    assert question.text == "train, grass"
    assert [phrase.phrase for phrase in question.replaced] == ["tram"]
    assert compute(engine, question).status.unknown == ()
    assert (labels(engine, request("tram, grass")) == labels(engine, request("train, grass"))).all()
    undone = resolve(engine, request("tram, grass", nearest=False))
    assert undone.text == "tram, grass"
    assert [phrase.nearest for phrase in compute(engine, undone).status.unknown] == ["train"]


def test_an_example_is_measured_against_its_drawn_mask(engine: Engine) -> None:
    photo = shipped_photos()["dog"]
    mask = compute(engine, resolve(engine, request(photo.text))).mask
    truth = photo.labels()
    for index, iou in mask.iou.items():
        true, predicted = truth == index, (mask.labels == index) & (truth >= 0)
        assert iou == pytest.approx((true & predicted).sum() / (true | predicted).sum())
    assert mask.miou is not None


def test_a_simulation_changes_its_own_answer_alone(engine: Engine) -> None:
    bare = request(amf=False, cs=False)
    own = logits(engine, bare)
    assert not logits(engine, request(amf=False, cs=False, **PLANTED)).equal(own)
    assert logits(Engine(engine.default), bare).equal(own)


def test_all_variants_take_one_pass_through_the_tower() -> None:
    passes = []

    def encode(segmenter: gclip.Segmenter, image: Image.Image) -> gclip.Encoded:
        passes.append(1)
        return segmenter.encode(image)

    engine = Engine(tiny_backbone(), encode=encode)
    question = resolve(engine, request(short_side=64))
    for method in variants.methods(variants.VARIANTS, question.switched).values():
        engine.segment(question, method)
    assert len(passes) == 1


def test_the_settings_that_a_method_takes_are_all_of_gclip_s_arguments() -> None:
    switches = {"amf", "cs", "cs_channels"}
    assert {*variants.ARGUMENTS, *switches} == set(signature(gclip.gclip).parameters)


def test_the_cache_stays_under_its_bound() -> None:
    engine = Engine(tiny_backbone())
    engine.cache.limit = 3_000_000
    for example in shipped_photos():
        compute(engine, resolve(engine, Request(Settings(example=example, words=WORDS))))
        assert engine.cache.size <= 3_000_000


@pytest.mark.parametrize("size", [(1, 1), (2000, 2000), (4000, 6000), (70, 65_000), (9000, 20)])
def test_a_picture_is_worked_on_at_4_megapixels_at_most(size: tuple[int, int]) -> None:
    height, width = worked_size(size)
    assert 0 < height * width <= WORKED_PIXELS
    if size[0] * size[1] <= WORKED_PIXELS:
        assert (height, width) == size
    elif min(height, width) > 100:
        assert height / width == pytest.approx(size[0] / size[1], rel=0.01)


def test_a_large_upload_is_scaled_as_said(engine: Engine, tmp_path: Path) -> None:
    large = compute(engine, resolve(engine, upload(tmp_path, 2000, 2200)))
    size = worked_size((2000, 2200))
    assert large.mask.labels.shape == large.question.scene.picture.size == size
    assert large.status.scaled == ((2000, 2200), size)
    small = compute(engine, resolve(engine, upload(tmp_path, 240, 300)))
    assert small.question.scene.picture.size == (240, 300)
    assert small.status.scaled is None


def test_a_backbone_that_is_not_here_is_never_fetched_by_asking(engine: Engine) -> None:
    with pytest.raises(GclipError, match="not on this machine"):
        resolve(engine, request(backbone="metaclip-vit-l-14"))
    closed = Engine(engine.default, downloads=False)
    with pytest.raises(GclipError, match="switched off"):
        closed.fetch("metaclip-vit-l-14")


def test_of_two_backbones_fetched_at_once_no_name_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(frozenset):
        def __or__(self, other: object) -> "Slow":
            time.sleep(0.05)
            return Slow(super().__or__(other))

    monkeypatch.setattr("demo.engine.load_backbone", lambda *_, **__: tiny_backbone())
    engine, names = Engine(tiny_backbone()), ["openai-vit-b-16", "metaclip-vit-l-14"]
    engine.fetched = Slow()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(engine.fetch, names))
    assert engine.fetched == set(names)
