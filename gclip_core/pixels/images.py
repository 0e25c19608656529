"""From image files to upright RGB images, and the size at which an image is encoded.

The size is checked before a pixel is decoded, and only the decoders of ``FORMATS`` run. Colour
profiles are ignored, as in CLIP's training.
"""

import math
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gclip_core.errors import ImageError
from gclip_core.types import Size

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""The decoders that may run, by Pillow's names."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""Extensions of the files that are taken from a folder, in lower case."""
MAX_PATCHES = 4096
"""Maximum number of patches of an encoded image."""
MAX_PIXELS = 64_000_000

Source = Image.Image | NDArray[Any] | str | Path | bytes


def check(source: Source, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image as a new RGB image, rotated by its EXIF orientation and without metadata.

    ``source`` is a PIL image, a file (its path or bytes) or a uint8 array of shape (height,
    width) or (height, width, channels), with 1, 3 or 4 channels. 16-bit values are divided by 257,
    transparent pixels become white, and only one frame of an animation is used. EXIF after a file's
    pixels is ignored. Raises ImageError for another kind of source, for a damaged file, and above
    ``max_pixels``.
    """
    size = "far more"
    try:
        image = _opened(source)
        size = f"{image.height} × {image.width} (height × width)"
        if not 0 < image.height * image.width <= max_pixels:
            raise Image.DecompressionBombError
        exif = image.info.get("exif", b"")  # decoding may find another behind the pixels
        image.load()
        return _upright_rgb(image, exif)
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"An image may have at most {max_pixels:,} pixels, and at least one, but this one has "
            f"{size}; scale it down and try again."
        ) from error
    except Exception as error:  # damaged data makes a decoder raise nearly any
        raise ImageError(
            "This is not a readable image (PNG, JPEG, WebP or GIF): it is empty, damaged, cut "
            "short or of another kind; open it in an image editor, save it as PNG or JPEG and try "
            "again."
        ) from error


def _opened(source: Source) -> Image.Image:
    """The source as an image of which no pixel is decoded yet."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return _of_array(source)
    if isinstance(source, str | Path):
        path = Path(source)
        with suppress(OSError, ValueError):
            if path.is_file():  # a device or pipe may never end
                source = path.read_bytes()
        if not isinstance(source, bytes):
            raise ImageError(
                f"No image file can be read at '{path.name[:80]}'; check its name, folder and "
                "permissions."
            )
    if not isinstance(source, bytes):
        raise ImageError(
            f"A '{type(source).__name__}' is not an image. Give a path, bytes, a PIL image "
            "or a NumPy array."
        )
    return Image.open(BytesIO(source), formats=FORMATS)


def _of_array(array: NDArray[Any]) -> Image.Image:
    shape = array.shape[:2] if array.shape[2:] == (1,) else array.shape
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
    if array.dtype != np.uint8 or not is_image or not array.size:
        raise ImageError(
            f"An array of {array.dtype} and shape {array.shape} is not an image. It must be uint8 "
            "with values from 0 to 255 (convert them with .astype(numpy.uint8)), of shape (height, "
            "width) or, with channels last, (height, width, 1, 3 or 4)."
        )
    return Image.fromarray(np.ascontiguousarray(array.reshape(shape)))


def _upright_rgb(image: Image.Image, exif: bytes) -> Image.Image:
    """A new image, even of one in RGB, without metadata."""
    if image.mode.startswith("I"):
        deep = np.asarray(image).clip(0, 65_407).astype(np.uint16, copy=False)  # of 16 bits
        deep += 128  # in place: a large image has no memory for copies
        deep //= 257
        image = Image.fromarray(deep.astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
    else:
        rgb = image.convert("RGB")
    rgb.info = {"exif": exif}
    try:
        ImageOps.exif_transpose(rgb, in_place=True)
    except MemoryError:
        raise
    except Exception:  # damaged EXIF turns nothing
        pass
    rgb.info = {}
    return rgb


def target_size(size: Size, short_side: int, patch: int, max_patches: int = MAX_PATCHES) -> Size:
    """The (height, width) at which an image of ``size`` is encoded, in pixels.

    The shorter side gets ``short_side`` pixels, or fewer if there would be more than
    ``max_patches``. Each side is rounded to whole patches, at least one.
    """
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
