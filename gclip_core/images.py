"""Untrusted pictures in, checked RGB images out; and the size a picture is encoded at.

Everything here works on what a stranger may send: the size is read from the header before a pixel
is decoded, only the decoders of :data:`FORMATS` ever run, no global setting of Pillow is changed
or relied upon, and whatever goes wrong is an :class:`~gclip_core.errors.ImageError` in words.
Colour profiles are ignored, as they were when CLIP was trained.
"""

import math
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from gclip_core.containers import check_parts, orientation
from gclip_core.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
"""The decoders that may run, by Pillow's names."""

MAX_PIXELS = 64_000_000
MAX_SIDE = 65_535
MAX_BYTES = 256 * 2**20
DIGEST_ROWS = 256

_EXPECTED = "An image was expected (PNG, JPEG, WebP, GIF, TIFF or BMP)"
_SAVE_AS = "save it as PNG or JPEG and try again"

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# The value of white by NumPy's name of an array's type, "f" for floats: the first that holds all.
_WHITE = {"b1": (1,), "u1": (255,), "u2": (65_535,), "f": (1, 255)}
_WHITE_OF_IMAGES = _WHITE | {"i4": (255, 65_535)}

Source = Image.Image | NDArray | str | Path | bytes | bytearray | BinaryIO


def check(source: Source, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return the picture upright as an RGB image of its own, without metadata.

    ``source`` is a PIL image, a file (path, bytes or binary file object) or an array of shape
    (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). Arrays: ``bool`` is black and white; ``uint8`` is
    taken as it is; ``uint16`` is divided by 257; floats are fractions when no value is above 1,
    else they run from 0 to 255. PIL's ``I`` and ``F`` follow the same rules (``I`` above 255 is 16
    bits deep). Alpha is laid on white, and of an animation the first frame is taken.
    """
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source, max_pixels)
        if isinstance(source, Image.Image):
            return _from_image(source, max_pixels)
        return _from_bytes(_read(source), max_pixels)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"An image of at most {max_pixels:,} pixels was expected, but a far larger one came; "
            "scale it down and try again."
        ) from error
    # A decoder on damaged data raises nearly anything (struct, zlib, Index, Type, Memory ...).
    except Exception as error:
        raise ImageError(
            f"{_EXPECTED}, but this one is damaged or cut short; open it in a picture editor, "
            f"{_SAVE_AS}."
        ) from error


def digest(image: Image.Image) -> str:
    """Return 32 hexadecimal digits that tell images of different size or pixels apart."""
    summary = blake2b(f"{image.height}x{image.width}:{image.mode}:".encode(), digest_size=16)
    for top in range(0, image.height, DIGEST_ROWS):  # all bytes at once would be a second picture
        rows = image.crop((0, top, image.width, min(top + DIGEST_ROWS, image.height)))
        summary.update(rows.tobytes())
    return summary.hexdigest()


def target_size(
    size: tuple[int, int], short_side: int, patch: int, max_tokens: int = 4096
) -> tuple[int, int]:
    """Return the (height, width) to encode an image of ``size`` (height, width) at.

    The short side becomes ``short_side``, each side is rounded to whole patches (at least one),
    and the largest scale is taken that gives no more than ``max_tokens`` patches.
    """

    full = short_side / min(size)

    def grid(shrink: float) -> tuple[int, int]:
        rows, columns = (math.floor(side * full * shrink / patch + 0.5) for side in size)
        return max(1, rows), max(1, columns)

    fits, too_large = (1.0, 1.0) if math.prod(grid(1.0)) <= max_tokens else (0.0, 1.0)
    for _ in range(60):  # halving a float's range this often leaves nothing between the two
        middle = (fits + too_large) / 2
        if math.prod(grid(middle)) <= max_tokens:
            fits = middle
        else:
            too_large = middle
    rows, columns = grid(fits)
    return rows * patch, columns * patch


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return ``image`` at ``size`` (height, width), bicubic; itself when it has that size."""
    height, width = size
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _read(source: str | Path | bytes | bytearray | BinaryIO) -> bytes:
    if isinstance(source, str | Path):
        data = _read_file(Path(source))
    elif isinstance(source, bytes | bytearray):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = source.read(MAX_BYTES + 1)
        if not isinstance(data, bytes):
            raise ImageError(
                f"{_EXPECTED}, but a file opened as text came; open it in binary mode ('rb')."
            )
    else:
        raise ImageError(
            f"{_EXPECTED}, or a PIL image or NumPy array, but a '{type(source).__name__}' came."
        )
    if len(data) > MAX_BYTES:
        raise _too_many_bytes()
    return data


