"""Pictures of strangers: what costs too much is refused, and large photos are scaled down."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.pictures import opened
from gclip_core.errors import ImageError
from tests.pictures import (
    cost,
    encoded,
    noise,
    overlapping_exif,
    png_chunk,
    rgb,
    turned,
    with_chunks,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


@pytest.mark.parametrize("turn", [1, 6])
def test_large_photo(turn: int) -> None:
    """A large photo is scaled down as a whole and turned upright."""
    smooth = noise(5, 8).resize((3200, 2000), Image.Resampling.BICUBIC)
    small = opened(encoded(smooth, "JPEG", exif=turned(turn)))
    assert small.size == ((2190, 1369) if turn == 1 else (1369, 2190))
    shown = small if turn == 1 else small.transpose(Image.Transpose.ROTATE_90)
    assert np.abs(np.asarray(smooth.resize(shown.size), int) - np.asarray(shown)).mean() < 2


def test_trailer() -> None:
    """A video after a photo does not count as scans."""
    trailer = b"\xff\xda\0\0" * 1000
    assert opened(encoded(noise(9, 9), "JPEG") + trailer).size == (9, 9)


def _jpeg_of_scans(scans: int, size: int = 2048) -> bytes:
    """A progressive JPEG of ``size`` squared whose last scan occurs ``scans`` times."""
    data = encoded(Image.new("L", (size, size), 100), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def _with_further_pictures(jpeg: bytes) -> bytes:
    """The JPEG with the header of a file of two pictures, which makes it an MPO to Pillow."""
    two = encoded(rgb(), "MPO", save_all=True, append_images=[rgb()])
    start = two.index(b"MPF\0") - 4
    length = struct.unpack(">H", two[start + 2 : start + 4])[0]
    return jpeg[:2] + two[start : start + 2 + length] + jpeg[2:]


def _exif_in_pieces(n: int) -> bytes:
    """A JPEG whose decoder joins ``n`` pieces of EXIF, 60 kB each."""
    notes = overlapping_exif(60_000 * n - 61_000)
    pieces = [notes[at : at + 60_000] for at in range(0, len(notes), 60_000)]
    segments = (b"\xff\xe1" + struct.pack(">H", len(p) + 8) + b"Exif\0\0" + p for p in pieces)
    data = encoded(rgb(), "JPEG")
    return data[:2] + b"".join(segments) + data[20:]  # without JFIF's density


def _gif_of_comments() -> bytes:
    data = encoded(rgb(), "GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    return data[:start] + b"!\xfe" + (b"\xff" + b"x" * 255) * 80_000 + b"\0" + data[start:]


# What it is: the file, and the outcome.
_BOMBS = {
    "a million empty chunks": (
        lambda: with_chunks(behind=10**6 * png_chunk(b"teSt")),
        "ImageError",
    ),
    "20 MB of comments in a GIF": (_gif_of_comments, "ImageError"),
    "5000 notes on the same bytes": (
        lambda: encoded(rgb(), "PNG", exif=overlapping_exif(10**6)),
        "12x17",
    ),
    "the same in ten pieces": (lambda: _exif_in_pieces(10), "ImageError"),
    "20,000 scans": (lambda: _jpeg_of_scans(20_000), "ImageError"),
    "20,000 scans before further pictures": (
        lambda: _with_further_pictures(_jpeg_of_scans(20_000)),
        "ImageError",
    ),
    "ten scans": (lambda: _jpeg_of_scans(10), "1732x1732"),
}


def _read(path: Path) -> str:
    try:
        image = opened(path.read_bytes())
    except ImageError:
        return "ImageError"
    return f"{image.height}x{image.width}"


@pytest.mark.parametrize("bomb", _BOMBS)
def test_bombs(bomb: str, tmp_path: Path) -> None:
    """A bomb costs little memory and time."""
    make, outcome = _BOMBS[bomb]
    (tmp_path / "bomb").write_bytes(make())
    result, grown, seconds = cost(_read, tmp_path / "bomb")
    assert result == outcome
    assert grown < 100, "in MB"
    assert seconds < 10, "of processor time; what grows with the square takes minutes"
