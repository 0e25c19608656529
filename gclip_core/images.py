"""From untrusted pictures to checked RGB images, and the size at which a picture is encoded.

The size is read from the header, in bounded time, before a pixel is decoded. Only decoders of
:data:`FORMATS` run. Every failure raises :class:`~gclip_core.errors.ImageError`. Colour profiles
are ignored, as in CLIP's training.
"""

import math
import re
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from gclip_core.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""The decoders that may run, by Pillow's names."""

MAX_PIXELS = 64_000_000
MAX_COPIED = 32_000_000
"""Maximum number of pixels where a decoder keeps more than one whole copy: WebP's keeps four, and a
JPEG's of several scans keeps all coefficients, two bytes each."""
MAX_SIDE = 65_535
MAX_BYTES = 256 * 2**20
MAX_READS = 10_000
"""Maximum number of reads until the header is complete; a file with endless comments needs more."""
MAX_READS_OF_ALL = 300_000
"""The same until the pixels are decoded: a PNG's chunks behind them are read, too, and kept."""
MAX_EXIF = 2**16
"""Maximum bytes of EXIF. Many entries can point to the same bytes; Pillow copies them for each."""
MAX_PROFILE = 3 * MAX_EXIF
"""Maximum characters of EXIF written as hexadecimal digits in a PNG's text, as ImageMagick did."""
MAX_JPEG_SCANS = 100
"""Maximum number of scans of a JPEG; encoders write about ten, and libtiff has the same limit."""
ROWS = 256
"""Rows of a picture that are converted or hashed at a time, to save memory."""

_EXPECTED = "An image was expected (PNG, JPEG, WebP or GIF)"
_SAVE_AS = "save it as PNG or JPEG and try again"

# 0xFF starts a marker, unless 0x00, 0x01 or 0xD0 to 0xD8 (a restart, or the file's start) follows.
_JPEG_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
_JPEG_END = b"\xff\xd9"
_JPEG_FRAME = re.compile(rb"[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")
_JPEG_SEQUENTIAL = (b"\xc0", b"\xc1", b"\xc9")
"""The frames that are no progressive, lossless or hierarchical ones."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's orientation, what makes the picture upright."""

Source = Image.Image | NDArray | str | Path | bytes
Grid = tuple[int, int]  # as in gclip_core.types, which imports torch


def check(source: Source, max_pixels: int = MAX_PIXELS, draft: Grid | None = None) -> Image.Image:
    """The picture as a new RGB image, rotated by its EXIF orientation, without metadata.

    ``source`` is a PIL image, a file (its path or bytes) or a uint8 array of shape (H, W),
    (H, W, 1), (H, W, 3) or (H, W, 4). Values of 16 bits are divided by 257, transparent pixels
    become white, and the first frame of an animation is used. With ``draft``, the picture of a file
    may be smaller, but has at least this height and width: no second copy in full size is made.
    EXIF behind a file's pixels is ignored.

    Raises:
        ImageError: no picture of these kinds, damaged, over ``max_pixels`` or, for a WebP or a
            JPEG of several scans, over :data:`MAX_COPIED`, or another limit.
    """
    with _refusing(max_pixels):
        if isinstance(source, np.ndarray):
            return _from_array(source, max_pixels)
        if isinstance(source, Image.Image):
            _check_size(source.height, source.width, max_pixels)
            source.load()
            return _as_rgb(_upright(source.copy(), orientation(source)))
        return _from_bytes(_read(source), max_pixels, draft)


def header_size(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Grid:
    """Height and width after rotation by the EXIF orientation, from a file's header alone.

    Raises:
        ImageError: no picture of these kinds, or too many pixels, as :func:`check`.
    """
    with _refusing(max_pixels), _open(_read(source), max_pixels) as image:
        return image.size if orientation(image) >= 5 else image.size[::-1]


def orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8, from what was read of the file; 1 where there is none.

    No pixel is decoded: Pillow's own method would, to look for EXIF behind them.
    """
    exif = image.info.get("exif", b"")
    profile = image.info.get("Raw profile type exif", "")
    try:
        if len(exif) > MAX_EXIF or len(profile) > MAX_PROFILE:
            return 1
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # as in `_refusing`, for damaged EXIF
        return 1
    return int(value) if value in range(1, 9) else 1


@contextmanager
def _refusing(max_pixels: int) -> Iterator[None]:
    """Turns every error of a decoder into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels, "a far larger one") from error
    # Damaged data makes a decoder raise nearly any error (struct, zlib, Index, Type, Memory ...).
    except Exception as error:
        raise ImageError(
            f"{_EXPECTED}, but this one is damaged or cut short; open it in a picture editor, "
            f"{_SAVE_AS}."
        ) from error


