"""Photos with masks: the shipped ones, with polygons drawn by hand, and your own folders."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evaluation import EvaluationError
from evaluation.class_lists import BACKGROUND, ClassName
from evaluation.datasets import Ids, LabelledSet, Sample, read_ids, require_files
from evaluation.metric import IGNORE
from gclip_core import assets, lists
from gclip_core.pixels import images
from gclip_core.types import Size

NAME = "photos"


@dataclass(frozen=True)
class ShippedPhoto:
    """A photo that ships and its true mask.

    ``words`` are the classes, the main one first, each a name followed by its synonyms; ``text``
    has one word of each, as a person would type them. ``regions`` are polygons in the order of
    painting: the index of the word, or ``IGNORE``, and (x, y) corners in pixels. ``size`` is
    (height, width). A photo that ``is_part`` of another one was chosen to be shown, and is not
    evaluated.
    """

    name: str
    title: str
    credit: str
    size: Size
    words: tuple[tuple[str, ...], ...]
    text: str
    regions: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    is_part: bool = False

    @property
    def path(self) -> Path:
        """The photo's file."""
        return assets.path("photos", f"{self.name}.jpg")

    @property
    def names(self) -> tuple[str, ...]:
        """The first word of every class."""
        return tuple(synonyms[0] for synonyms in self.words)

    def image(self) -> Image.Image:
        """The photo, RGB."""
        return images.check(self.path)

    def labels(self) -> NDArray[np.int16]:
        """The true mask: (H, W) indices into ``words``, ``IGNORE`` where there is none."""
        mask = Image.new("I", self.size[::-1], IGNORE)
        draw = ImageDraw.Draw(mask)
        for word, corners in self.regions:
            draw.polygon(corners, fill=word)
        return np.asarray(mask).astype(np.int16)


@cache
def shipped_photos() -> Mapping[str, ShippedPhoto]:
    """Every photo that ships, by name."""
    read = json.loads(assets.path("photos", "photos.json").read_text(encoding="utf-8"))
    whole = {name: read.get(entry.get("of"), {}) | entry for name, entry in read.items()}
    return MappingProxyType({name: _photo(name, entry) for name, entry in whole.items()})


def _photo(name: str, entry: dict) -> ShippedPhoto:
    words = tuple(tuple(w.strip() for w in word.split(";")) for word in entry["words"])
    index = {synonyms[0]: i for i, synonyms in enumerate(words)} | {"": IGNORE}
    height, width = entry["size"]
    left, top, right, bottom = entry.get("box", (0, 0, width, height))
    regions = []
    for word, points in entry["regions"]:  # points as SVG writes them: "x,y x,y x,y"
        corners = (map(int, corner.split(",")) for corner in points.split())
        regions.append((index[word], tuple((x - left, y - top) for x, y in corners)))
    return ShippedPhoto(
        name,
        entry["title"],
        entry["credit"],
        (bottom - top, right - left),
        words,
        entry.get("text", ", ".join(names[0] for names in words)),
        tuple(regions),
        is_part="of" in entry,
    )


def shipped_set() -> LabelledSet:
    """The photos that ship as a data set; its classes are the words of all photos."""
    photos = [photo for photo in shipped_photos().values() if not photo.is_part]
    classes = _classes(words for photo in photos for words in photo.words)
    index = {known.name: number for number, known in enumerate(classes)}

    def load(photo: ShippedPhoto) -> tuple[Image.Image, NDArray[np.int16]]:
        class_of = np.array([*(index[word] for word in photo.names), IGNORE], np.int16)
        return photo.image(), class_of[photo.labels()]

    masks = assets.path("photos", "photos.json")
    samples = tuple(Sample(p.name, partial(load, p), (p.path, masks)) for p in photos)
    return LabelledSet(NAME, "Photos", classes, samples, None, "the photos that ship")


def _classes(groups: Iterable[tuple[str, ...]]) -> tuple[ClassName, ...]:
    """A class for each word that is the first of a group, with its synonyms from all groups.

    A synonym that is another class's word is left out.
    """
    synonyms: dict[str, dict[str, None]] = {}  # of each word, in their order
    for word, *others in groups:
        synonyms.setdefault(word, {}).update(dict.fromkeys(others))
    return tuple(
        ClassName(word, (word, *(other for other in others if other not in synonyms)))
        for word, others in synonyms.items()
    )


def photo_folder(folder: Path, split: str | None = None) -> LabelledSet:
    """Photos ``NAME.jpg`` with masks ``NAME.png`` in a folder, or those that a ``split`` lists.

    A photo may also be a JPEG with another ending, a WebP or a GIF. A mask is a palette or grey
    PNG. ``words.txt`` has a line ``value: word`` or ``value: word; synonym`` for each word of the
    masks, with "background" for pixels of no word; pixels with other values are ignored. If values
    differ between photos, ``index.json`` is a list of ``{"file": NAME, "words": {value: word}}``
    instead. ``SPLIT.txt`` has one name per line.

    Raises EvaluationError if the words cannot be read, a file is missing, or no photo is listed.
    """
    listed = sorted(folder.iterdir())
    masks = {file.stem: file for file in listed if file.suffix.lower() == ".png"}
    photos = {f.stem: f for f in listed if f.suffix.lower() in {*images.SUFFIXES} - {".png"}}
    words_file, words_of = _meanings(folder, masks)
    files = {
        name: (photos.get(name, folder / f"{name}.jpg"), masks.get(name, folder / f"{name}.png"))
        for name in words_of
    }
    require_files([file for pair in files.values() for file in pair])
    classes = _classes(words for meaning in words_of.values() for words in meaning.values())
    index = {known.name: number for number, known in enumerate(classes)}

    def load(name: str) -> tuple[Image.Image, NDArray[np.int16]]:
        photo, mask = files[name]
        class_of = {value: index[words[0]] for value, words in words_of[name].items()}
        ids = Ids(class_of, ignored=frozenset(), others=IGNORE)
        return images.check(photo), ids.labels(read_ids(mask), str(mask))

    names, source = list(words_of), words_file
    if split is not None:
        source = folder / f"{split}.txt"
        text = source.read_text("utf-8", "replace") if source.is_file() else ""
        lines = {line.strip() for line in text.splitlines()}
        names = [name for name in names if name in lines]
    if not names:
        raise EvaluationError(f"{source} names no photo with a mask in this folder.")
    samples = tuple(Sample(name, partial(load, name), (*files[name], words_file)) for name in names)
    classes = tuple(BACKGROUND if c.name == BACKGROUND.name else c for c in classes)
    title, background = f"Photos of {folder.name}", index.get(BACKGROUND.name)
    return LabelledSet(NAME, title, classes, samples, background, folder.name, split or "all")


def _meanings(
    folder: Path, names: Iterable[str]
) -> tuple[Path, dict[str, dict[int, tuple[str, ...]]]]:
    """The file that lists the words, and for each photo, by its name, the word of each value of its
    mask, with its synonyms."""
    listed = folder / "words.txt"
    try:
        if listed.is_file():
            entries = [*lists.entries(listed.read_text("utf-8"))]
            words = {int(value): names for value, names in entries}
            if not all(words.values()) or len(words) < len(entries):
                raise ValueError("a value has no word, or two")
            return listed, dict.fromkeys(names, words)
        listed = folder / "index.json"
        return listed, {
            entry["file"]: {int(value): (word,) for value, word in entry["words"].items()}
            for entry in json.loads(listed.read_text("utf-8"))
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"The words of the masks cannot be read from {listed} ({error!r}). Write a line such "
            f"as '1: cat' for each value into {folder / 'words.txt'}, or use an index.json."
        ) from error
