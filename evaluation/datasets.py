"""The DATASETS table: where a set's files are, what its label ids mean, and its protocol.

A new data set takes one entry of the table and one class list in ``class_lists/``.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from evaluation import EvaluationError, class_lists
from evaluation.class_lists import ClassName
from evaluation.metric import IGNORE
from gclip_core.errors import check_between, check_count
from gclip_core.pixels import images
from gclip_core.tables import Table
from gclip_core.words.vocabulary import Vocabulary


@dataclass(frozen=True)
class Protocol:
    """The sizes, in pixels, and the threshold with which a set is usually evaluated.

    A ``short_side`` of None is the backbone's own, a ``window`` of 0 means one pass over the whole
    image; another one is every ``stride`` pixels. A pixel whose probability is below ``threshold``
    becomes background. Raises MethodError for a threshold or a size that is none.
    """

    short_side: int | None = None
    window: int = 0
    stride: int = 112
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_between("threshold", self.threshold, 0, 1)
        check_between("window", self.window, 0, math.inf)
        check_count("stride", self.stride)


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truth.

    ``read()`` reads a PIL RGB image and class indices, (H, W) int16 and negative where ignored,
    from ``files``; ``load()`` also checks that they have the same size.
    """

    name: str
    read: Callable[[], tuple[Image.Image, NDArray[np.int16]]]
    files: tuple[Path, ...] = ()

    def load(self) -> tuple[Image.Image, NDArray[np.int16]]:
        image, truth = self.read()
        size = (image.height, image.width)
        if truth.shape != size:
            raise EvaluationError(
                f"The mask of {self.name} has {truth.shape} pixels (height, width), but its image "
                f"has {size}; check that both files belong to the same image."
            )
        return image, truth


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Samples in order, their classes, and the protocol.

    ``background`` is the index of the class for pixels below the threshold, if there is one;
    ``source`` says which label files were read, ``split`` which list or folder of them.
    """

    name: str
    title: str
    classes: tuple[ClassName, ...]
    samples: Sequence[Sample]
    background: int | None
    source: str
    split: str = "all"
    protocol: Protocol = Protocol()

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the samples' names and of the content of their files, in order."""
        digest = blake2b("\n".join(s.name for s in self.samples).encode(), digest_size=8)
        for file in dict.fromkeys(file for sample in self.samples for file in sample.files):
            digest.update(blake2b(file.read_bytes()).digest())
        return digest.hexdigest()

    def vocabulary(self, indices: Iterable[int]) -> Vocabulary:
        """The phrases of the classes with these indices, each a class of the vocabulary."""
        return Vocabulary(tuple(self.classes[index].phrases for index in indices))


@dataclass(frozen=True)
class Ids:
    """What the ids in a label file mean.

    ``classes`` maps ids to class indices; ids in ``ignored`` are not counted. All other ids become
    ``others``; if that is None, they raise an error, because the files belong to another set.
    """

    classes: Mapping[int, int]
    ignored: frozenset[int] = frozenset({255})
    others: int | None = None

    def labels(self, ids: NDArray, where: str) -> NDArray[np.int16]:
        """Class indices of (H, W) ids; ``evaluation.metric.IGNORE`` where ignored."""
        meaning = {i: self.classes.get(i, self.others) for i in np.unique(ids).tolist()}
        meaning |= dict.fromkeys(self.ignored, IGNORE)
        unknown = [i for i, label in meaning.items() if label is None]
        if unknown:
            raise EvaluationError(
                f"{where} contains ids that are not in this data set: {unknown[:8]}; check that "
                "the files are of this data set and were not converted for another one."
            )
        lookup = np.zeros(max(meaning, default=0) + 1, np.int16)
        lookup[list(meaning)] = list(meaning.values())
        return lookup[ids]


@dataclass(frozen=True)
class Files:
    """One layout of a set's files under its root.

    ``images`` and ``truth`` are patterns of paths with ``{split}`` and ``{name}``. Names come from
    the first of ``lists`` that exists or, without ``lists``, from the truth files whose ``{name}``
    matches ``names``, a regular expression.
    """

    images: str
    truth: str
    ids: Ids
    lists: tuple[str, ...] = ()
    names: str = r"[^/]+"


SLIDING = Protocol(short_side=336, window=224, stride=112)
"""The usual protocol of the field; docs/EVALUATION.md discusses others."""


