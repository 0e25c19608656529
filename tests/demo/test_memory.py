"""How much memory the page may use: what its cache keeps, and what a request may need."""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo import engine as engine_module
from demo import source, turns
from demo.answer import compute, resolve
from demo.engine import Engine
from demo.host import memory
from demo.host.byte_cache import ByteCache, nbytes
from demo.request import Request
from demo.settings import Settings
from demo.source import open_picture
from gclip_core.errors import ImageError, MethodError
from gclip_core.methods import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Grid, Segmentation
from tests.models import loaded, tiny_backbone
from tests.pictures import black_png, cost, png_bomb, rgb

UPLOAD = Settings(source="upload")


def _opened(path: Path) -> Grid:
    return open_picture(UPLOAD, str(path)).size


def test_the_size_of_a_value_counts_all_that_a_visitor_sent_texts_and_arrays() -> None:
    assert nbytes({"text": "x" * 1000, "rows": [np.zeros(500, np.uint8)]}) > 1500
    assert nbytes(Request(Settings(words="x" * 4000))) > 4000


def test_a_value_is_found_while_it_is_in_use_also_without_room_for_it() -> None:
    """An encoding is not computed a second time for the same request, however small the cache."""
    cache = ByteCache(1000)
    large = cache.get_or_make("large", lambda: np.zeros(2000, np.uint8))
    assert cache.get_or_make("large", lambda: None) is large
    del large
    assert cache.get("large") is None
    cache.put("text", "a text")
    assert (cache.get("text"), len(cache)) == ("a text", 1)
    kept = np.zeros(10, np.uint8)
    cache.put("kept", kept)
    cache.clear()
    assert cache.get("kept") is None


def test_an_encoding_without_room_in_the_cache_is_computed_once_for_an_answer() -> None:
    encoded = []

    def encode(segmenter: Segmenter, image: Any) -> Encoded:
        encoded.append(image)
        return Segmenter.encode(segmenter, image)

    engine = Engine(tiny_backbone(), encode=encode, bound=memory.WORKING)
    answer = compute(engine, resolve(engine, Request(Settings(words="cat, dog"))))
    engine.segment(answer.question, METHODS["naclip"])
    assert len(encoded) == 1


