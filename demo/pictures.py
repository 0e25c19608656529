"""Pictures of strangers, which may be made to cost memory or time: what is refused beyond the
library's own checks, and the size to which a photo is scaled.

Without it, a file of a few megabytes occupies a processor for minutes (``hostile_pictures`` of
``tests.load``).
"""

import ctypes
import math
import re
from contextlib import suppress
from io import BytesIO
from threading import Lock

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from demo import limits
from gclip_core.errors import ImageError
from gclip_core.pixels import images

DECODING = Lock()
"""One picture is decoded at a time: four of 63 megapixels at once would need more than 4 GB."""
START_OF_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""Marker, length and number of channels: a video after a photo does not contain these by chance."""


class CountedReads(BytesIO):
    """Bytes that can be read ``most`` times, with EXIF in one piece, since Pillow joins pieces.

    Decoders store endless comments and empty chunks, and some copy them again at each read.
    """

    most, reads, exif = limits.MAX_HEADER_READS, 0, 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.exif += data.startswith(b"Exif\0\0")
        if self.reads > self.most or self.exif > 1:
            raise picture_error(f"more than {self.most:,} parts, or EXIF in pieces")
        return data


def picture_error(what: str) -> ImageError:
    return ImageError(
        f"This is not an ordinary image file: it has {what}; open it in a picture editor, save it "
        "as PNG or JPEG and try again."
    )


def opened(data: bytes) -> Image.Image:
    """The picture in RGB, upright, and scaled down to at most WORKED_PIXELS.

    Raises ImageError for a file that is not an image, has too many pixels, or would cost too much.
    """
    stream = CountedReads(data)
    try:
        image = Image.open(stream, formats=images.FORMATS)
    except ImageError:
        raise
    except Exception:  # Pillow's readers raise whatever a broken header leads to
        images.check(data, limits.MAX_PIXELS)  # it names what is wrong
        raise
    if max(image.size) > limits.MAX_SIDE:
        raise picture_error(f"a side of more than {limits.MAX_SIDE:,} pixels")
    # Not ``image.format``: a JPEG with further pictures behind it is "MPO".
    if isinstance(image, JpegImageFile) and len(START_OF_SCAN.findall(data)) > limits.MAX_SCANS:
        raise picture_error(f"more than {limits.MAX_SCANS} scans")
    if len(image.info.get("exif", b"")) > limits.MAX_EXIF:
        del image.info["exif"]
    stream.most = limits.MAX_READS
    n_pixels = image.width * image.height
    scale = min(1.0, math.sqrt(limits.WORKED_PIXELS / max(1, n_pixels)))
    width, height = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    if n_pixels <= limits.MAX_PIXELS:
        image.draft(None, (width, height))  # a JPEG can be decoded at a smaller scale, but not less
    try:
        with DECODING:
            upright = images.check(image, limits.MAX_PIXELS)
            if upright.size != image.size:  # turned by a quarter
                height, width = width, height
            return images.resize(upright, (height, width))
    finally:
        if n_pixels > limits.WORKED_PIXELS:  # glibc would keep the memory of the large picture
            with suppress(AttributeError, OSError):  # another C library
                ctypes.CDLL(None).malloc_trim(0)


def stored(data: bytes) -> bytes:
    """The picture as a PNG, without its metadata, and without loss: JPEG would change masks.

    Raises what ``opened`` raises.
    """
    buffer = BytesIO()
    opened(data).save(buffer, "png", compress_level=1, compress_type=3)  # run lengths are quickest
    return buffer.getvalue()
