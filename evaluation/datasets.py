"""The DATASETS table: where a set's files lie, what its ids mean, and how it is evaluated.

Adding a set is one entry here and one class list in ``class_lists/``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation import class_lists, ids
from evaluation.class_lists import ClassName
from evaluation.errors import EvaluationError
from evaluation.ids import Ids
from gclip_core import images
from gclip_core.tables import find, table

EVERY_LABEL = "all"
"""The split that takes every label file of a set whose splits are lists."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truth, read when asked.

    ``load()`` gives a PIL RGB image and (H, W) int16 class indices, negative where not counted.
    """

    name: str
    load: Callable[[], tuple[Image.Image, NDArray[np.int16]]]


@dataclass(frozen=True, eq=False)
class OpenSet:
    """A data set that was found: its samples in order, its classes, and what was read where.

    ``background`` is the index of the class that takes whatever stays under the threshold.
    ``fingerprint`` is a digest of the samples' names in order.
    """

    name: str
    title: str
    classes: tuple[ClassName, ...]
    samples: Sequence[Sample]
    background: int | None
    source: str

    @property
    def fingerprint(self) -> str:
        return blake2b("\n".join(s.name for s in self.samples).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Files:
    """One way in which a set's files lie under its root.

    ``images`` and ``truth`` are patterns with ``{split}`` and ``{name}``, where ``{name}`` stands
    for ``names``, a regular expression. Names come from the first of ``lists`` that exists, or,
    where there is none, from the truth files that are there.
    """

    images: str
    truth: str
    ids: Ids
    lists: tuple[str, ...] = ()
    names: str = r"[^/]+"


@dataclass(frozen=True)
class Dataset:
    """One entry: its files, its classes, and the protocol it is evaluated by.

    ``roots`` are folders under the given root in which the set may lie. ``background`` is a
    class 0 for whatever is no object, ``threshold`` the probability under which a pixel goes to
    it. Sizes are in pixels; a ``window`` of 0 means one pass.
    """

    name: str
    title: str
    class_list: str
    split: str
    files: tuple[Files, ...]
    roots: tuple[str, ...] = ()
    background: ClassName | None = None
    threshold: float = 0.0
    short_side: int = 336
    window: int = 224
    stride: int = 112

    def classes(self) -> tuple[ClassName, ...]:
        """Every class in the order of its index, the background first where there is one."""
        objects = class_lists.shipped(self.class_list)
        return (self.background, *objects) if self.background else objects


def _voc(meaning: Ids) -> tuple[Files, ...]:
    listed = ("ImageSets/Segmentation/{split}.txt",)
    return (Files("JPEGImages/{name}.jpg", "SegmentationClass/{name}.png", meaning, listed),)


def _context(converted: Ids, original: Ids) -> tuple[Files, ...]:
    lists = ("ImageSets/SegmentationContext/{split}.txt", "ImageSets/Main/{split}.txt")
    return (
        Files("JPEGImages/{name}.jpg", "SegmentationClassContext/{name}.png", converted, lists),
        Files("JPEGImages/{name}.jpg", "trainval/{name}.mat", original, lists),
    )


def _coco(kinds: Mapping[str, Ids]) -> tuple[Files, ...]:
    image, truth = "images/{split}/{name}.jpg", "annotations/{split}/{name}"
    return tuple(Files(image, f"{truth}{kind}.png", kinds[kind], names=r"\d+") for kind in kinds)


def _cityscapes(kinds: Mapping[str, Ids]) -> tuple[Files, ...]:
    image, truth = "leftImg8bit/{split}/{name}_leftImg8bit.png", "gtFine/{split}/{name}_gtFine_"
    names = r"[^/]+/[^/]+"
    return tuple(Files(image, f"{truth}{kind}.png", kinds[kind], names=names) for kind in kinds)


_VOC_ROOTS = ("", "VOC2012", "VOCdevkit/VOC2012")
_CONTEXT_ROOTS = ("", "VOC2010", "VOCdevkit/VOC2010")
_COCO_ROOTS = ("", "coco_stuff164k", "coco_object", "coco")
_WORD = ClassName("background", ("background",))


DATASETS: dict[str, Dataset] = table(
    Dataset("voc20", "VOC20", "voc20", "val", _voc(ids.VOC20), _VOC_ROOTS),
    Dataset(
        "voc21", "VOC21", "voc20", "val", _voc(ids.VOC21), _VOC_ROOTS,
        background=class_lists.BACKGROUND, threshold=0.1,
    ),
    Dataset(
        "context59", "Context59", "context59", "val",
        _context(ids.CONTEXT59, ids.CONTEXT59_ALL), _CONTEXT_ROOTS,
    ),
    Dataset(
        "context60", "Context60", "context59", "val",
        _context(ids.CONTEXT60, ids.CONTEXT60_ALL), _CONTEXT_ROOTS,
        background=_WORD, threshold=0.1,
    ),
    Dataset(
        "coco-stuff", "COCO-Stuff", "coco_stuff", "val2017",
        _coco({"_labelTrainIds": ids.COCO_STUFF, "": ids.COCO_STUFF_STORED}), _COCO_ROOTS,
    ),
    Dataset(
        "coco-object", "COCO-Object", "coco_object", "val2017",
        _coco({
            "_instanceTrainIds": ids.COCO_OBJECT, "_labelTrainIds": ids.COCO_OBJECT_STUFF,
            "": ids.COCO_OBJECT_STORED,
        }),
        _COCO_ROOTS, background=class_lists.BACKGROUND, threshold=0.1,
    ),
    Dataset(
        "ade20k", "ADE20K", "ade20k", "validation",
        (Files("images/{split}/{name}.jpg", "annotations/{split}/{name}.png", ids.ADE20K),),
        ("", "ADEChallengeData2016", "ade/ADEChallengeData2016"),
    ),
    Dataset(
        "cityscapes", "Cityscapes", "cityscapes", "val",
        _cityscapes({"labelTrainIds": ids.CITYSCAPES, "labelIds": ids.CITYSCAPES_STORED}),
        ("", "cityscapes"), short_side=560,
    ),
)  # fmt: skip


def find_dataset(name: str) -> Dataset:
    """The DATASETS entry of that name; an EvaluationError lists the valid names."""
    return find(DATASETS, name, "data set", EvaluationError)


def open_dataset(dataset: Dataset, root: Path, split: str | None = None) -> OpenSet:
    """Find a set's files under ``root`` and pair every image with its truth.

    ``split`` names another list or folder than the set's own; :data:`EVERY_LABEL` needs no list.
    """
    split = split or dataset.split
    looked_for: list[Path] = []
    for files in dataset.files:
        for base in (root / folder for folder in dataset.roots or ("",)):
            names = _names(files, base, split)
            if names:
                return OpenSet(
                    name=dataset.name,
                    title=dataset.title,
                    classes=dataset.classes(),
                    samples=_samples(files, base, split, names),
                    background=0 if dataset.background else None,
                    source=files.truth.format(split=split, name="*"),
                )
            looked_for += _wanted(files, base, split)
    shown = "\n  ".join(dict.fromkeys(str(path) for path in looked_for))
    raise EvaluationError(
        f"{dataset.title} was not found. These paths were looked for:\n  {shown}\n"
        "Name the folder that holds them with --root (docs/EVALUATION.md shows every layout)."
    )


def _wanted(files: Files, base: Path, split: str) -> list[Path]:
    lists = [base / name.format(split=split) for name in files.lists]
    return [*lists, (base / files.truth.format(split=split, name="*"))]


def _names(files: Files, base: Path, split: str) -> list[str]:
    """Names of the samples in order, empty when these are not the files that lie at ``base``."""
    folder = base / Path(files.truth.partition("{name}")[0].format(split=split))
    if not folder.is_dir():
        return []
    for file in (base / pattern.format(split=split) for pattern in files.lists):
        if file.is_file():
            # Lists of VOC's Main folder carry a second column.
            return [
                line.split()[0] for line in file.read_text("utf-8").splitlines() if line.strip()
            ]
    if files.lists and split != EVERY_LABEL:
        return []
    suffix = files.truth.partition("{name}")[2]
    found = (
        path.relative_to(folder).as_posix().removesuffix(suffix)
        for path in folder.rglob(f"*{suffix}")
    )
    return sorted(name for name in found if re.fullmatch(files.names, name))


def _samples(files: Files, base: Path, split: str, names: list[str]) -> tuple[Sample, ...]:
    pairs = [
        tuple(base / p.format(split=split, name=name) for p in (files.images, files.truth))
        for name in names
    ]
    missing = [path for pair in pairs for path in pair if not path.is_file()]
    if missing:
        raise EvaluationError(
            f"{len(missing)} of {2 * len(pairs)} files are missing, the first one is {missing[0]}."
        )
    return tuple(
        Sample(name, partial(_load, image, truth, files.ids))
        for name, (image, truth) in zip(names, pairs, strict=True)
    )


def _load(image: Path, truth: Path, meaning: Ids) -> tuple[Image.Image, NDArray[np.int16]]:
    labels = meaning.labels(ids.read(truth), str(truth))
    return _aligned(image, labels.shape), labels


def _aligned(path: Path, shape: tuple[int, ...]) -> Image.Image:
    """The image as its truth was drawn: as it is stored, or upright where only that fits."""
    try:
        with Image.open(path) as opened:
            stored = opened.convert("RGB")
    except (OSError, ValueError) as error:
        raise EvaluationError(f"The image {path} could not be read: {error}") from error
    stored.info = {}  # nobody downstream shall turn it again
    upright = images.check(path)
    fits_upright = (upright.height, upright.width) == shape
    return upright if fits_upright and (stored.height, stored.width) != shape else stored