def _read_file(path: Path) -> bytes:
    if not path.is_file():  # also keeps devices and pipes out, which may never end
        raise ImageError(
            f"An image file was expected, but there is no file '{path.name[:80]}'; "
            "check its name and folder."
        )
    if path.stat().st_size > MAX_BYTES:
        raise _too_many_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"An image file was expected, but '{path.name[:80]}' cannot be read "
            f"({(error.strerror or 'unknown reason').lower()}); check its permissions."
        ) from error


def _too_many_bytes() -> ImageError:
    return ImageError(
        f"An image file of at most {MAX_BYTES // 2**20} MB was expected, but a larger one came; "
        "scale the image down and try again."
    )


def _from_bytes(data: bytes, max_pixels: int) -> Image.Image:
    check_parts(data)
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        what, advice = _kind(data[:1024])
        raise ImageError(f"{_EXPECTED}, but {what} came; {advice}.") from error
    with image:
        _check_size(image.height, image.width, max_pixels)
        # A tile is decoded whole, however little of it lies within the image.
        tags = getattr(image, "tag_v2", {})
        _check_size(tags.get(323, 1), tags.get(322, 1), max_pixels)
        return _from_image(image, max_pixels, own=True)


def _from_image(image: Image.Image, max_pixels: int, own: bool = False) -> Image.Image:
    _check_size(image.height, image.width, max_pixels)
    image.load()
    upright = _upright(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        return _from_array(np.asarray(upright), max_pixels, _WHITE_OF_IMAGES)
    if upright.mode == "LAB":
        raise ImageError(f"{_EXPECTED} in RGB or grey, but one in CIE Lab came; {_SAVE_AS}.")
    if own and isinstance(upright, JpegImageFile) and upright.mode == "RGB":
        rgb: Image.Image = upright  # a copy would double it, and it has 24 megapixels at times
    else:
        rgb = _on_white(upright) if upright.has_transparency_data else upright.convert("RGB")
    rgb.info = {}  # what is upright already must not be turned again by whoever reads its EXIF
    return rgb


def _upright(image: Image.Image) -> Image.Image:
    # Pillow's own reading of EXIF follows whatever a file points to; only one number is needed.
    # TIFF needs none: Pillow turns it while it loads.
    exif = image.info.get("exif")
    turn = orientation(exif) if isinstance(exif, bytes) and image.format != "TIFF" else 1
    return image.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else image


def _on_white(image: Image.Image) -> Image.Image:
    # Premultiplied grey ("La") has no direct way to RGBA.
    image = image.convert("LA") if image.mode == "La" else image
    rgba = image.convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _from_array(
    array: NDArray, max_pixels: int, whites: Mapping[str, tuple[int, ...]] = _WHITE
) -> Image.Image:
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            "An array of shape (height, width) or (height, width, channels) with 1, 3 or 4 "
            f"channels was expected, but {array.shape} came; put the channels last."
        )
    _check_size(array.shape[0], array.shape[1], max_pixels)
    white = whites.get("f" if array.dtype.kind == "f" else array.dtype.str[1:])
    if white is None:
        raise ImageError(
            "An array of bool, uint8, uint16 or floating-point values was expected, but "
            f"{array.dtype} came; convert it with .astype(numpy.uint8)."
        )
    pixels = _as_bytes(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array, white)
    return _from_image(Image.fromarray(np.ascontiguousarray(pixels)), max_pixels)


def _as_bytes(values: NDArray, white: Sequence[int]) -> NDArray[np.uint8]:
    """Values from 0 to white as bytes: white is the first of these numbers that holds them all."""
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= white[-1]):  # nan compares false with everything
        raise ImageError(
            f"Values from 0 to {' or from 0 to '.join(map(str, white))} were expected, but they "
            f"run from {low:g} to {high:g}; scale them and try again."
        )
    scale = np.float32(255 / next(number for number in white if high <= number))
    return np.floor(values.astype(np.float32) * scale + np.float32(0.5)).astype(np.uint8)


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise ImageError(
            f"An image of at least 1 × 1 pixel was expected, but {height} × {width} came "
            "(height × width)."
        )
    if height * width > max_pixels:
        raise ImageError(
            f"An image of at most {max_pixels:,} pixels was expected, but {height} × {width} "
            f"(height × width) is {height * width:,}; scale it down and try again."
        )
    if max(height, width) > MAX_SIDE:
        raise ImageError(
            f"An image of at most {MAX_SIDE:,} pixels a side was expected, but {height} × {width} "
            "came (height × width); cut or scale it and try again."
        )


def _kind(head: bytes) -> tuple[str, str]:
    """What the first bytes of a file say that it is, and what to do with it."""
    lines = Path(__file__).with_name("file_kinds.txt").read_text("ascii").splitlines()
    kinds = (line.split(" :: ") for line in lines if not line.startswith("#"))
    fits = (kind for kind in kinds if re.match(kind[0].encode(), head, re.DOTALL))
    _, what, advice = next(fits)
    return what, advice
