"""Photos that ship, each with a true mask: polygons drawn by hand, one painted over the other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gclip_core import assets, images
from gclip_core.types import Grid

VOID = -1
"""Label of pixels that no word names."""


@dataclass(frozen=True)
class Region:
    """A polygon of (x, y) corners in pixels, and the word it shows: an index, or ``VOID``."""

    word: int
    corners: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Photo:
    """A photo and its true mask.

    ``words`` are the classes, the main one first, each a name followed by its synonyms. ``regions``
    are in the order in which they are painted; ``size`` is (height, width).
    """

    name: str
    title: str
    credit: str
    size: Grid
    words: tuple[tuple[str, ...], ...]
    regions: tuple[Region, ...]

    @property
    def path(self) -> Path:
        """The photo's file."""
        return assets.path("photos", f"{self.name}.jpg")

    @property
    def names(self) -> tuple[str, ...]:
        """The first word of every class."""
        return tuple(synonyms[0] for synonyms in self.words)

    @property
    def text(self) -> str:
        """The words as a person types them."""
        return ", ".join("; ".join(synonyms) for synonyms in self.words)

    def image(self) -> Image.Image:
        """The photo, RGB."""
        return images.check(self.path)

    def labels(self) -> NDArray[np.int16]:
        """The true mask: (H, W) indices into ``words``, ``VOID`` where no word names the pixel."""
        mask = Image.new("I", self.size[::-1], VOID)
        draw = ImageDraw.Draw(mask)
        for region in self.regions:
            draw.polygon(region.corners, fill=region.word)
        return np.asarray(mask).astype(np.int16)


@cache
def shipped_photos() -> Mapping[str, Photo]:
    """Every photo that ships, by name."""
    read = json.loads(assets.path("photos", "photos.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: _photo(name, entry) for name, entry in read.items()})


def _photo(name: str, entry: dict) -> Photo:
    words = tuple(tuple(w.strip() for w in word.split(";")) for word in entry["words"])
    index = {synonyms[0]: i for i, synonyms in enumerate(words)} | {"": VOID}
    regions = [
        Region(index[word], tuple(tuple(map(int, corner.split(","))) for corner in points.split()))
        for word, points in entry["regions"]  # points as SVG writes them: "x,y x,y x,y"
    ]
    size = tuple(entry["size"])
    return Photo(name, entry["title"], entry["credit"], size, words, tuple(regions))
