"""Pictures for tests: small ones, damaged ones, bombs, and the cost of reading them."""

import resource
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from typing import Any

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    """An RGB image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def rgb() -> Image.Image:
    """A 12 × 17 image without any symmetry."""
    return noise(12, 17, seed=5)


def turned(orientation: int) -> Image.Exif:
    """EXIF of a picture taken with a turned camera: 1 is upright; values go up to 8."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """``image`` as a file in Pillow's format ``kind``."""
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_chunk(name: bytes, body: bytes = b"") -> bytes:
    """A chunk of a PNG, with its length and its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(before: bytes = b"", behind: bytes = b"") -> bytes:
    """``rgb()`` as a PNG, with extra chunks before and after its pixels."""
    png = encoded(rgb(), "PNG")
    return png[:33] + before + png[33:-12] + behind + png[-12:]


def overlapping_exif(length: int) -> bytes:
    """EXIF of 5,000 entries that all point to the same ``length`` bytes."""
    header = b"II*\0" + struct.pack("<I", 8 + length) + bytes(length)
    entries = (struct.pack("<HHII", 1000 + number, 7, length, 8) for number in range(5000))
    return header + struct.pack("<H", 5000) + b"".join(entries) + bytes(4)


def png_bomb(height: int, width: int) -> bytes:
    """A PNG of a few bytes that claims to be ``height`` × ``width``."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + header + data + png_chunk(b"IEND")


def black_png(height: int, width: int, depth: int, colour: int) -> bytes:
    """A PNG of zeros, with this many bits per channel and one of PNG's colour types."""
    row = bytes(1 + width * depth // 8 * {0: 1, 6: 4}[colour])
    made = zlib.compressobj(1)
    data = b"".join([made.compress(row) for _ in range(height)]) + made.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", data) + png_chunk(b"IEND")


def cost(run: Callable[[Any], Any], given: Any) -> tuple[Any, float, float]:
    """What ``run(given)`` returns, and how many MB and processor seconds that costs.

    A child process runs it, so that its own peak memory is measured.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        return child.submit(_cost, run, given).result()


def _cost(run: Callable[[Any], Any], given: Any) -> tuple[Any, float, float]:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    result = run(given)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return result, grown, time.process_time() - began
