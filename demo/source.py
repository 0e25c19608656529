"""Where a picture comes from, a shipped photo or an upload; and its truth."""

import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.settings import Settings
from evaluation import metric
from evaluation.photos import star_photos
from gclip_core import images
from gclip_core.errors import ImageError
from gclip_core.types import Grid

MAX_PIXELS = 100_000_000
"""Larger uploads are refused."""
LARGE = 32_000_000
"""Larger pictures are decoded in the turn of large requests."""
WORKED_PIXELS = 4_000_000
"""Larger uploads are scaled down to this on arrival."""
CLASSES = "Classes"
"""The text chunk in which a mask names the classes of its values, as a JSON list."""
MAX_CLASSES_TEXT = 2**16
"""Characters of that list; a longer one is ignored."""


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
    """A checked RGB image, its digest, what it is called, and its truth where that is known.

    ``came`` is the (height, width) of the uploaded file, None for an example.
    """

    image: Image.Image
    digest: str
    title: str
    words: str
    truth: Truth | None = None
    came: Grid | None = None

    @property
    def size(self) -> Grid:
        """Height and width in pixels."""
        return self.image.height, self.image.width

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


def stamp(settings: Settings, upload: str) -> tuple[Any, ...]:
    """All that the picture of these settings depends on; ``upload`` is a visitor's file.

    Raises:
        NoPictureError: there is no picture yet.
    """
    if settings.source == "example":
        return ("example", settings.example)
    if not upload:
        raise NoPictureError("No photo yet: drop one on the page, or choose an example.")
    file = Path(upload).stat() if Path(upload).is_file() else None
    return ("upload", upload, file and (file.st_mtime_ns, file.st_size))


def open_picture(settings: Settings, upload: str) -> Picture:
    """The picture of these settings, scaled down if it is large; ``upload`` is a visitor's file.

    Raises:
        ImageError: no such example, or a file that cannot be used.
    """
    if settings.source == "example":
        photos = star_photos()
        photo = photos.get(settings.example or next(iter(photos)))
        if photo is None:
            name, known = settings.example[:40], ", ".join(photos)
            raise ImageError(f"There is no example '{name}'. Choose one of: {known}.")
        image, truth = photo.image(), Truth(photo.labels(), photo.words)
        return Picture(image, images.digest(image), photo.title, photo.text, truth)
    came = size_of(upload)
    image = images.check(upload, MAX_PIXELS, draft=worked_size(came))
    image = images.resize(image, worked_size(came))
    # Hashing the file is quicker than hashing the pixels.
    digest = blake2b(Path(upload).read_bytes(), digest_size=16).hexdigest()
    return Picture(image, digest, "Your photo", "", came=came)


_one_header, _one_decoder = threading.Lock(), threading.Lock()
one_large = threading.RLock()
"""One thread at a time works on a large request or decodes a large picture, for their memory.

It is entered before a key of the cache, never while one is made, or two threads would wait for each
other.
"""


def size_of(path: str) -> Grid:
    """The (height, width) of an uploaded picture, from its header.

    Raises:
        ImageError: no picture, or too large a one.
    """
    with _one_header:
        return images.header_size(path, MAX_PIXELS)


@contextmanager
def decoding(path: str) -> Iterator[Grid]:
    """Around the decoding of an uploaded file of this size: one at a time.

    Raises:
        ImageError: as :func:`size_of`.
    """
    size = size_of(path)
    with one_large if math.prod(size) > LARGE else nullcontext(), _one_decoder:
        yield size


def read_mask(path: str) -> Image.Image:
    """The mask of a PNG, indexed or grey; the colours of another mode are numbered in their order.

    A large one is scaled down as its picture is, to the nearest value.

    Raises:
        ImageError: not a PNG, damaged, too large, or more than 256 colours.
    """
    with decoding(path) as size:
        images.check(path, MAX_PIXELS, draft=worked_size(size))  # refuses what is damaged
        with Image.open(path, formats=images.FORMATS) as image:
            height, width = worked_size((image.height, image.width))
            mask = image.resize((width, height), Image.Resampling.NEAREST)
    return mask if mask.mode in ("P", "L") else _indexed(mask.convert("RGB"))


def _indexed(image: Image.Image) -> Image.Image:
    found = image.getcolors(256)
    if found is None:
        raise ImageError(
            "A mask of at most 256 colours was expected, but one with more came; save it as PNG "
            "without smoothing."
        )
    colours, place = np.array(sorted(colour for _, colour in found)), np.array([65536, 256, 1])
    numbers = colours @ place
    # By rows: numpy needs 8 bytes a number.
    rows = [np.searchsorted(numbers, row @ place).astype(np.uint8) for row in np.asarray(image)]
    indexed = Image.fromarray(np.stack(rows))
    indexed.putpalette(colours.ravel().tolist())
    return indexed


def mask_colours(path: str) -> list[tuple[int, str, float, str]]:
    """The values of a mask in order, each with its colour, share of the pixels, and class.

    The class is the one that the file itself names, else empty: it is never guessed.

    Raises:
        ImageError: as :func:`read_mask`.
    """
    mask, names = read_mask(path), dict(enumerate(_names_inside(path)))
    shares = [count / (mask.height * mask.width) for count in mask.histogram()]
    values = [value for value, share in enumerate(shares) if share]
    sample = Image.fromarray(np.array([values], np.uint8))
    if mask.mode == "P":
        sample.putpalette(mask.getpalette())
    colours = ["#{:02x}{:02x}{:02x}".format(*one) for one in np.asarray(sample.convert("RGB"))[0]]
    return [
        (value, colour, shares[value], names.get(value, ""))
        for value, colour in zip(values, colours, strict=True)
    ]


def _names_inside(path: str) -> list[str]:
    """The classes that an indexed PNG names itself, by its values, as our own masks do."""
    with Image.open(path, formats=images.FORMATS) as image:
        text = image.info.get(CLASSES, "") if image.mode == "P" else ""
    names = None
    with suppress(ValueError, RecursionError):
        names = json.loads(text) if len(text) <= MAX_CLASSES_TEXT else None
    listed = names[:255] if isinstance(names, list) else []
    return [name.strip()[:100] if isinstance(name, str) else "" for name in listed]


def truth_of_file(
    path: str, classes: Sequence[tuple[int, str]], size: tuple[int, int]
) -> Truth | None:
    """Truth of an uploaded mask whose values mean these classes; None where no class is named.

    Raises:
        ImageError: as :func:`read_mask`, or the mask has another size than the image.
    """
    if not classes:
        return None
    mask = read_mask(path)
    if (mask.height, mask.width) != size:
        raise ImageError(
            f"A mask of the image's size, {size[0]} × {size[1]} (height × width), was expected, "
            f"but one of {mask.height} × {mask.width} came."
        )
    names = list(dict.fromkeys(name for _, name in classes))
    meant = np.full(256, metric.IGNORE, np.int16)
    for value, name in classes:
        if value < len(meant):
            meant[value] = names.index(name)
    labels = np.stack([meant[row] for row in np.asarray(mask)])  # by rows, as above
    return Truth(labels, tuple((name,) for name in names))
