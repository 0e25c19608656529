"""Looks at the parts of a picture file before a decoder does.

Decoders bound neither how many parts they read nor how often the same bytes are read again, so
that a file of a few kilobytes can cost minutes or gigabytes. What is refused here no camera or
editor writes. Only the costs are judged; damage is left for the decoder to find.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from gclip_core.errors import ImageError

# libtiff draws the same line for JPEG; encoders write about ten scans.
MAX_JPEG_SCANS = 100
MAX_JPEG_SEGMENTS = 20_000
# libpng writes chunks of 8 kB: the largest image allowed has about 25,000.
MAX_PNG_CHUNKS = 100_000
# Comments before a GIF's first frame are joined one by one, which takes time by their square.
MAX_GIF_PREFACE = 2**20
# The largest image allowed has no more strips, tiles or colours.
MAX_TIFF_VALUES = 300_000

_TIFF_SLACK = 2**16  # honest files may store a value once and point to it twice

ORIENTATION = 0x0112
_SUBDIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, GPS, interoperability
_BYTES_PER_VALUE = dict(enumerate((0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)))
_BYTE_TYPES = (1, 2, 6, 7)

# In compressed data a 0xFF byte is followed by 0 or a restart number; any other pair is a marker.
_JPEG_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")


def check_parts(data: bytes) -> None:
    """Refuse a file whose parts would cost its decoder out of all proportion."""
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    elif data.startswith(b"\x89PNG"):
        _check_png(data)
    elif data.startswith(b"GIF8"):
        _check_gif(data)
    elif data[:2] in (b"II", b"MM"):
        _check_tiff(data)


def orientation(exif: bytes) -> int:
    """Return how the camera was turned, 1 to 8 as EXIF counts it; 1 where it does not say."""
    for entry in _directory(exif.removeprefix(b"Exif\0\0")):
        if entry.tag == ORIENTATION and entry.kind == 3:
            return entry.short if 1 <= entry.short <= 8 else 1
    return 1


def _refusal(what: str) -> ImageError:
    return ImageError(
        f"An ordinary image file was expected, but this one has {what}; open it in a picture "
        "editor, save it as PNG or JPEG and try again."
    )


def _check_jpeg(data: bytes) -> None:
    at, scans, exif = 2, 0, b""
    for _ in range(MAX_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, at)
        if found is None or found[1] == b"\xd9":
            _check_tiff(exif)
            return
        start = found.end()
        length = max(2, int.from_bytes(data[start : start + 2], "big"))
        if found[1] == b"\xe1" and data.startswith(b"Exif\0\0", start + 2):
            exif += data[start + 8 : start + length]
        scans += found[1] == b"\xda"
        if scans > MAX_JPEG_SCANS:
            raise _refusal(f"more than {MAX_JPEG_SCANS} scans")
        at = start + length
    raise _refusal(f"more than {MAX_JPEG_SEGMENTS:,} parts")


def _check_png(data: bytes) -> None:
    at = 8
    for _ in range(MAX_PNG_CHUNKS):
        if at >= len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise _refusal(f"more than {MAX_PNG_CHUNKS:,} parts")


def _check_gif(data: bytes) -> None:
    palette_bits = data[10] if len(data) > 10 else 0
    at = 13 + (3 << (palette_bits & 7) + 1 if palette_bits & 128 else 0)
    while at < len(data) and data[at] != 0x2C:  # the first frame
        if data[at] == 0x21:  # an extension: a label, then blocks up to an empty one
            at += 2
            while at < len(data) and data[at] and at <= MAX_GIF_PREFACE:
                at += 1 + data[at]
        at += 1
        if at > MAX_GIF_PREFACE:
            raise _refusal("more than 1 MB of notes before its first frame")


class _Entry(NamedTuple):
    """One entry of a TIFF directory; ``short`` and ``long`` are its first value read as such."""

    tag: int
    kind: int
    count: int
    n_bytes: int
    short: int
    long: int


def _directory(data: bytes, at: int | None = None) -> Iterator[_Entry]:
    """Yield the entries of the directory at ``at`` (the first one), up to the first broken one."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    count, entry, inline = (8, order + "HHQ8s", 8) if big else (2, order + "HHL4s", 4)
    size = struct.calcsize(entry)
    if at is None:
        at = int.from_bytes(data[8:16] if big else data[4:8], "little" if order == "<" else "big")
    if not 8 <= at <= len(data) - count:
        return
    entries = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    for number in range(min(entries, MAX_TIFF_VALUES)):
        start = at + count + number * size
        if start + size > len(data):
            return
        tag, kind, values, raw = struct.unpack_from(entry, data, start)
        n_bytes = values * _BYTES_PER_VALUE.get(kind, 0)
        offset = struct.unpack(order + ("Q" if big else "L"), raw)[0]
        if n_bytes > inline and offset + n_bytes > len(data):
            return
        outside = n_bytes if n_bytes > inline else 0
        short = struct.unpack(order + "H", raw[:2])[0]
        long = struct.unpack(order + "L", raw[:4])[0]
        yield _Entry(tag, kind, values, outside, short, long)


def _check_tiff(data: bytes) -> None:
    budget = len(data) + _TIFF_SLACK
    directories: list[int | None] = [None]
    for at in directories:  # grows while it is walked
        for entry in _directory(data, at):
            budget -= entry.n_bytes
            if budget < 0:
                raise _refusal("notes that lie upon each other")
            if entry.kind not in _BYTE_TYPES and entry.count > MAX_TIFF_VALUES:
                raise _refusal(f"more than {MAX_TIFF_VALUES:,} parts")
            if entry.tag in _SUBDIRECTORIES and len(directories) < 10:
                directories.append(entry.long)
