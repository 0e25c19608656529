"""A photo by its name, and the cache of everything that is computed from photos.

All visitors share one cache, bounded by bytes; simultaneous requests for the same value share one
computation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from demo import limits, pictures
from demo.errors import GoneError
from demo.store import STORE
from evaluation import photos
from gclip_core.backbones.backbone import Backbone
from gclip_core.cache import BoundedCache

OPENING = "teddy-part"
"""The photo that the page opens with, unless a link names another; AMF improves its mask."""
EXAMPLES = (OPENING, "flower-part", "china", "dog", "raccoon", "panda-part")
"""The shipped photos whose masks reach 60 % mIoU, best first."""


def weigh(value: Any) -> int:
    """Bytes of a picture or a file, or of all tensors of an encoding or a mask."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Image.Image):
        return 4 * math.prod(value.size)  # Pillow pads RGB
    seen, storages, parts = set[int](), dict[int, int](), [value]
    while parts:
        part = parts.pop()
        if id(part) in seen or isinstance(part, Backbone):
            continue
        seen.add(id(part))
        if isinstance(part, Tensor):
            storage = part.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        elif isinstance(part, tuple | list):
            parts += part
        elif isinstance(part, BoundedCache):
            parts += part.values()
        elif isinstance(part, dict) or is_dataclass(part):
            parts += (part if isinstance(part, dict) else vars(part)).values()
    return sum(storages.values())


CACHE: BoundedCache[Any] = BoundedCache(limits.MAX_CACHED, weigh)
"""Pictures, files, encodings and masks; a key begins with the photo."""


@dataclass(frozen=True)
class Photo:
    """An image file; caches identify it by its name, which is that of an example or a digest."""

    name: str
    path: Path = field(compare=False)

    @classmethod
    def of_example(cls, name: str) -> "Photo":
        return cls(name, photos.shipped_photos()[name].path)

    @classmethod
    def named(cls, name: str) -> "Photo | None":
        """An example, or a file of a visitor that is still here."""
        if name in photos.shipped_photos():
            return cls.of_example(name)
        path = STORE.path(name)
        return path and cls(name, path)

    @property
    def example(self) -> photos.ShippedPhoto | None:
        return photos.shipped_photos().get(self.name)

    @property
    def picture(self) -> Image.Image:
        """The photo in RGB, upright, and scaled down to at most WORKED_PIXELS.

        Raises ImageError if the file is not an image, or has too many pixels, and GoneError if it
        was deleted.
        """

        def read() -> Image.Image:
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                raise GoneError from None
            return pictures.opened(data)

        return kept((self,), read)


def kept(key: tuple[Photo, *tuple[Any, ...]], make: Callable[[], Any]) -> Any:
    """What was computed from a photo, with the photo first in its key; ``make`` computes it if it
    is not cached. If the photo is deleted meanwhile, nothing of it stays."""
    value = CACHE.get_or_make(key, make)
    if not key[0].path.exists():
        forget(key[0].name)
    return value


def forget(name: str) -> None:
    """Drops what was computed from a photo."""
    CACHE.drop(lambda key: key[0].name == name)


STORE.on_delete = forget
