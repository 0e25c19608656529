"""Where a picture comes from: an emoji scene, a shipped photo or an upload; and its truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.settings import Settings
from gclip_core import assets, images, scenes
from gclip_core.cache import BoundedCache
from gclip_core.errors import ImageError
from gclip_core.evaluate import metric
from gclip_core.types import Vocabulary

UNCOUNTED = metric.IGNORE
SCENE_ASPECT = 4 / 3
CACHE_BYTES = 400 * 2**20


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
    def nbytes(self) -> int:
        """Bytes of its pixels and truth."""
        pixels = self.image.width * self.image.height * 3
        return pixels + (self.truth.labels.nbytes if self.truth else 0)


@dataclass(frozen=True)
class Photo:
    """A photo that ships with the project, with words to look for in it."""

    name: str
    title: str
    file: str
    words: str
    credit: str


PHOTOS: dict[str, Photo] = {
    photo.name: photo
    for photo in (
        Photo("chelsea", "Cat", "chelsea.png", "cat; kitten, sofa; blanket",
              "Stefan van der Walt, CC0"),
        Photo("coffee", "Coffee", "coffee.png", "cup of coffee, spoon, saucer, wooden table",
              "Rachel Michetti, CC0"),
        Photo("astronaut", "Astronaut", "astronaut.png",
              "person; face, space suit, flag, model of a space shuttle, dark background",
              "NASA, public domain"),
        Photo("rocket", "Rocket", "rocket.jpg", "rocket, smoke, sky, sea; water, tower",
              "SpaceX, public domain"),
    )
}  # fmt: skip


class Sources:
    """Opens pictures; keeps those used last in a bounded cache."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._pictures: BoundedCache[Picture] = BoundedCache(limit, lambda p: p.nbytes)

    def picture(self, settings: Settings, upload: str = "") -> Picture:
        """The picture that the settings name; ``upload`` is the path of a visitor's file.

        Raises:
            GclipError: no picture yet, or one that cannot be used.
        """
        if settings.source == "scene":
            key = (settings.seed, settings.things, settings.style, settings.scene_size)
            return self._pictures.get_or_make(key, lambda: _scene(*key))
        if settings.source == "example":
            return self._pictures.get_or_make(settings.example, lambda: _photo(settings.example))
        if not upload:
            raise ImageError("No image yet: drop one into the image field, or choose an example.")
        stamp = Path(upload).stat() if Path(upload).is_file() else None
        key = (upload, stamp and (stamp.st_mtime_ns, stamp.st_size))
        return self._pictures.get_or_make(key, lambda: _upload(upload))


def truth_miou(truth: Truth, labels: NDArray, vocabulary: Vocabulary) -> float:
    """mIoU of ``labels`` (H, W) against the truth, over the truth's classes among the words.

    nan where no class of the truth is among the words or the sizes differ.
    """
    if truth.labels.shape != labels.shape:
        return float("nan")
    wanted = match(truth, vocabulary)
    table = np.array([*wanted, UNCOUNTED])
    mapped = table[truth.labels]
    present = sorted({int(c) for c in wanted if c != UNCOUNTED} & set(np.unique(mapped).tolist()))
    if not present:
        return float("nan")
    counts = metric.confusion(mapped, labels, len(vocabulary))
    return float(np.mean(metric.scores(counts).iou[present]))


def match(truth: Truth, vocabulary: Vocabulary) -> tuple[int, ...]:
    """For each class of the truth the class among the words that means it, or -1."""
    typed = {
        phrase.casefold(): index
        for index, synonyms in reversed(list(enumerate(vocabulary.classes)))
        for phrase in synonyms
    }
    return tuple(
        next((typed[n.casefold()] for n in names if n.casefold() in typed), UNCOUNTED)
        for names in truth.names
    )


def _scene(seed: int, things: int, style: str, side: int) -> Picture:
    size = (side, round(side * SCENE_ASPECT))
    scene = scenes.compose(seed, size, style, things or None)
    synonyms = {w.name: (w.name, *w.synonyms) for w in (*scenes.things(), *scenes.backgrounds())}
    return Picture(
        image=scene.image,
        digest=images.digest(scene.image),
        title=f"Emoji scene {seed}",
        words=", ".join(scene.words),
        truth=Truth(scene.labels, tuple(synonyms[word] for word in scene.words)),
    )


def _photo(name: str) -> Picture:
    if name not in PHOTOS:
        raise ImageError(f"There is no example '{name[:40]}'. Choose one of: {', '.join(PHOTOS)}.")
    photo = PHOTOS[name]
    image = images.check(assets.path("photos", photo.file))
    return Picture(image, images.digest(image), photo.title, photo.words)


def _upload(path: str) -> Picture:
    image = images.check(path)
    return Picture(image, images.digest(image), "Your image", "")
