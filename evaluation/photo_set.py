"""Photos as a data set: those that ship, or a folder of photos with masks."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.class_lists import ClassName
from evaluation.errors import EvaluationError
from evaluation.metric import IGNORE
from evaluation.photos import Photo, shipped_photos
from evaluation.samples import LabelledSet, Sample
from gclip_core import images

NAME = "photos"


def shipped_set() -> LabelledSet:
    """The photos that ship as a data set; its classes are the words of all photos."""
    photos = shipped_photos().values()
    others_of: dict[str, dict[str, None]] = {}  # the synonyms of each word, in their order
    for photo in photos:
        for word, *others in photo.words:
            others_of.setdefault(word, {}).update(dict.fromkeys(others))
    classes = tuple(
        # A synonym that is a class of another photo is not one here.
        ClassName(word, (word, *(other for other in others if other not in others_of)))
        for word, others in others_of.items()
    )
    index = {word: number for number, word in enumerate(others_of)}

    def load(photo: Photo) -> tuple[Image.Image, NDArray[np.int16]]:
        table = np.array([*(index[word] for word in photo.names), IGNORE], np.int16)
        return photo.image(), table[photo.labels()]

    samples = tuple(Sample(photo.name, partial(load, photo)) for photo in photos)
    return LabelledSet(NAME, "Photos", classes, samples, None, "the photos that ship")


LISTS = ("choose", "report")
"""Names of the lists of photos in a folder: those by which choices are made, and the others."""


def photo_lists(folder: Path) -> dict[str, tuple[str, ...]]:
    """The photos that ``choose.txt`` and ``report.txt`` in a folder name, of each list there is."""
    return {
        name: tuple((folder / f"{name}.txt").read_text("utf-8").split())
        for name in LISTS
        if (folder / f"{name}.txt").is_file()
    }


def listed(folder: Path, name: str) -> LabelledSet:
    """The photos of a folder that one of its lists names.

    Raises:
        EvaluationError: no such list, or it names no photo of the folder.
    """
    dataset, lists = photo_folder(folder), photo_lists(folder)
    if name not in lists:
        path = folder / f"{name}.txt"
        raise EvaluationError(f"A list of photos was expected at {path}, but there is none.")
    samples = tuple(sample for sample in dataset.samples if sample.name in lists[name])
    if not samples:
        raise EvaluationError(f"{folder}/{name}.txt names none of the photos in {folder}.")
    return replace(dataset, samples=samples)


def photo_folder(folder: Path) -> LabelledSet:
    """Photos ``NAME.jpg`` with masks ``NAME.png`` in a folder.

    Its ``index.json`` is a list of ``{"file": NAME, "words": {value: word}}``. A value is one of
    the mask's; pixels of other values are ignored.

    Raises:
        EvaluationError: the index cannot be read, or a photo or mask is missing.
    """
    words_of = _index(folder)
    words = dict.fromkeys(word for meaning in words_of.values() for word in meaning.values())
    index = {word: number for number, word in enumerate(words)}
    _require_files(folder, words_of)

    def load(name: str, meaning: Mapping[int, str]) -> tuple[Image.Image, NDArray[np.int16]]:
        table = np.full(256, IGNORE, np.int16)
        for value, word in meaning.items():
            table[value] = index[word]
        with Image.open(folder / f"{name}.png") as mask:
            return images.check(folder / f"{name}.jpg"), table[np.asarray(mask)]

    return LabelledSet(
        name=NAME,
        title=f"Photos of {folder.name}",
        classes=tuple(ClassName(word, (word,)) for word in words),
        samples=tuple(
            Sample(name, partial(load, name, meaning)) for name, meaning in words_of.items()
        ),
        background=None,
        source=folder.name,
    )


def _index(folder: Path) -> dict[str, dict[int, str]]:
    """What each photo's mask values stand for, by ``index.json``."""
    try:
        entries = json.loads((folder / "index.json").read_text("utf-8"))
        return {
            entry["file"]: {int(value): word for value, word in entry["words"].items()}
            for entry in entries
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"A list of files and words was expected in {folder}/index.json, but {error!r} came."
        ) from error


def _require_files(folder: Path, names: Iterable[str]) -> None:
    """EvaluationError if a photo or a mask is missing."""
    files = [folder / f"{name}{kind}" for name in names for kind in (".jpg", ".png")]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise EvaluationError(
            f"{len(missing)} of {len(files)} files are missing; the first is {missing[0]}."
        )