def test_a_refined_mask_refers_to_no_large_picture() -> None:
    """The cache would not count it."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (500, 600, 3), np.uint8))
    segmenter = Segmenter(tiny_backbone())
    refined = segmenter.segment(image, "cat, dog", refine="guided")
    referred = [one for one in refined._scores.args if isinstance(one, Image.Image)]
    assert max(one.height * one.width for one in referred) < image.height * image.width / 2


def test_what_a_mask_needed_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tiny_backbone())
    question = resolve(engine, Request(Settings(words="cat, dog", refine="none")))
    engine.encoded(question.scene)
    trims: list[int] = []
    monkeypatch.setattr(memory, "trim", lambda: trims.append(1))
    for _ in range(2):
        engine.segment(question, METHODS["clearclip"])
    assert trims == [1], "not for a mask from the cache"


def test_masks_are_refined_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, at_work, most = Engine(tiny_backbone()), threading.Semaphore(1), []

    def refined(result: Segmentation, *_: object) -> Segmentation:
        most.append(at_work.acquire(blocking=False))
        time.sleep(0.05)
        at_work.release()
        return result

    monkeypatch.setattr(engine_module.refine, "refined", refined)
    question = resolve(engine, Request(Settings(words="cat, dog", refine="guided")))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: engine.refined(question, METHODS[name]), list(METHODS)[:4]))
    assert most == [True] * 4


@pytest.mark.parametrize("text", ["1.1", "-3", "nan", "inf", "much", ""])
def test_a_bound_too_small_to_work_in_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{memory.LEAST / 1e9} .GB. was"):
        memory.parsed(text)


def test_a_picture_over_100_megapixels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png_bomb(10_000, 10_100))
    with pytest.raises(ImageError, match="at most 100,000,000 pixels"):
        _opened(tmp_path / "x.png")


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        pytest.param((8, 6), 480, id="RGBA"),
        pytest.param((16, 0), 330, id="16-bits", marks=pytest.mark.long),
    ],
)
def test_a_png_of_99_megapixels_opens_in_the_memory_of_one_copy(
    kind: tuple[int, int], most: int, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(black_png(9_900, 10_000, *kind))
    size, grown, _ = cost(_opened, tmp_path / "x.png")
    assert size == source.worked_size((9_900, 10_000))
    assert grown < most


def test_a_large_picture_waits_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LARGE_PICTURE", 12 * 17 - 1)
    engine, done = Engine(tiny_backbone()), threading.Event()
    rgb().save(tmp_path / "x.png")
    request = Request(UPLOAD, str(tmp_path / "x.png"))

    def visit() -> None:
        engine.picture(request)
        done.set()

    thread = threading.Thread(target=visit)
    with turns.large():
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(30)
    with turns.large():  # once it is cached nobody waits
        engine.picture(request)


def test_no_upload_is_decoded_while_another_picture_is_encoded(tmp_path: Path) -> None:
    go, begun, decoded = threading.Event(), threading.Event(), threading.Event()

    def encode(segmenter: Segmenter, image: Any) -> Encoded:
        begun.set()
        assert go.wait(30)
        return Segmenter.encode(segmenter, image)

    engine = Engine(tiny_backbone(), encode=encode)
    rgb().save(tmp_path / "x.png")

    def decode() -> None:
        engine.picture(Request(UPLOAD, str(tmp_path / "x.png")))
        decoded.set()

    scene = engine.scene(Request(Settings(words="cat")))
    with ThreadPoolExecutor(2) as pool:
        pool.submit(engine.encoded, scene)
        assert begun.wait(30)
        pool.submit(decode)
        assert not decoded.wait(0.3)
        go.set()
        assert decoded.wait(30)


@pytest.mark.parametrize("method", ["scclip", "sfp"])
def test_methods_that_compare_all_patches_refuse_too_many_of_them(method: str) -> None:
    engine = Engine(tiny_backbone())
    windows = Settings(words="cat, dog", short_side=8 * 48, window=8 * 40, stride=8 * 8)
    question = resolve(engine, Request(windows))
    with pytest.raises(MethodError, match=r"up to 5,308,416 pairs of patches here"):
        engine.segment(question, METHODS[method])


def test_large_requests_are_answered_one_at_a_time_and_small_ones_beside_them() -> None:
    engine, go, begun = Engine(tiny_backbone()), threading.Event(), []
    small, large = (
        engine.scene(Request(Settings(words="cat", short_side=side))) for side in (64, 16 * 40)
    )

    def hold() -> None:
        with engine.turn(large):
            begun.append(1)
            assert go.wait(30)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(hold)
        with engine.turn(small):
            assert len(begun) <= 1
        go.set()
    assert len(begun) == 3


def test_between_the_methods_of_a_large_comparison_others_have_their_turn() -> None:
    engine = Engine(tiny_backbone())
    question, done = resolve(engine, Request(Settings(words="cat", short_side=8 * 29))), []

    def compare() -> None:
        for method in METHODS.values():
            engine.segment(question, method)
            done.append(method)

    with engine.turn(question.scene):
        thread = threading.Thread(target=compare)
        thread.start()
        engine.segment(question, METHODS["clearclip"])
        assert done == []
    thread.join(60)
    assert len(done) == len(METHODS)


def test_a_segmenter_counts_as_what_is_its_own_not_as_the_words_that_all_share() -> None:
    engine = Engine(loaded())
    plain, planted = (engine.segmenter(Settings(plant=plant)) for plant in (False, True))
    assert nbytes(plain) < 4096
    tables = planted.backbone.gains.nbytes + planted.backbone.norms.nbytes
    assert tables <= nbytes(planted) < tables + 4096
