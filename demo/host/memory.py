"""One bound for the process's memory: what each cache takes of it, and how what is freed goes back.

The bound is for the page with the built-in model; the weights of whatever else is loaded come on
top. Of it, libraries, page, model and visitors' sessions take ``BASE``; two requests at work, or
one with a large picture, take ``WORK``; the rest is what may be kept, by ``SHARES``.
"""

import argparse
import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MB = 10**6
BOUND = 1500 * MB
BASE = 850 * MB
WORK = 460 * MB
SHARES = {"encoded": 0.57, "results": 0.12, "pictures": 0.23, "held": 0.08}
"""With the bound's default a picture of 12 megapixels and both its masks are kept, and beside one
encoding in windows those of others."""
LEAST = BASE + WORK + 100 * MB
"""Below it nothing worth while could be kept."""

LARGE_PIXELS = 4_000_000
"""Pictures over it are worked on one at a time."""
_TRIM_SECONDS = 5.0
# glibc's <malloc.h>; of blocks from _OWN_MAPPING bytes each is a mapping of its own, which goes
# back when it is freed. Left alone, that size grows to 32 MB and holes between what is kept stay.
# Up to _SLACK bytes free at an arena's end stay: by default 128 kB, so that every operation of a
# tower gave its memory back and was given it anew, page by page: up to a third of its time.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_OWN_MAPPING, _SLACK = 2 * 2**20, 16 * 2**20
_ARENAS = 2


def limits(bound: int = BOUND) -> dict[str, int]:
    """Bytes that each cache may keep under a bound; together with the rest they make it up."""
    kept = bound - BASE - WORK
    return {name: int(share * kept) for name, share in SHARES.items()}


def parsed(text: str) -> int:
    """A bound given in GB, such as 1.5.

    Raises:
        ArgumentTypeError: no number, or too little to run in.
    """
    try:
        found = int(float(text) * 1000) * MB
    except (ValueError, OverflowError):
        found = 0
    if found < LEAST:
        raise argparse.ArgumentTypeError(
            f"a number of at least {LEAST / MB / 1000:g} (GB) was expected, but “{text[:40]}” came"
        )
    return found


def prepare() -> None:
    """Ask the allocator to give back what is freed; on glibc only."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)
        libc.mallopt(_M_TRIM_THRESHOLD, _SLACK)
        libc.mallopt(_M_ARENA_MAX, _ARENAS)


class Room:
    """Lets one request with a large picture work at a time, and trims when requests end."""

    def __init__(self) -> None:
        self._large = threading.Lock()
        self._mine = threading.local()
        self._trimmed = time.monotonic()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Around a request; what it took is free again afterwards, whatever happens."""
        self._mine.open, self._mine.large = True, False
        try:
            yield
        finally:
            if self._mine.large:
                self._large.release()
            self._mine.open = False
            if self._mine.large or time.monotonic() - self._trimmed > _TRIM_SECONDS:
                self._trimmed = time.monotonic()
                trim()

    def take(self, pixels: int) -> None:
        """Wait for one's turn where a picture of so many pixels is large."""
        mine = self._mine
        if pixels > LARGE_PIXELS and getattr(mine, "open", False) and not mine.large:
            self._large.acquire()
            mine.large = True


ROOM = Room()
"""The process's own."""


def trim() -> None:
    """Give what is free in the allocator's arenas back to the machine."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