def digest(image: Image.Image) -> str:
    """32 hexadecimal digits of the size, mode and pixels of an image."""
    summary = blake2b(f"{image.height}x{image.width}:{image.mode}:".encode(), digest_size=16)
    for top in range(0, image.height, ROWS):
        rows = image.crop((0, top, image.width, min(top + ROWS, image.height)))
        summary.update(rows.tobytes())
    return summary.hexdigest()


def target_size(size: Grid, short_side: int, patch: int, max_tokens: int = 4096) -> Grid:
    """The (height, width) at which an image of ``size`` is encoded, in pixels.

    The short side gets ``short_side`` pixels, or fewer if there would be more than ``max_tokens``
    patches. Each side is rounded to whole patches, at least one.
    """
    full = short_side / min(size)

    def grid(shrink: float) -> Grid:
        rows, columns = (math.floor(side * full * shrink / patch + 0.5) for side in size)
        return max(1, rows), max(1, columns)

    shrink, steps = 1.0, 2**60
    if math.prod(grid(shrink)) > max_tokens:
        fitting = bisect(range(1, steps), max_tokens, key=lambda n: math.prod(grid(n / steps)))
        shrink = fitting / steps
    rows, columns = grid(shrink)
    return rows * patch, columns * patch


def resize(image: Image.Image, size: Grid) -> Image.Image:
    """The image scaled to ``size`` (height, width), bicubic; the same object if it fits."""
    height, width = size
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _read(source: str | Path | bytes) -> bytes:
    if not isinstance(source, bytes | str | Path):
        raise ImageError(
            f"{_EXPECTED}, or a PIL image or NumPy array, but a '{type(source).__name__}' came."
        )
    data = source if isinstance(source, bytes) else _read_file(Path(source))
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"An image file of at most {MAX_BYTES // 2**20} MB was expected, but a larger one "
            "came; scale the image down and try again."
        )
    return data


def _read_file(path: Path) -> bytes:
    with suppress(OSError):
        if path.is_file():  # no device or pipe, which may never end
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
    raise ImageError(
        f"An image file was expected at '{path.name[:80]}', but none can be read; check its name, "
        "folder and permissions."
    )


class _CountedReads(BytesIO):
    """Bytes that can be read ``most`` times."""

    most = MAX_READS
    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        if self.reads > self.most:
            raise _unusual(f"more than {self.most:,} parts")
        return super().read(size)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """The image of a file, with its size checked and no pixel decoded yet."""
    copied = data.startswith(b"\xff\xd8") and _check_jpeg(data)
    stream = _CountedReads(data)
    try:
        image = Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        what = "a damaged file, or one of another kind," if data else "an empty file (0 bytes)"
        raise ImageError(f"{_EXPECTED}, but {what} came; {_SAVE_AS}.") from error
    stream.most = MAX_READS_OF_ALL
    if copied or image.format == "WEBP":
        max_pixels = min(max_pixels, MAX_COPIED)
    _check_size(image.height, image.width, max_pixels)
    return image


def _from_bytes(data: bytes, max_pixels: int, draft: Grid | None) -> Image.Image:
    with _open(data, max_pixels) as image:
        turn = orientation(image)
        if draft:
            draft = draft[::-1] if turn >= 5 else draft
            image.draft(None, draft[::-1])  # Pillow: (width, height)
        try:
            image.load()
        except OSError:
            if image.format != "JPEG" or data.endswith(_JPEG_END):
                raise
            return _without_end(data, max_pixels, draft)
        return _as_rgb(_upright(_reduced(image, draft) if draft else image, turn))


def _without_end(data: bytes, max_pixels: int, draft: Grid | None) -> Image.Image:
    """Decodes a JPEG without an end marker. Raises OSError if pixels are missing, too.

    A decoder ignores bytes after the last pixel. So if no pixel is missing, files with two
    different endings give the same picture.
    """
    data, ends = data.rstrip(b"\xff"), (_JPEG_END, bytes(range(7, 250, 9)) + _JPEG_END)
    first, second = (_from_bytes(data + end, max_pixels, draft) for end in ends)
    if first.tobytes() != second.tobytes():
        raise OSError("the file lacks pixels")
    return first