@dataclass(frozen=True)
class Dataset:
    """One data set: its classes, its files and its protocol.

    ``class_list`` names a file in ``class_lists/``, or is the absolute path of another, without
    ``.txt``. ``roots`` are folders under the given root that may contain the set.
    ``background``, for pixels of no object, is class 0.
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
        """Every class in the order of the indices, the background first if there is one."""
        objects = class_lists.read(self.class_list)
        return (self.background, *objects) if self.background else objects


# --- layouts and ids that several entries share --------------------------------------------------

VOC_ROOTS = ("", "VOC2012", "VOCdevkit/VOC2012")
CONTEXT_ROOTS = ("", "VOC2010", "VOCdevkit/VOC2010")
COCO_ROOTS = ("", "coco_stuff164k", "coco_object", "coco")

# COCO's ids from 0, as in COCO-Stuff's PNGs; eleven categories were never annotated.
COCO_UNUSED = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
COCO = tuple(i for i in range(182) if i not in COCO_UNUSED)
COCO_THINGS = 80

# The 59 most frequent of PASCAL Context's 459 labels, which are numbered alphabetically.
CONTEXT = (
    2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113,
    115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326,
    347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip

CITYSCAPES = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def _numbered(ids: Iterable[int], first: int = 0) -> dict[int, int]:
    """Maps these ids, in their order, to class indices from ``first``."""
    return {id_: index for index, id_ in enumerate(ids, first)}


def _voc(ids: Ids) -> tuple[Files, ...]:
    lists = ("ImageSets/Segmentation/{split}.txt",)
    return (Files("JPEGImages/{name}.jpg", "SegmentationClass/{name}.png", ids, lists),)


def _context(converted: Ids, original: Ids) -> tuple[Files, ...]:
    image = "JPEGImages/{name}.jpg"
    lists = ("ImageSets/SegmentationContext/{split}.txt", "ImageSets/Main/{split}.txt")
    return (
        Files(image, "SegmentationClassContext/{name}.png", converted, lists),
        Files(image, "trainval/{name}.mat", original, lists),
    )


def _coco(kind: str, ids: Ids) -> Files:
    """Label files whose names end in ``kind``."""
    truth = f"annotations/{{split}}/{{name}}{kind}.png"
    return Files("images/{split}/{name}.jpg", truth, ids, names=r"\d+")


def _cityscapes(kind: str, ids: Ids) -> Files:
    image = "leftImg8bit/{split}/{name}_leftImg8bit.png"
    return Files(image, f"gtFine/{{split}}/{{name}}_gtFine_{kind}.png", ids, names=r"[^/]+/[^/]+")


DATASETS: Table[Dataset] = Table(
    Dataset(
        name="voc20",
        title="VOC20",
        class_list="voc20",
        split="val",
        files=_voc(Ids(_numbered(range(1, 21)), ignored=frozenset({0, 255}))),
        roots=VOC_ROOTS,
    ),
    Dataset(
        name="voc21",
        title="VOC21",
        class_list="voc20",
        split="val",
        files=_voc(Ids(_numbered(range(21)))),
        roots=VOC_ROOTS,
        background=class_lists.BACKGROUND,
        protocol=replace(SLIDING, threshold=0.1),
    ),
    Dataset(
        name="context59",
        title="Context59",
        class_list="context59",
        split="val",
        files=_context(
            Ids(_numbered(range(1, 60)), ignored=frozenset({0, 255})),
            Ids(_numbered(CONTEXT), ignored=frozenset(), others=IGNORE),
        ),
        roots=CONTEXT_ROOTS,
    ),
    Dataset(
        name="context60",
        title="Context60",
        class_list="context59",
        split="val",
        files=_context(
            Ids(_numbered(range(60))),
            Ids(_numbered(CONTEXT, first=1), ignored=frozenset(), others=0),
        ),
        roots=CONTEXT_ROOTS,
        background=ClassName("background", ("background",)),
        protocol=replace(SLIDING, threshold=0.1),
    ),
    Dataset(
        name="coco-stuff",
        title="COCO-Stuff",
        class_list="coco_stuff",
        split="val2017",
        files=(
            _coco("_labelTrainIds", Ids(_numbered(range(171)))),
            _coco("", Ids(_numbered(COCO))),
        ),
        roots=COCO_ROOTS,
    ),
    Dataset(
        name="coco-object",
        title="COCO-Object",
        class_list="coco_object",
        split="val2017",
        # Stuff and unlabelled pixels are background, as in the usual conversion of the set.
        files=(
            _coco("_instanceTrainIds", Ids(_numbered(range(81)))),
            _coco("_labelTrainIds", Ids(_numbered(range(80), first=1), frozenset(), others=0)),
            _coco("", Ids(_numbered(COCO[:COCO_THINGS], first=1), frozenset(), others=0)),
        ),
        roots=COCO_ROOTS,
        background=class_lists.BACKGROUND,
        protocol=replace(SLIDING, threshold=0.1),
    ),
    Dataset(
        name="ade20k",
        title="ADE20K",
        class_list="ade20k",
        split="validation",
        files=(
            Files(
                "images/{split}/{name}.jpg",
                "annotations/{split}/{name}.png",
                Ids(_numbered(range(1, 151)), ignored=frozenset({0})),
            ),
        ),
        roots=("", "ADEChallengeData2016", "ade/ADEChallengeData2016"),
    ),
    Dataset(
        name="cityscapes",
        title="Cityscapes",
        class_list="cityscapes",
        split="val",
        files=(
            _cityscapes("labelTrainIds", Ids(_numbered(range(19)))),
            _cityscapes(
                "labelIds",
                Ids(_numbered(CITYSCAPES), frozenset({*range(34), 255} - {*CITYSCAPES})),
            ),
        ),
        roots=("", "cityscapes"),
        protocol=replace(SLIDING, short_side=560),
    ),
    what="data set",
)


# --- reading files -------------------------------------------------------------------------------


def open_dataset(dataset: Dataset, root: Path, split: str | None = None) -> LabelledSet:
    """Finds a set's files under ``root`` and pairs every image with its truth.

    ``split`` names a list or folder other than the default.
    """
    split = split or dataset.split
    paths = [path for files in dataset.files for path in (files.images, files.truth, *files.lists)]
    if split != dataset.split and not any("{split}" in path for path in paths):
        raise EvaluationError(
            f"{dataset.title} has no split '{split}', only '{dataset.split}', because none of its "
            "paths contains {split}. Leave the split out, or put {split} into the paths in "
            "evaluation/datasets.py."
        )
    expected: list[Path] = []
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
                    split=split,
                    protocol=dataset.protocol,
                )
            paths = (*files.lists, files.truth)
            expected += [base / path.format(split=split, name="*") for path in paths]
    shown = "\n  ".join(dict.fromkeys(str(path) for path in expected))
    raise EvaluationError(
        f"{dataset.title} was not found at any of these paths:\n  {shown}\n"
        "Name the folder that contains it with --root (docs/EVALUATION.md shows every layout)."
    )


def _names(files: Files, base: Path, split: str) -> list[str]:
    """Names of the samples in order; empty if ``base`` does not have this layout."""
    before, _, ending = files.truth.replace("{split}", split).partition("{name}")
    folder = base / before
    if not folder.is_dir():
        return []
    if files.lists:
        lists = (base / pattern.format(split=split) for pattern in files.lists)
        listed = next((file for file in lists if file.is_file()), None)
        lines = listed.read_text("utf-8").splitlines() if listed else []
        # Lists in VOC's Main folder have a second column.
        return [line.split()[0] for line in lines if line.strip()]
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob(f"*{ending}"))
    names = (path.removesuffix(ending) for path in paths)
    return sorted(name for name in names if re.fullmatch(files.names, name))


def _samples(files: Files, base: Path, split: str, names: list[str]) -> tuple[Sample, ...]:
    samples = []
    for name in names:
        image = base / files.images.format(split=split, name=name)
        truth = base / files.truth.format(split=split, name=name)
        samples.append(Sample(name, partial(_load, image, truth, files.ids), (image, truth)))
    require_files([file for sample in samples for file in sample.files])
    return tuple(samples)


def require_files(paths: Sequence[Path]) -> None:
    """Raises an EvaluationError that names the first file that is missing."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise EvaluationError(
            f"{len(missing)} of {len(paths)} files are missing; the first is {missing[0]}."
        )


