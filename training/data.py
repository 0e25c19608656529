"""DATA: the photos to learn from, and their masks.

``python -m training data DATA`` writes ``DATA/data.json`` and checks its files; all steps read it.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation import EvaluationError
from evaluation.datasets import DATASETS, LabelledSet, Sample, open_dataset
from evaluation.photos import photo_folder
from gclip_core import assets
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.pixels import images
from training.words import Known, WordList

FILE = "data.json"
TRAINING_SPLIT = {"val": "train", "val2017": "train2017", "validation": "training"}
"""The training split of a data set, by the split on which it is evaluated."""


@dataclass(frozen=True, eq=False)
class Source:
    """A source of masks.

    ``words`` has the model's word for each label of a mask; None if the model has no word for it.
    ``background`` is the label of pixels that are none of the words, if there is one. ``left_out``
    are the words that the model does not know.
    """

    name: str
    words: tuple[str | None, ...]
    background: int | None
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TrainingPhoto:
    """A photo to learn from; ``source`` is None for a photo without a mask.

    ``load()`` reads an RGB image and the labels (H, W) int16 of its mask, negative where unknown.
    Without a mask, the labels are empty (0, 0).
    ``model`` is a digest of the frozen networks that compute its features.
    """

    name: str
    load: Callable[[], tuple[Image.Image, NDArray[np.int16]]]
    source: Source | None
    model: str = ""

    @cached_property
    def digest(self) -> str:
        """A digest of everything that its features and labels depend on."""
        image, labels = self.load()
        meaning = self.source and (self.source.words, self.source.background)
        state = blake2b(f"{self.model} {image.size} {meaning}".encode(), digest_size=8)
        state.update(image.tobytes())
        state.update(labels.tobytes())
        return state.hexdigest()


@dataclass(frozen=True, eq=False)
class Data:
    """The training data: photos with ``masks``, and ``others`` without."""

    masks: Sequence[TrainingPhoto]
    others: Sequence[TrainingPhoto]

    @property
    def sources(self) -> list[Source]:
        """The sources of masks, each once."""
        return list(dict.fromkeys(photo.source for photo in self.masks if photo.source))

    def words(self) -> WordList:
        """The words to learn."""
        named = (word for source in self.sources for word in source.words if word)
        return WordList(Known().seen, named)

    def own_words(self) -> set[str]:
        """The words of all masks but those of public data sets."""
        own = (source for source in self.sources if source.name not in DATASETS)
        return {word for source in own for word in source.words if word}


def write(data: Path, masks: Sequence[str], photos: Sequence[str] = (), most: int = 1000) -> None:
    """Writes ``data.json``. ``masks`` are folders or ``SET=FOLDER``."""
    pairs = [entry.rpartition("=")[::2] for entry in masks]
    if unknown := [name for name, _ in pairs if name and name not in DATASETS]:
        raise EvaluationError(f"'{unknown[0]}' is not one of the data sets {', '.join(DATASETS)}.")
    content = {
        "masks": [[name, str(Path(folder).resolve())] for name, folder in pairs],
        "photos": [str(Path(folder).resolve()) for folder in photos],
        "most": most,
    }
    data.mkdir(parents=True, exist_ok=True)
    (data / FILE).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read(data: Path, without: str | None = None) -> Data:
    """Reads ``data.json``, without the photos that a list ``WITHOUT.txt`` in their folder names."""
    if not (data / FILE).is_file():
        raise EvaluationError(
            f"{data / FILE} is missing: run `python -m training data {data}` first."
        )
    content = json.loads((data / FILE).read_text("utf-8"))
    known, held = Known(), set[str]()
    masks: list[TrainingPhoto] = []
    for name, folder in content["masks"]:
        root = Path(folder)
        masks += _of_set(known, name, root, content["most"]) if name else _of_folder(known, root)
        if without and not name and (root / f"{without}.txt").is_file():
            held |= {f"{root.name}/{entry.name}" for entry in photo_folder(root, without).samples}
    if without and not held:
        raise EvaluationError(
            f"{without}.txt, with one photo's name per line, is in no folder of masks."
        )
    # The photos that ship preserve what the model knows about everyday photos.
    folders = [*map(Path, content["photos"]), assets.path("photos")]
    others = [photo for folder in folders for photo in _without_masks(folder)]
    count = Counter(photo.name for photo in (*masks, *others))
    if twice := [name for name, n in count.items() if n > 1]:
        raise EvaluationError(f"Two photos are called {twice[0]}. Rename a folder or a photo.")
    files = sorted(assets.path(BUILT_IN).glob("[sd]*.safetensors"))  # of the frozen stem
    model = blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()
    masks, others = ([replace(photo, model=model) for photo in some] for some in (masks, others))
    return Data([photo for photo in masks if photo.name not in held], others)


def _of_set(known: Known, name: str, root: Path, most: int) -> list[TrainingPhoto]:
    """The photos of a public data set, ``most`` of them at random."""
    dataset = DATASETS[name]
    if dataset.split not in TRAINING_SPLIT:
        raise EvaluationError(
            f"The training split of {name} is unknown. Add it to training/data.py."
        )
    opened = open_dataset(dataset, root, TRAINING_SPLIT[dataset.split])
    samples = Random(0).sample(opened.samples, min(most, len(opened.samples)))
    return _photos(_source(known, name, opened), samples)


def _of_folder(known: Known, root: Path) -> list[TrainingPhoto]:
    """The photos of a folder of pairs."""
    opened = photo_folder(root)
    source = _source(known, root.name, opened)
    if source.left_out:
        about = "; ".join(known.about(word) for word in source.left_out)
        raise EvaluationError(
            f"These words of {root} cannot be taught: {about}. Name another word that the model "
            "knows, or delete the line, so that these pixels are ignored."
        )
    return _photos(source, opened.samples)


def _source(known: Known, name: str, opened: LabelledSet) -> Source:
    words = [
        None if label == opened.background else known.find((*entry.phrases, entry.name))
        for label, entry in enumerate(opened.classes)
    ]
    unknown = (label for label, word in enumerate(words) if word is None)
    left_out = (opened.classes[label].name for label in unknown if label != opened.background)
    return Source(name, tuple(words), opened.background, tuple(left_out))


def _photos(source: Source, samples: Sequence[Sample]) -> list[TrainingPhoto]:
    return [TrainingPhoto(f"{source.name}/{s.name}", s.load, source) for s in samples]


def _without_masks(folder: Path) -> list[TrainingPhoto]:
    """All photos in a folder and its subfolders."""

    def load(file: Path) -> tuple[Image.Image, NDArray[np.int16]]:
        return images.check(file), np.empty((0, 0), np.int16)

    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in images.SUFFIXES)
    if not files:
        raise EvaluationError(f"There are no photos ({', '.join(images.SUFFIXES)}) in {folder}.")
    names = (file.relative_to(folder.parent).with_suffix("").as_posix() for file in files)
    return [
        TrainingPhoto(name, partial(load, file), None)
        for name, file in zip(names, files, strict=True)
    ]


def check(data: Path) -> None:
    """Reads every photo and mask that ``data.json`` names, and prints a summary."""
    opened, found = read(data), 0
    for source in opened.sources:
        photos = [photo for photo in opened.masks if photo.source is source]
        count = Counter[str]()
        for photo in photos:
            _, labels = photo.load()
            here = dict.fromkeys(source.words[label] for label in np.unique(labels[labels >= 0]))
            count.update(filter(None, here))
        found += count.total()
        listed = ", ".join(f"{word} {n}" for word, n in count.most_common())
        n = len(photos)
        print(f"{source.name}: {n} photos with masks of {listed or 'no word'}", flush=True)
        if source.left_out:
            print(f"  left out, because the model does not know them: {', '.join(source.left_out)}")
        if source.background is None:
            print("  pixels without a word are unknown, because the masks have no background")
    if not found:
        raise EvaluationError(
            "No mask has a pixel of a word. Compare the values of the masks with words.txt."
        )
    for photo in opened.others:
        photo.load()
    print(f"{len(opened.others)} photos without masks")


def folder_of(work: Path, without: str | None, seed: int) -> Path:
    """The folder for the results of a run."""
    folder = work / f"without-{without or 'nothing'}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
