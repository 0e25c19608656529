"""The bounded cache, asked by one thread and by many."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gclip_core.cache import BoundedCache


def test_what_was_put_is_found_until_it_is_least_recently_used() -> None:
    cache: BoundedCache[str] = BoundedCache(2)
    cache.put("a", "A")
    cache.put("b", "B")
    assert cache.get("a") == "A"
    cache.put("c", "C")
    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == ("A", "C")
    assert len(cache) == 2


def test_two_threads_that_want_the_same_make_it_once() -> None:
    cache: BoundedCache[int] = BoundedCache(10)
    started, go = threading.Barrier(4), threading.Event()
    made: list[int] = []

    def make() -> int:
        go.wait(5)
        made.append(1)
        return len(made)

    def ask() -> int:
        started.wait(5)
        return cache.get_or_make("key", make)

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask) for _ in range(4)]
        go.set()
        assert [answer.result(5) for answer in answers] == [1, 1, 1, 1]
    assert made == [1]


def test_different_keys_do_not_wait_for_each_other() -> None:
    cache: BoundedCache[str] = BoundedCache(10)
    inside, release = threading.Event(), threading.Event()

    def slow() -> str:
        inside.set()
        release.wait(5)
        return "slow"

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(cache.get_or_make, "slow", slow)
        assert inside.wait(5)
        assert cache.get_or_make("quick", lambda: "quick") == "quick"
        release.set()
        assert waiting.result(5) == "slow"


def test_a_failure_is_not_kept() -> None:
    cache: BoundedCache[str] = BoundedCache(10)

    def fail() -> str:
        raise OSError("once")

    with pytest.raises(OSError, match="once"):
        cache.get_or_make("key", fail)
    assert cache.get_or_make("key", lambda: "made") == "made"
