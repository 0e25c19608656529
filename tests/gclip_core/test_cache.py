"""Threads that share the bounded cache (its bound by bytes: tests/demo/test_scene.py)."""

import threading
from concurrent.futures import ThreadPoolExecutor

from gclip_core.cache import BoundedCache


def test_made_once() -> None:
    """Threads that want the same value at once compute it once."""
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
