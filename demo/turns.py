"""Turns: what one thread does at a time, for the memory that it takes.

A turn is taken before a key of the cache, never while one is made, or two threads would wait for
each other.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_one_large = threading.RLock()
header, decoder = threading.Lock(), threading.Lock()
"""Around reading the header of a picture, and around decoding one."""


@contextmanager
def large() -> Iterator[None]:
    """Around work on a large request, and around decoding a large picture."""
    with _one_large:
        yield
    time.sleep(0.001)  # a thread that waits comes before the next method of this one
