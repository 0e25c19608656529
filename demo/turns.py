"""Turns: what one thread does at a time, for the memory that it takes.

Locks are taken in this order, or two threads would wait for each other:

1. The key of a blob, while it is made (:mod:`demo.host.blob_store`).
2. The turn of large work, :func:`large`. The thread that has it may take it again at any time.
3. ``decoder``.
4. The key of a value in the engine's cache, while it is made. Keys of what it is made from follow.
5. The engine's locks of the tower and of refinement, and ``header``. An upload is decoded under
   the tower's lock, which comes before the key of a picture alone.
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
