"""The bounded cache, used by one thread and by many."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from gclip_core.cache import BoundedCache


def test_least_recently_used() -> None:
    """A value is found until it is least recently used."""
    cache: BoundedCache[str] = BoundedCache(2)
    cache.put("a", "A")
    cache.put("b", "B")
    assert cache.get("a") == "A"
    cache.put("c", "C")
    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == ("A", "C")
    assert len(cache) == 2


def test_made_once() -> None:
    """Two threads that want the same value compute it once."""
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


def test_failed_make() -> None:
    """After a failure, one waiting thread computes the value, and later ones wait for it."""
    cache: BoundedCache[int] = BoundedCache(10)
    started, fail, made_again, go = (threading.Event() for _ in range(4))
    made: list[int] = []

    def fails() -> int:
        started.set()
        fail.wait(5)
        raise ValueError

    def make() -> int:
        made.append(1)
        made_again.set()
        go.wait(5)
        return len(made)

    with ThreadPoolExecutor(3) as pool:
        failed = pool.submit(cache.get_or_make, "key", fails)
        started.wait(5)
        waiting = pool.submit(cache.get_or_make, "key", make)
        time.sleep(0.1)  # until it is waiting
        fail.set()
        made_again.wait(5)
        later = pool.submit(cache.get_or_make, "key", make)
        time.sleep(0.1)
        go.set()
        assert isinstance(failed.exception(5), ValueError)
        assert (waiting.result(5), later.result(5)) == (1, 1)
    assert made == [1]
