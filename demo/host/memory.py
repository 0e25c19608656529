"""Memory of the process: the cache's share of it, and freed memory returned to the system.

The bound is for the page with the built-in model; weights of other backbones come on top.
Libraries, model, sessions and the requests being computed use up to ``WORKING``; the rest is the
cache's.
"""

import argparse
import ctypes
import sys

from PIL import PngImagePlugin

MB = 10**6
BOUND = 1500 * MB
WORKING = 1420 * MB
LEAST = WORKING + 50 * MB
"""The smallest bound that can be set."""
PNG_TEXTS = 4 * 2**20
"""Bytes of all texts in a PNG; a character may need four in memory. Pillow would read 64 MB."""
# From glibc's <malloc.h>. Left alone, glibc keeps freed blocks of up to 32 MB in many arenas, and
# the process grows to twice of what is in use.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_OPTIONS = {_M_MMAP_THRESHOLD: 2 * 2**20, _M_TRIM_THRESHOLD: 16 * 2**20, _M_ARENA_MAX: 2}
_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


def parsed(text: str) -> int:
    """A bound given in GB, such as 1.5.

    Raises:
        ArgumentTypeError: no number, or too little to run in.
    """
    try:
        chosen = int(float(text) * 1000) * MB
    except (ValueError, OverflowError):
        chosen = 0
    if chosen < LEAST:
        raise argparse.ArgumentTypeError(
            f"a number of at least {LEAST / MB / 1000:g} (GB) was expected, but “{text[:40]}” came"
        )
    return chosen


def prepare() -> None:
    """Bound a PNG's texts, and make glibc's allocator return freed memory to the system."""
    PngImagePlugin.MAX_TEXT_MEMORY = PNG_TEXTS
    if hasattr(_LIBC, "mallopt"):
        for option, value in _OPTIONS.items():
            _LIBC.mallopt(option, value)


def trim() -> None:
    """Return the allocator's free memory to the system; on glibc only."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
