"""Pictures made to cost too much memory or time; each is generated when it is sent."""

import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from tests.pictures import (
    black_png,
    encoded,
    overlapping_exif,
    png_bomb,
    png_chunk,
    with_chunks,
)


def exif_as_digits() -> bytes:
    notes = overlapping_exif(10**5)
    text = zlib.compress(b"\nexif\n%d\n" % len(notes) + notes.hex().encode())
    return with_chunks(png_chunk(b"zTXt", b"Raw profile type exif\0\0" + text))


def many_texts() -> bytes:
    """Sixty chunks of a megabyte, whose characters need four bytes each."""
    text = zlib.compress(b"x" * (2**20 - 4) + "😀".encode())
    chunks = (png_chunk(b"iTXt", b"key%d\0\1\0\0\0" % n + text) for n in range(60))
    return with_chunks(b"".join(chunks))


def black(kind: str, **options: object) -> bytes:
    """Just under 64 megapixels, in few bytes."""
    mode = "CMYK" if options else "RGB"
    pixels = np.zeros((7_900, 8_000, len(mode)), np.uint8)
    return encoded(Image.fromarray(pixels, mode), kind, **options)


PICTURES: dict[str, Callable[[], bytes]] = {
    "EXIF as digits": exif_as_digits,
    "EXIF behind the pixels": lambda: with_chunks(
        behind=png_chunk(b"eXIf", overlapping_exif(10**6))
    ),
    "texts of a PNG": many_texts,
    "400 megapixels": partial(black_png, 20_000, 20_000, 8, 0),
    "claimed pixels": partial(png_bomb, 20_000, 20_000),
    "63 megapixels with alpha": partial(black_png, 7_900, 8_000, 8, 6),
    "63 megapixels of 16 bits": partial(black_png, 7_900, 8_000, 16, 0),
    "63 megapixels of WebP": partial(black, "WEBP"),
    "63 megapixels of four inks": partial(black, "JPEG", progressive=True),
    "a strip": partial(black_png, 60_000, 1, 8, 0),
}
