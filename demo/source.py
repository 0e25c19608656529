"""Where a picture comes from, a shipped photo or an upload; and its truth."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.host.byte_cache import ByteCache
from demo.settings import Settings
from evaluation import metric
from evaluation.photos import star_photos
from gclip_core import images
from gclip_core.errors import ImageError
from gclip_core.types import Vocabulary

UNCOUNTED = metric.IGNORE
MAX_PIXELS = 24_000_000
"""Of an uploaded image."""
CLASSES = "Classes"
"""The text chunk in which a mask names the classes of its values, as a JSON list."""
STRIP = 256
"""Rows of a large mask that are worked on together."""


class NoPictureError(ImageError):
    """There is no picture to answer for."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A known mask: ``labels`` (H, W) int64 indices into ``names``, -1 where not counted.

    Each entry of ``names`` is a class's name followed by its synonyms.
    """

    labels: NDArray[np.int64]
    names: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A checked RGB image, its digest, what it is called, and its truth where that is known."""

    image: Image.Image
    digest: str
    title: str
    words: str
    truth: Truth | None = None

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.image.width * self.image.height

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels and truth."""
        # Pillow keeps RGB in four bytes
        return 4 * self.pixels + (self.truth.labels.nbytes if self.truth else 0)


class Sources:
    """Opens pictures; keeps those used last in the page's cache."""

    def __init__(self, cache: ByteCache) -> None:
        self._opening = threading.Lock()
        self._cache = cache

    def picture(self, settings: Settings, upload: str = "") -> Picture:
        """The picture that the settings name; ``upload`` is the path of a visitor's file.

        Raises:
            GclipError: no picture yet, or one that cannot be used.
        """
        make, *key = self._made_from(settings, upload)
        return self._cache.get_or_make(("picture", *key), lambda: make(*key))

    def kept(self, settings: Settings, upload: str = "") -> Picture | None:
        """The same where it is open already, else None."""
        try:
            return self._cache.get(("picture", *self._made_from(settings, upload)[1:]))
        except NoPictureError:
            return None

    def _made_from(self, settings: Settings, upload: str) -> tuple[Any, ...]:
        """What makes a picture, and all that it depends on."""
        if settings.source == "example":
            return _photo, settings.example
        if not upload:
            raise NoPictureError(
                "No image yet: drop one into the image field, or choose an example."
            )
        stamp = Path(upload).stat() if Path(upload).is_file() else None
        return self._upload, upload, stamp and (stamp.st_mtime_ns, stamp.st_size)

    def _upload(self, path: str, _: Any) -> Picture:
        with self._opening:  # a decoder takes several times a large picture's bytes
            image = images.check(path, MAX_PIXELS)
        # Of the file: a large picture has a hundred times its bytes.
        digest = blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
        return Picture(image, digest, "Your image", "")


def truth_labels(truth: Truth, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """The truth in the visitor's classes: (H, W), -1 for what is not among the words."""
    typed = metric.typed_truth(truth.labels, truth.names, vocabulary)
    return np.where(typed < len(vocabulary), typed, UNCOUNTED)


@dataclass(frozen=True)
class MaskColour:
    """One value of an uploaded mask: how it is coloured there, and its share of the pixels.

    ``name`` is the class that the file itself says it means; empty where it says nothing.
    """

    value: int
    colour: str
    share: float
    name: str = ""


def read_mask(path: str) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Values (H, W) of a mask in a PNG, and the colour of each; other colours are numbered.

    Raises:
        ImageError: not a PNG, damaged, too large, or more than 256 colours.
    """
    images.check(path, MAX_PIXELS)  # what is damaged or too large is not decoded again below
    with Image.open(path, formats=("PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG")) as image:
        if image.mode in ("P", "L", "1"):
            shown = image.convert("RGB")
            values = np.asarray(image.convert("L") if image.mode == "1" else image)
        else:
            shown = image.convert("RGB")
            values = _numbered(shown)
    places = {int(v): np.unravel_index(int(np.argmax(values == v)), values.shape)
              for v in np.unique(values)}  # fmt: skip
    colours = {v: shown.getpixel((int(x), int(y))) for v, (y, x) in places.items()}
    return values, {v: "#{:02x}{:02x}{:02x}".format(*colour) for v, colour in colours.items()}


def _numbered(image: Image.Image) -> NDArray[np.uint8]:
    """The colours of an RGB image numbered in their order, (H, W); a strip of rows at a time."""
    found = image.getcolors(256)
    if found is None:
        raise ImageError(
            "A mask of at most 256 colours was expected, but one with more came; save it as PNG "
            "without smoothing."
        )
    place = np.array([65536, 256, 1])
    colours = np.sort(np.array([colour for _, colour in found]) @ place)
    values = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        values[top : top + STRIP] = np.searchsorted(colours, np.asarray(strip) @ place)
    return values


def mask_colours(path: str) -> tuple[MaskColour, ...]:
    """The values of a mask in order, with colours, shares, and the names the file gives them.

    What a value means is never guessed: a number says nothing of a class.

    Raises:
        ImageError: as :func:`read_mask`.
    """
    values, colours = read_mask(path)
    counts = dict(zip(*np.unique(values, return_counts=True), strict=True))
    named = dict(enumerate(_names_inside(path)))
    return tuple(
        MaskColour(v, c, float(counts[v] / values.size), named.get(v, ""))
        for v, c in colours.items()
    )


def _names_inside(path: str) -> list[str]:
    """The classes that an indexed PNG names itself, by its values, as our own masks do."""
    with Image.open(path) as image:
        text = getattr(image, "text", {}).get(CLASSES, "") if image.mode == "P" else ""
    try:
        names = json.loads(text) if text else []
    except (ValueError, RecursionError):
        names = []
    if not isinstance(names, list):
        return []
    return [name.strip()[:100] if isinstance(name, str) else "" for name in names[:255]]


def truth_of_file(
    path: str, classes: Sequence[tuple[int, str]], size: tuple[int, int]
) -> Truth | None:
    """Truth of an uploaded mask whose values mean these classes; None where no class is named.

    Raises:
        ImageError: as :func:`read_mask`, or the mask has another size than the image.
    """
    if not classes:
        return None
    values, _ = read_mask(path)
    if values.shape != size:
        raise ImageError(
            f"A mask of the image's size, {size[0]} × {size[1]} (height × width), was expected, "
            f"but one of {values.shape[0]} × {values.shape[1]} came."
        )
    labels = np.full(size, UNCOUNTED, np.int64)
    names = list(dict.fromkeys(name for _, name in classes))
    for value, name in classes:
        labels[values == value] = names.index(name)
    return Truth(labels, tuple((name,) for name in names))


def _photo(name: str) -> Picture:
    photos = star_photos()
    name = name or next(iter(photos))
    if name not in photos:
        raise ImageError(f"There is no example '{name[:40]}'. Choose one of: {', '.join(photos)}.")
    photo = photos[name]
    image = photo.image()
    truth = Truth(photo.labels(), photo.words)
    return Picture(image, images.digest(image), photo.title, photo.text, truth)
