"""How much memory the page may use: what its cache keeps, and what a request may need."""

import argparse
import threading
from pathlib import Path

import numpy as np
import pytest

from demo.host import memory
from demo.host.byte_cache import ByteCache, digest, nbytes
from demo.look import Request, Studio
from demo.settings import Settings
from demo.source import open_picture, read_mask
from gclip_core.errors import ImageError, MethodError
from gclip_core.methods import METHODS
from tests.models import tiny_backbone
from tests.pictures import png_bomb

UPLOAD = Settings(source="upload")


def test_the_cache_keeps_what_was_used_last_within_its_bytes() -> None:
    cache = ByteCache(10_000)
    for number in range(5):
        cache.put(("array", number), np.zeros(4000, np.uint8))
    assert cache.size <= 10_000
    assert cache.get(("array", 0)) is None
    assert cache.get(("array", 4)) is not None


def test_a_key_costs_the_same_whatever_a_visitor_sent() -> None:
    assert len(digest("x")) == len(digest("x" * 10**6)) == 16
    assert digest(("a", 1)) != digest(("a", 2))


def test_the_size_of_an_answer_counts_its_texts_and_arrays() -> None:
    assert nbytes({"text": "x" * 1000, "rows": [np.zeros(500, np.uint8)]}) > 1500


def test_the_size_of_a_request_counts_all_that_a_visitor_sent() -> None:
    words, names = "x" * 4000, ((1, "y" * 300),) * 254
    assert nbytes(Request(Settings(words=words), truth_classes=names)) > 4000 + 254 * 300


@pytest.mark.parametrize("text", ["1.1", "-3", "nan", "inf", "much", ""])
def test_a_bound_too_small_to_work_in_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="1.3 .GB. was expected"):
        memory.parsed(text)


def test_what_is_not_working_memory_is_the_caches() -> None:
    assert memory.cache_bytes(memory.parsed("2")) == 2 * 10**9 - memory.WORKING


@pytest.mark.parametrize("read", [lambda path: open_picture(UPLOAD, path), read_mask])
def test_a_picture_that_must_be_decoded_whole_has_32_megapixels_at_most(
    read: object, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(png_bomb(5_000, 6_500))
    with pytest.raises(ImageError, match="at most 32,000,000 pixels"):
        read(str(tmp_path / "x.png"))  # type: ignore[operator]


@pytest.mark.parametrize("method", ["scclip", "sfp"])
def test_methods_that_compare_all_patches_refuse_too_many_of_them(method: str) -> None:
    studio = Studio(tiny_backbone())
    settings = Settings(words="cat, dog", short_side=16 * 64, method=method)
    with pytest.raises(MethodError, match=r"takes up to 2,304 patches here"):
        studio.look(Request(settings))
    clear = studio.look(Request(settings.changed(method="gclip", short_side=16 * 60)))
    with pytest.raises(MethodError, match=r"takes up to 2,304 patches here"):
        clear.segment(METHODS[method])


def test_large_requests_are_answered_one_at_a_time_and_small_ones_beside_them() -> None:
    studio, go, begun = Studio(tiny_backbone()), threading.Event(), []
    small, large = Settings(words="cat", short_side=64), Settings(words="cat", short_side=16 * 40)

    def hold(_: object) -> None:
        begun.append(1)
        assert go.wait(30)

    threads = [
        threading.Thread(target=studio.answer, args=(Request(large), hold)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert studio.answer(Request(small), lambda look: look.settings) == small
    assert len(begun) <= 1
    go.set()
    for thread in threads:
        thread.join()
    assert len(begun) == 3


def test_between_the_methods_of_a_large_comparison_others_have_their_turn() -> None:
    studio = Studio(tiny_backbone())
    large, done = Request(Settings(words="cat", short_side=8 * 36)), []
    compared = studio.look(large)

    def compare() -> None:
        for method in METHODS.values():
            compared.segment(method)
            done.append(method)

    with studio.turn(compared):
        thread = threading.Thread(target=compare)
        thread.start()
        studio.look(large).segment(METHODS["clearclip"])
        assert done == []
    thread.join(60)
    assert len(done) == len(METHODS)