def _reduced(image: Image.Image, least: Grid) -> Image.Image:
    """RGB means of n × n pixels, with the largest n that leaves at least this height and width."""
    n = min(image.height // least[0], image.width // least[1])
    if n < 2:
        return image
    small = Image.new("RGB", (-(-image.width // n), -(-image.height // n)))
    step = n * max(1, ROWS // n)
    for top in range(0, image.height, step):
        rows = image.crop((0, top, image.width, min(top + step, image.height)))
        small.paste(_as_rgb(rows).reduce(n), (0, top // n))
    return small


def _check_jpeg(data: bytes) -> bool:
    """Whether its decoder keeps all coefficients, as for several scans: as libjpeg decides it.

    Raises:
        ImageError: too much EXIF, or too many scans; each takes as long as a picture.
    """
    at, scans, exif, channels, copied = 2, 0, 0, 0, False
    for _ in range(MAX_READS):
        marker = _JPEG_MARKER.search(data, at)
        if marker is None or marker[0] == _JPEG_END:
            return copied
        kind, start = marker[1], marker.end()
        length = max(2, int.from_bytes(data[start : start + 2], "big"))
        if _JPEG_FRAME.fullmatch(kind):
            copied |= kind not in _JPEG_SEQUENTIAL
            channels = int.from_bytes(data[start + 7 : start + 8], "big")
        elif kind == b"\xda":
            copied |= int.from_bytes(data[start + 2 : start + 3], "big") < channels
            scans += 1
        elif kind == b"\xe1" and data.startswith(b"Exif\0\0", start + 2):
            exif += length - 2
        if scans > MAX_JPEG_SCANS or exif > MAX_EXIF:
            raise _unusual(f"more than {MAX_JPEG_SCANS} scans or {MAX_EXIF:,} bytes of EXIF")
        at = start + length
    raise _unusual(f"more than {MAX_READS:,} parts")


def _unusual(what: str) -> ImageError:
    return ImageError(
        f"An ordinary image file was expected, but this one has {what}; open it in a picture "
        f"editor, {_SAVE_AS}."
    )


def _upright(image: Image.Image, turn: int) -> Image.Image:
    """The image, upright: ``turn`` is its EXIF orientation."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        flat = np.empty(deep.shape, np.uint8)
        for top in range(0, len(deep), ROWS):
            rows = slice(top, top + ROWS)
            flat[rows] = ((deep[rows].astype(np.int64) + 128) // 257).clip(0, 255)
        image = Image.fromarray(flat)
    if image.has_transparency_data:
        # Pillow cannot convert premultiplied grey ("La") to RGBA directly.
        rgba = image.convert("LA") if image.mode == "La" else image
        rgba = rgba if rgba.mode == "RGBA" else rgba.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
    else:  # converting RGB to RGB would copy it
        rgb = image if image.mode == "RGB" else image.convert("RGB")
    rgb.info = {}  # its EXIF would rotate the picture a second time
    return rgb


def _from_array(array: NDArray, max_pixels: int) -> Image.Image:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image:
        raise ImageError(
            "A uint8 array of shape (height, width) or (height, width, channels) with 1, 3 or 4 "
            f"channels was expected, but {array.dtype} of shape {array.shape} came; scale values "
            "to 0 to 255, convert them with .astype(numpy.uint8), and put the channels last."
        )
    _check_size(array.shape[0], array.shape[1], max_pixels)
    pixels = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return _as_rgb(Image.fromarray(np.ascontiguousarray(pixels)))


def _check_size(height: int, width: int, max_pixels: int) -> None:
    came = f"{height} × {width} (height × width)"
    if height < 1 or width < 1:
        raise ImageError(f"An image of at least 1 × 1 pixel was expected, but {came} came.")
    if height * width > max_pixels or max(height, width) > MAX_SIDE:
        raise _too_large(max_pixels, came)


def _too_large(max_pixels: int, came: str) -> ImageError:
    return ImageError(
        f"An image of at most {max_pixels:,} pixels, and {MAX_SIDE:,} a side, was expected, but "
        f"{came} came; scale it down and try again."
    )
