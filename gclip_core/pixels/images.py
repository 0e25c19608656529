"""From untrusted image files to checked RGB images, and the size at which an image is encoded.

The size is read from the header before a pixel is decoded. Only the decoders of ``FORMATS`` run.
Every failure raises ``gclip_core.errors.ImageError``. Colour profiles are ignored, as in CLIP's
training.
"""

import math
import re
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from gclip_core.errors import ImageError
from gclip_core.types import Size

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""The decoders that may run, by Pillow's names."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""Extensions of the files that are taken from a folder, in lower case."""

MAX_PATCHES = 4096
"""Maximum number of patches of an encoded image."""
MAX_PIXELS = 64_000_000
MAX_SIDE = 65_535
MAX_BYTES = 256 * 2**20
MAX_READS = 10_000, 300_000
"""Maximum number of reads of a file until its header is complete, and until its pixels are decoded.
Decoders store endless comments and empty chunks, and some copy them again at each read."""
MAX_EXIF = 2**16
"""Maximum bytes of EXIF. Many entries can point to the same bytes, which Pillow copies for each."""
MAX_SCANS = 50
"""Maximum number of scans of a JPEG, each of which takes as long as a whole image; encoders write
about ten."""

_NOT_AN_IMAGE = "This is not a readable image (PNG, JPEG, WebP or GIF)"
_SAVE_AS = "save it as PNG or JPEG and try again"
_START_OF_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""Marker, length and number of channels: a video after a photo does not contain these by chance."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""For each EXIF orientation, the transposition that turns the image upright."""

Source = Image.Image | NDArray[Any] | str | Path | bytes


def check(source: Source, max_pixels: int = MAX_PIXELS, draft: Size | None = None) -> Image.Image:
    """The picture as a new RGB image, rotated by its EXIF orientation and without metadata.

    ``source`` is a PIL image, a file (its path or bytes) or a uint8 array of shape (height,
    width) or (height, width, channels), with 1, 3 or 4 channels. 16-bit values are divided by 257,
    transparent pixels become white, and only one frame of an animation is used. With ``draft``, the
    image of a JPEG file may be smaller, but has at least this height and width. EXIF after a file's
    pixels is ignored.
    Raises ImageError for another kind of source, for a damaged file, and above ``max_pixels`` or
    another limit.
    """
    with _refusing(max_pixels):
        if isinstance(source, np.ndarray):
            return _from_array(source, max_pixels)
        if isinstance(source, Image.Image):
            _check_size(source.height, source.width, max_pixels)
            source.load()
            return _as_rgb(_upright(source, _orientation(source)))
        with _open(source, max_pixels) as image:
            turn = _orientation(image)
            if draft:
                height, width = draft[::-1] if turn >= 5 else draft
                image.draft(None, (width, height))
            image.load()
            return _as_rgb(_upright(image, turn))


