"""Pictures that would cost the page too much memory: see :mod:`tests.load.attack`."""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from tests.pictures import black_png, encoded, png_chunk, rgb
from tests.visitor import BusyError, FailedError, Server, Visitor

WORDS = "words=cat,dog,grass"
Attack = Callable[[Server], Iterable[object]]
"""Attacks a server and yields what came of each try."""


def _asked(server: Server, data: bytes, tab: str = "side") -> str:
    """What the page says to a picture: the first words of a refusal, or "a mask"."""
    visitor = Visitor(server.url)
    upload = visitor.upload(data)
    if upload.status_code != 200:
        return f"{upload.status_code} for the upload"
    file = {"path": upload.json()[0], "meta": {"_type": "gradio.FileData"}}
    try:
        return visitor.ask(f"source=upload&tab={tab}&{WORDS}", file).problem[:60] or "a mask"
    except (BusyError, FailedError) as error:
        return str(error)[:60]


def at_once(number: int, ask: Callable[[int], object]) -> Iterator[object]:
    """What comes of ``ask(0)``, ``ask(1)`` …, all at the same time."""
    with ThreadPoolExecutor(number) as pool:
        yield from pool.map(ask, range(number))


def _notes(length: int) -> bytes:
    """EXIF of which 5,000 entries point to the same bytes."""
    header = b"II*\0" + struct.pack("<I", 8 + length) + bytes(length)
    entries = (struct.pack("<HHII", 1000 + number, 7, length, 8) for number in range(5000))
    return header + struct.pack("<H", 5000) + b"".join(entries) + bytes(4)


def exif_behind_the_pixels(server: Server) -> Iterator[object]:
    """5 GB of EXIF: 5,000 entries point to the same megabyte."""
    png = encoded(rgb(), "PNG")
    yield _asked(server, png[:-12] + png_chunk(b"eXIf", _notes(10**6)) + png[-12:])


def exif_as_digits(server: Server) -> Iterator[object]:
    """The same as a PNG's text of hexadecimal digits."""
    png, exif = encoded(rgb(), "PNG"), _notes(10**5)
    text = zlib.compress(b"\nexif\n%d\n" % len(exif) + exif.hex().encode())
    chunk = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + text)
    yield _asked(server, png[:33] + chunk + png[33:])


def texts_of_a_png(server: Server) -> Iterator[object]:
    """Sixty texts of a megabyte, whose characters need four bytes each."""
    text = zlib.compress(b"x" * (2**20 - 4) + "😀".encode())
    chunks = b"".join(
        png_chunk(b"iTXt", b"key%d\0\1\0\0\0" % number + text) for number in range(60)
    )
    png = encoded(rgb(), "PNG")
    data = png[:33] + chunks + png[33:]
    yield from at_once(4, lambda _: _asked(server, data))


def chunks_behind_the_pixels(server: Server) -> Iterator[object]:
    """Four PNGs of 60 MB: five million empty chunks, each of which the decoder would keep."""
    png, chunk = encoded(rgb(), "PNG"), png_chunk(b"teSt")
    chunks = chunk * (60_000_000 // len(chunk))

    def ask(number: int) -> object:
        return _asked(server, png[:-12] + png_chunk(b"teSt", bytes([number])) + chunks + png[-12:])

    yield from at_once(4, ask)


def four_large_pngs(server: Server) -> Iterator[object]:
    """Four of 99 megapixels at once, in a few hundred kilobytes each."""
    files = [black_png(9_900 - number, 10_000, 8, 6) for number in range(4)]
    yield from at_once(4, lambda number: _asked(server, files[number]))


def exports_of_large_pngs(server: Server) -> Iterator[object]:
    """The zip of a picture of 99 megapixels."""
    files = [black_png(9_900 - number, 10_000, 8, 0) for number in range(4)]
    yield from at_once(4, lambda number: _asked(server, files[number], "export"))


def _jpeg(height: int, width: int, seed: int) -> bytes:
    """A progressive JPEG of four inks."""
    inks = Image.fromarray(np.full((height, width, 4), seed, np.uint8), "CMYK")
    return encoded(inks, "JPEG", progressive=True)


def progressive_jpegs(server: Server) -> Iterator[object]:
    """Four inks, of 99 megapixels and just under 32."""
    files = [_jpeg(9_900, 10_000, 0), *(_jpeg(5_600, 5_700, seed) for seed in (1, 2, 3))]
    yield from at_once(4, lambda number: _asked(server, files[number]))


ATTACKS: tuple[Attack, ...] = (
    exif_behind_the_pixels,
    exif_as_digits,
    texts_of_a_png,
    chunks_behind_the_pixels,
    four_large_pngs,
    exports_of_large_pngs,
    progressive_jpegs,
)
