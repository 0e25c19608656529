"""The DATASETS table: the layout of a set's files, the meaning of its ids, and its protocol.

A new set is one entry here and one class list in ``class_lists/``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation import class_lists, ids
from evaluation.class_lists import ClassName
from evaluation.errors import EvaluationError
from evaluation.ids import Ids
from evaluation.samples import LabelledSet, Protocol, Sample
from gclip_core import images
from gclip_core.tables import table


@dataclass(frozen=True)
class Files:
    """One layout of a set's files under its root.

    ``images`` and ``truth`` are patterns of paths with ``{split}`` and ``{name}``. Names come from
    the first of ``lists`` that exists; without ``lists`` from the truth files whose ``{name}``
    matches ``names``, a regular expression.
    """

    images: str
    truth: str
    ids: Ids
    lists: tuple[str, ...] = ()
    names: str = r"[^/]+"


SLIDING = Protocol(short_side=336, window=224, stride=112)
"""The usual protocol of the field; docs/EVALUATION.md weighs others."""


@dataclass(frozen=True)
class Dataset:
    """One data set: its classes, its files and its protocol.

    ``class_list`` names a file in ``class_lists/``. ``roots`` are folders under the given root that
    may contain the set. ``background`` is class 0, for pixels of no object.
    """

    name: str
    title: str
    class_list: str
    split: str
    files: tuple[Files, ...]
    roots: tuple[str, ...] = ("",)
    background: ClassName | None = None
    protocol: Protocol = SLIDING

    def classes(self) -> tuple[ClassName, ...]:
        """Every class in the order of its index, the background first if there is one."""
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
    Dataset(
        name="voc20",
        title="VOC20",
        class_list="voc20",
        split="val",
        files=_voc(ids.VOC20),
        roots=_VOC_ROOTS,
    ),
    Dataset(
        name="voc21",
        title="VOC21",
        class_list="voc20",
        split="val",
        files=_voc(ids.VOC21),
        roots=_VOC_ROOTS,
        background=class_lists.BACKGROUND,
        protocol=replace(SLIDING, threshold=0.1),
    ),
    Dataset(
        name="context59",
        title="Context59",
        class_list="context59",
        split="val",
        files=_context(ids.CONTEXT59, ids.CONTEXT59_ORIGINAL),
        roots=_CONTEXT_ROOTS,
    ),
    Dataset(
        name="context60",
        title="Context60",
        class_list="context59",
        split="val",
        files=_context(ids.CONTEXT60, ids.CONTEXT60_ORIGINAL),
        roots=_CONTEXT_ROOTS,
        background=_WORD,
        protocol=replace(SLIDING, threshold=0.1),
    ),
    Dataset(
        name="coco-stuff",
        title="COCO-Stuff",
        class_list="coco_stuff",
        split="val2017",
        files=_coco({"_labelTrainIds": ids.COCO_STUFF, "": ids.COCO_STUFF_ORIGINAL}),
        roots=_COCO_ROOTS,
    ),
    Dataset(
        name="coco-object",
        title="COCO-Object",
        class_list="coco_object",
        split="val2017",
        files=_coco(
            {
                "_instanceTrainIds": ids.COCO_OBJECT,
                "_labelTrainIds": ids.COCO_OBJECT_STUFF,
                "": ids.COCO_OBJECT_ORIGINAL,
            }
        ),
        roots=_COCO_ROOTS,
        background=class_lists.BACKGROUND,
        protocol=replace(SLIDING, threshold=0.1),
    ),
    Dataset(
        name="ade20k",
        title="ADE20K",
        class_list="ade20k",
        split="validation",
        files=(Files("images/{split}/{name}.jpg", "annotations/{split}/{name}.png", ids.ADE20K),),
        roots=("", "ADEChallengeData2016", "ade/ADEChallengeData2016"),
    ),
    Dataset(
        name="cityscapes",
        title="Cityscapes",
        class_list="cityscapes",
        split="val",
        files=_cityscapes({"labelTrainIds": ids.CITYSCAPES, "labelIds": ids.CITYSCAPES_ORIGINAL}),
        roots=("", "cityscapes"),
        protocol=replace(SLIDING, short_side=560),
    ),
)


def open_dataset(dataset: Dataset, root: Path, split: str | None = None) -> LabelledSet:
    """Find a set's files under ``root`` and pair every image with its truth.

    ``split`` names another list or folder than the set's own.

    Raises:
        EvaluationError: no layout of the set is there, or an image or its truth is missing.
    """
    split = split or dataset.split
    looked_for: list[Path] = []
    for files in dataset.files:
        for base in (root / folder for folder in dataset.roots):
            names = _names(files, base, split)
            if names:
                return LabelledSet(
                    name=dataset.name,
                    title=dataset.title,
                    classes=dataset.classes(),
                    samples=_samples(files, base, split, names),
                    background=0 if dataset.background else None,
                    source=files.truth.format(split=split, name="*"),
                    protocol=dataset.protocol,
                )
            paths = (*files.lists, files.truth)
            looked_for += [base / path.format(split=split, name="*") for path in paths]
    shown = "\n  ".join(dict.fromkeys(str(path) for path in looked_for))
    raise EvaluationError(
        f"{dataset.title} was not found. One of these paths was expected:\n  {shown}\n"
        "Name the folder that contains it with --root (docs/EVALUATION.md shows every layout)."
    )


def _names(files: Files, base: Path, split: str) -> list[str]:
    """Names of the samples in order; empty if ``base`` does not have this layout."""
    folder = base / Path(files.truth.partition("{name}")[0].format(split=split))
    if not folder.is_dir():
        return []
    for file in (base / pattern.format(split=split) for pattern in files.lists):
        if file.is_file():
            # Lists in VOC's Main folder have a second column.
            return [
                line.split()[0] for line in file.read_text("utf-8").splitlines() if line.strip()
            ]
    if files.lists:
        return []
    suffix = files.truth.partition("{name}")[2]
    stems = (
        path.relative_to(folder).as_posix().removesuffix(suffix)
        for path in folder.rglob(f"*{suffix}")
    )
    return sorted(name for name in stems if re.fullmatch(files.names, name))


def _samples(files: Files, base: Path, split: str, names: list[str]) -> tuple[Sample, ...]:
    pairs = [
        tuple(base / p.format(split=split, name=name) for p in (files.images, files.truth))
        for name in names
    ]
    missing = [path for pair in pairs for path in pair if not path.is_file()]
    if missing:
        raise EvaluationError(
            f"{len(missing)} of {2 * len(pairs)} files are missing; the first is {missing[0]}."
        )
    return tuple(
        Sample(name, partial(_load, image, truth, files.ids))
        for name, (image, truth) in zip(names, pairs, strict=True)
    )


def _load(image: Path, truth: Path, meaning: Ids) -> tuple[Image.Image, NDArray[np.int16]]:
    labels = meaning.labels(ids.read(truth), str(truth))
    return _aligned(image, labels.shape), labels


def _aligned(path: Path, shape: tuple[int, ...]) -> Image.Image:
    """The image as stored, or turned by its EXIF orientation if only that has the truth's shape."""
    try:
        with Image.open(path) as opened:
            stored = opened.convert("RGB")
    except (OSError, ValueError) as error:
        raise EvaluationError(f"The image {path} could not be read: {error}") from error
    stored.info = {}  # without EXIF, so that the segmenter does not turn it
    upright = images.check(path)
    fits_upright = (upright.height, upright.width) == shape
    return upright if fits_upright and (stored.height, stored.width) != shape else stored
