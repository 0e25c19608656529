"""One bound for the process: shares that make it up, caches that obey, a page that stays below."""

import argparse
import gc
import threading
import weakref
from pathlib import Path

import pytest

from demo.host import memory
from demo.host.memory import Room
from demo.look import Request, Studio
from demo.settings import Settings
from tests.models import picture, tiny_backbone
from tests.pictures import encoded
from tests.visitor import Visitor, serving

WORDS = "words=strawberry,frog,grass"


@pytest.mark.parametrize("bound", [memory.LEAST, memory.BOUND, 8 * memory.BOUND])
def test_what_is_kept_and_what_is_needed_make_up_the_bound(bound: int) -> None:
    kept = memory.limits(bound)
    assert all(share > 0 for share in kept.values())
    assert bound - len(kept) <= memory.BASE + memory.WORK + sum(kept.values()) <= bound


def test_every_cache_of_the_studio_takes_its_share() -> None:
    studio, kept = Studio(tiny_backbone(), bound=memory.LEAST), memory.limits(memory.LEAST)
    assert studio.encoded.limit == kept["encoded"]
    assert studio.results.limit == kept["results"]
    assert studio.sources._pictures.limit == kept["pictures"]


@pytest.mark.parametrize(("text", "bound"), [("1.5", 1500), ("2", 2000), ("16", 16_000)])
def test_the_bound_is_given_in_gigabytes(text: str, bound: int) -> None:
    assert memory.parsed(text) == bound * memory.MB


@pytest.mark.parametrize("text", ["0.3", "-2", "nan", "inf", "much", ""])
def test_too_little_to_run_in_is_said(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="at least"):
        memory.parsed(text)


def test_a_kept_mask_holds_no_trunk() -> None:
    """Else the cache of trunks would let go of what the cache of masks holds on to, uncounted."""
    studio = Studio(tiny_backbone())
    look = studio.look(Request(Settings(seed=1, words="cat, dog")))
    look.mask(look.chosen)
    trunk, results = weakref.ref(look.encoded), len(studio.results)
    studio.encoded.clear()
    del look
    gc.collect()
    assert results
    assert len(studio.results) == results
    assert trunk() is None


def test_large_pictures_are_worked_on_one_at_a_time_and_small_ones_beside_them() -> None:
    room, begun, go = Room(), threading.Semaphore(0), threading.Event()

    def work(pixels: int) -> None:
        with room.entered():
            room.take(pixels)
            room.take(pixels)  # a request may name its picture more than once
            begun.release()
            assert go.wait(30)

    large = [threading.Thread(target=work, args=(24_000_000,)) for _ in range(2)]
    small = [threading.Thread(target=work, args=(300_000,)) for _ in range(2)]
    for thread in (*large, *small):
        thread.start()
    for _ in range(3):
        assert begun.acquire(timeout=30)
    assert not begun.acquire(timeout=0.3), "both large ones at once"
    go.set()
    for thread in (*large, *small):
        thread.join()


def test_a_failed_request_gives_its_turn_back() -> None:
    room = Room()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), room.entered():
            room.take(24_000_000)
            raise ZeroDivisionError


@pytest.mark.long
def test_a_small_bound_is_kept(tmp_path: Path) -> None:
    """Pictures of 24 megapixels on the tabs that cost most, and what would fill the caches."""
    bound = memory.LEAST / memory.MB
    with serving(tmp_path, "--no-downloads", "--memory", f"{bound / 1000}") as server:
        visitor = Visitor(server.url)
        large = visitor.uploaded(encoded(picture(4000, 6000), "JPEG"), "large.jpg")
        for tab in ("side", "compare", "export"):
            assert not visitor.ask(f"source=upload&tab={tab}&{WORDS}", large).problem
        for seed in range(8):
            assert not visitor.ask(f"seed={seed}&short=512&tab=compare&{WORDS}").problem
        assert server.peak_mb < bound
        visitor.close()