def _load(photo: Path, truth: Path, ids: Ids) -> tuple[Image.Image, NDArray[np.int16]]:
    """The image as stored, or rotated by its EXIF orientation if only that fits the truth."""
    labels = ids.labels(read_ids(truth), str(truth))
    try:
        with Image.open(photo) as opened:
            image = opened.convert("RGB")
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise EvaluationError(f"The image {photo} could not be read: {error!r}") from error
    if (image.height, image.width) != labels.shape:
        upright = images.check(photo)
        if (upright.height, upright.width) == labels.shape:
            return upright, labels
    image.info = {}  # without EXIF, so that the segmenter does not rotate it
    return image, labels


def read_ids(path: Path) -> NDArray:
    """The ids in a label file, (H, W): a palette, grey or 16-bit PNG, or a ``.mat``."""
    try:
        if path.suffix == ".mat":
            return np.asarray(loadmat(path)["LabelMap"])
        with Image.open(path) as image:
            mode, ids = image.mode, np.asarray(image)
    except Exception as error:  # as scipy does
        raise EvaluationError(f"The label file {path} could not be read: {error!r}") from error
    if mode not in ("P", "L", "I", "I;16"):
        raise EvaluationError(
            f"{path} is an image in mode {mode}, which has no class ids; use the original label "
            "file (a palette or grey PNG), not a coloured or 1-bit copy."
        )
    return ids
