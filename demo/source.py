"""Where a picture comes from, a shipped photo or an upload; and its truth."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo import turns
from demo.settings import Settings
from evaluation.photos import shipped_photos
from gclip_core import images
from gclip_core.errors import ImageError
from gclip_core.types import Grid

MAX_PIXELS = 100_000_000
"""Larger uploads are refused."""
LARGE_PICTURE = 32_000_000
"""Pixels; larger pictures are decoded in the turn of large requests."""
WORKED_PIXELS = 4_000_000
"""Larger uploads are scaled down to this on arrival."""


class NoPictureError(ImageError):
    """The request has no picture."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A known mask: ``labels`` (H, W) int16 indices into ``names``, -1 where not counted.

    Each entry of ``names`` is a class's name followed by its synonyms.
    """

    labels: NDArray[np.int16]
    names: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A checked RGB image with its (height, width), its digest, its title, and the known truth.

    ``uploaded_size`` is the (height, width) of the uploaded file, None for an example.
    """

    image: Image.Image
    size: Grid
    digest: str
    title: str
    words: str
    truth: Truth | None = None
    uploaded_size: Grid | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels and truth."""
        # Pillow stores a pixel of RGB in four bytes.
        pixels = self.image.height * self.image.width
        return 4 * pixels + (self.truth.labels.nbytes if self.truth else 0)


def worked_size(size: Grid) -> Grid:
    """The (height, width) that the page works at: at most ``WORKED_PIXELS``, of the same shape."""
    shrink = min(1.0, math.sqrt(WORKED_PIXELS / math.prod(size)))
    height, width = (max(1, math.floor(side * shrink)) for side in size)
    return height, width


def open_picture(settings: Settings, upload: str) -> Picture:
    """The picture of these settings, scaled down if it is large; ``upload`` is a visitor's file.

    Raises:
        ImageError: no such example, or a file that cannot be used.
    """
    if settings.source == "example":
        photos = shipped_photos()
        photo = photos.get(settings.example or next(iter(photos)))
        if photo is None:
            name, known = settings.example[:40], ", ".join(photos)
            raise ImageError(f"There is no example '{name}'. Choose one of: {known}.")
        image, truth = photo.image(), Truth(photo.labels(), photo.words)
        size = image.height, image.width
        return Picture(image, size, images.digest(image), photo.title, photo.text, truth)
    uploaded_size = size_of(upload)
    size = worked_size(uploaded_size)
    image = images.resize(images.check(upload, MAX_PIXELS, draft=size), size)
    # Hashing the file is quicker than hashing the pixels.
    digest = blake2b(Path(upload).read_bytes(), digest_size=16).hexdigest()
    return Picture(image, size, digest, "Your photo", "", uploaded_size=uploaded_size)


def size_of(path: str) -> Grid:
    """The (height, width) of an uploaded picture, from its header.

    Raises:
        ImageError: no picture, or too large a one.
    """
    with turns.header:
        return images.header_size(path, MAX_PIXELS)


@contextmanager
def decoding(path: str) -> Iterator[None]:
    """Around the decoding of an uploaded file: one at a time.

    Raises:
        ImageError: as :func:`size_of`.
    """
    is_large = math.prod(size_of(path)) > LARGE_PICTURE
    with turns.large() if is_large else nullcontext(), turns.decoder:
        yield