def header_size(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Size:
    """Height and width after rotation by the EXIF orientation, from a file's header alone. Like
    ``check``, raises ImageError for another kind of file or too many pixels.
    """
    with _refusing(max_pixels), _open(source, max_pixels) as image:
        width, height = image.size
        return (width, height) if _orientation(image) >= 5 else (height, width)


def target_size(size: Size, short_side: int, patch: int, max_patches: int = MAX_PATCHES) -> Size:
    """The (height, width) at which an image of ``size`` is encoded, in pixels.

    The shorter side gets ``short_side`` pixels, or fewer if there would be more than
    ``max_patches``. Each side is rounded to whole patches, at least one. Raises ImageError for an
    image that ``check`` would refuse for its size.
    """
    _check_size(*size, MAX_PIXELS)
    scale = short_side / min(size) / patch
    while True:
        rows, columns = (max(1, math.floor(side * scale + 0.5)) for side in size)
        if rows * columns <= max_patches:
            return rows * patch, columns * patch
        scale *= 0.999


def resize(image: Image.Image, size: Size) -> Image.Image:
    """The image scaled to ``size`` (height, width), bicubic; the same object if it already fits."""
    height, width = size
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


@contextmanager
def _refusing(max_pixels: int) -> Generator[None]:
    """Turns every error of a decoder into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels, "far more") from error
    # Damaged data makes a decoder raise nearly any error (struct, zlib, Index, Type, Memory ...).
    except Exception as error:
        raise ImageError(
            f"{_NOT_AN_IMAGE}: it is damaged or cut short; open it in a picture editor, {_SAVE_AS}."
        ) from error


def _read(source: str | Path | bytes) -> bytes:
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            if not path.is_file():  # a device or pipe may never end
                raise FileNotFoundError(path)
            with path.open("rb") as file:
                source = file.read(MAX_BYTES + 1)
        except (OSError, ValueError):
            raise ImageError(
                f"No image file can be read at '{path.name[:80]}'; check its name, folder and "
                "permissions."
            ) from None
    if not isinstance(source, bytes):
        raise ImageError(
            f"A '{type(source).__name__}' is not an image. Give a path, bytes, a PIL image "
            "or a NumPy array."
        )
    if len(source) > MAX_BYTES:
        raise ImageError(
            f"An image file may have at most {MAX_BYTES // 2**20} MB, but this one is larger; "
            "scale the image down and try again."
        )
    return source


class _CountedReads(BytesIO):
    """Bytes that can be read ``most`` times, with EXIF in one piece, since Pillow joins pieces."""

    most, reads, exif = MAX_READS[0], 0, 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.exif += data.startswith(b"Exif\0\0")
        if self.reads > self.most or self.exif > 1:
            raise _unusual(f"more than {self.most:,} parts, or EXIF in pieces")
        return data


def _open(source: str | Path | bytes, max_pixels: int) -> Image.Image:
    """The image of a file with a checked size, before any pixel is decoded."""
    data = _read(source)
    stream = _CountedReads(data)
    try:
        image = Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        what = "a damaged file or one of another kind" if data else "an empty file (0 bytes)"
        raise ImageError(f"{_NOT_AN_IMAGE}: it is {what}; {_SAVE_AS}.") from error
    stream.most = MAX_READS[1]
    _check_size(image.height, image.width, max_pixels)
    # Not ``image.format``: a JPEG with further pictures behind it is "MPO".
    if isinstance(image, JpegImageFile) and len(_START_OF_SCAN.findall(data)) > MAX_SCANS:
        raise _unusual(f"more than {MAX_SCANS} scans")
    return image


def _unusual(what: str) -> ImageError:
    return ImageError(
        f"This is not an ordinary image file: it has {what}; open it in a picture editor, "
        f"{_SAVE_AS}."
    )


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, from the part of the file that was read; 1 if there is none.

    Pillow's own method would decode all pixels to look for EXIF after them.
    """
    data, exif = image.info.get("exif", b""), Image.Exif()
    if len(data) > MAX_EXIF:
        return 1
    try:
        exif.load(data)
        value = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # as in `_refusing`, for damaged EXIF
        return 1
    return int(value) if value in range(1, 9) else 1


def _upright(image: Image.Image, turn: int) -> Image.Image:
    """The image turned upright; ``turn`` is its EXIF orientation."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def _as_rgb(image: Image.Image) -> Image.Image:
    """A new RGB image, even of one in RGB."""
    if image.mode.startswith("I"):
        deep = np.asarray(image).clip(0, 65_407).astype(np.uint16, copy=False)  # of 16 bits
        deep += 128  # in place: a large picture has no memory for copies
        deep //= 257
        image = Image.fromarray(deep.astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
    else:
        rgb = image.convert("RGB")
    rgb.info = {}  # its EXIF would rotate the picture a second time
    return rgb


def _from_array(array: NDArray[Any], max_pixels: int) -> Image.Image:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image:
        raise ImageError(
            f"An array of {array.dtype} and shape {array.shape} is not an image. It must be uint8 "
            "of shape (height, width) or (height, width, channels) with 1, 3 or 4 channels: scale "
            "the values to 0 to 255, convert them with .astype(numpy.uint8), and put the channels "
            "last."
        )
    _check_size(array.shape[0], array.shape[1], max_pixels)
    pixels = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return _as_rgb(Image.fromarray(np.ascontiguousarray(pixels)))


def _check_size(height: int, width: int, max_pixels: int) -> None:
    size = f"{height} × {width} (height × width)"
    if height < 1 or width < 1:
        raise ImageError(f"An image must have at least 1 × 1 pixel, not {size}.")
    if height * width > max_pixels or max(height, width) > MAX_SIDE:
        raise _too_large(max_pixels, size)


def _too_large(max_pixels: int, size: str) -> ImageError:
    return ImageError(
        f"An image may have at most {max_pixels:,} pixels, and {MAX_SIDE:,} a side, but this one "
        f"has {size}; scale it down and try again."
    )
