"""How much memory the page may use: what its cache keeps, and what a request may need."""

import argparse
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from demo import source
from demo.answer import resolve
from demo.engine import Engine
from demo.host import memory
from demo.host.byte_cache import nbytes
from demo.request import Request
from demo.settings import Settings
from demo.source import open_picture
from gclip_core.errors import ImageError, MethodError
from gclip_core.methods import METHODS
from gclip_core.types import Grid
from tests.models import loaded, tiny_backbone
from tests.pictures import black_png, cost, png_bomb, rgb

UPLOAD = Settings(source="upload")


def _opened(path: Path) -> Grid:
    return open_picture(UPLOAD, str(path)).size


def test_the_size_of_a_value_counts_all_that_a_visitor_sent_texts_and_arrays() -> None:
    assert nbytes({"text": "x" * 1000, "rows": [np.zeros(500, np.uint8)]}) > 1500
    assert nbytes(Request(Settings(words="x" * 4000))) > 4000


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
    with source.one_large:
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(30)
    with source.one_large:  # once it is cached nobody waits
        engine.picture(request)


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
