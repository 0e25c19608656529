"""Tiny data sets in every layout.

Ids in the files are copied by hand from the sets' documentation, so they test the library's tables.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from evaluation.class_lists import ClassName
from evaluation.datasets import LabelledSet, Sample
from tests.models import picture

Ids = list[list[int]]


def plain_set(n: int, height: int = 32, width: int = 40) -> LabelledSet:
    """Random pictures, each with two or three rectangles of eight classes; some pixels are void."""
    words = ("sky", "grass", "cat", "dog", "car", "tree", "wall", "boat")

    def sample(number: int) -> Sample:
        labels = np.full((height, width), number % len(words), np.int16)
        labels[height // 2 :, : width // 2] = (3 * number + 1) % len(words)
        labels[:8, -8:] = (5 * number + 2) % len(words)
        return Sample(
            f"{height}x{width}-{number}", lambda: (picture(height, width, number), labels)
        )

    classes = tuple(ClassName(word, (word,)) for word in words)
    samples = tuple(map(sample, range(n)))
    return LabelledSet("plain", "Plain pictures", classes, samples, None, "made from seeds")


def enlarge(ids: Ids, dtype: Any = np.uint8) -> NDArray[Any]:
    """Enlarge each entry to a square of 8 × 8 pixels."""
    return np.kron(np.array(ids), np.ones((8, 8), int)).astype(dtype)


def save_ids(path: Path, ids: Ids, palette: bool = False) -> None:
    """A label PNG; with a palette, like PASCAL's files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(enlarge(ids))
    if palette:
        image.putpalette([i * 7 % 256 for i in range(768)])
    image.save(path)


def save_image(path: Path, **options: Any) -> None:
    """A picture as large as the enlarged labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(16, 24).save(path, **options)


_VOC = ("2007_000033", "2007_000042")
_COCO = ("000000000139", "000000000285")
_ADE = ("ADE_val_00000001", "ADE_val_00000002")
_CITY = ("frankfurt/frankfurt_000000_000294", "munster/munster_000000_000019")

# By the folder of the label files: an image's path, the list of a split, names.
_LAYOUTS = {
    "SegmentationClass": ("JPEGImages/{}.jpg", "ImageSets/Segmentation/val.txt", _VOC),
    "SegmentationClassContext": (
        "JPEGImages/{}.jpg", "ImageSets/SegmentationContext/val.txt", _VOC,
    ),
    "trainval": ("JPEGImages/{}.jpg", "ImageSets/Main/val.txt", _VOC),
    "annotations/val2017": ("images/val2017/{}.jpg", "", _COCO),
    "annotations/validation": ("images/validation/{}.jpg", "", _ADE),
    "gtFine/val": ("leftImg8bit/val/{}_leftImg8bit.png", "", _CITY),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A set in one layout: its label files, the ids in the first of them, and their meaning."""

    dataset: str
    truth: str
    ids: Ids
    labels: Ids
    root: str = ""

    @property
    def layout(self) -> tuple[str, str, tuple[str, ...]]:
        return _LAYOUTS[self.truth.rpartition("/")[0]]

    def build(self, root: Path, name: str) -> None:
        """Writes one image and its labels, and adds files that do not belong to the set."""
        image, listed, _ = self.layout
        save_image(root / image.format(name))
        path = root / self.truth.format(name)
        if path.suffix == ".mat":
            path.parent.mkdir(exist_ok=True)
            savemat(path, {"LabelMap": enlarge(self.ids, np.uint16)})
        else:
            save_ids(path, self.ids, palette="SegmentationClass/" in self.truth)
        if listed:
            save_image(root / image.format("2007_999999"))
        if "gtFine" in self.truth:
            save_ids(root / f"gtFine/val/{name}_gtFine_instanceIds.png", self.ids)

    def make(self, folder: Path) -> Path:
        """Writes the set under ``folder``, in reverse order; return its root."""
        root, (_, listed, names) = folder / self.root, self.layout
        for name in reversed(names):
            self.build(root, name)
        if listed:
            (root / listed).parent.mkdir(parents=True)
            (root / listed).write_text("\n".join(names) + "\n")
        return folder


# Two rows of three squares each: ids in the file, and the class indices that they stand for.
CASES: dict[str, Case] = {
    "voc20": Case(
        "voc20", "SegmentationClass/{}.png", [[0, 1, 20], [255, 15, 15]],
        [[-1, 0, 19], [-1, 14, 14]], "VOCdevkit/VOC2012",
    ),
    "voc21": Case(
        "voc21", "SegmentationClass/{}.png", [[0, 1, 20], [255, 15, 15]],
        [[0, 1, 20], [-1, 15, 15]],
    ),
    "context59": Case(
        "context59", "SegmentationClassContext/{}.png", [[0, 1, 59], [37, 37, 255]],
        [[-1, 0, 58], [36, 36, -1]], "VOCdevkit/VOC2010",
    ),
    "context60": Case(
        "context60", "SegmentationClassContext/{}.png", [[0, 1, 59], [37, 37, 255]],
        [[0, 1, 59], [37, 37, -1]], "VOC2010",
    ),
    # Of the 459: 2 aeroplane, 258 motorbike, 284 person, 458 wood; 1 accordion, 459 wool.
    "context59-mat": Case(
        "context59", "trainval/{}.mat", [[2, 258, 284], [458, 1, 459]],
        [[0, 33, 36], [58, -1, -1]],
    ),
    "context60-mat": Case(
        "context60", "trainval/{}.mat", [[2, 258, 284], [458, 1, 0]], [[1, 34, 37], [59, 0, 0]],
    ),
    "coco-stuff": Case(
        "coco-stuff", "annotations/val2017/{}_labelTrainIds.png",
        [[0, 79, 80], [170, 255, 255]], [[0, 79, 80], [170, -1, -1]], "coco_stuff164k",
    ),
    # From 0: 12 stop sign, 89 toothbrush, 91 banner, 181 wood.
    "coco-stuff-stored": Case(
        "coco-stuff", "annotations/val2017/{}.png", [[0, 12, 89], [91, 181, 255]],
        [[0, 11, 79], [80, 170, -1]],
    ),
    "coco-object": Case(
        "coco-object", "annotations/val2017/{}_instanceTrainIds.png",
        [[0, 1, 80], [12, 12, 255]], [[0, 1, 80], [12, 12, -1]],
    ),
    "coco-object-train-ids": Case(
        "coco-object", "annotations/val2017/{}_labelTrainIds.png",
        [[0, 79, 80], [170, 255, 11]], [[1, 80, 0], [0, 0, 12]],
    ),
    "coco-object-stored": Case(
        "coco-object", "annotations/val2017/{}.png", [[0, 12, 89], [91, 181, 255]],
        [[1, 12, 80], [0, 0, 0]],
    ),
    "ade20k": Case(
        "ade20k", "annotations/validation/{}.png", [[0, 1, 150], [13, 13, 13]],
        [[-1, 0, 149], [12, 12, 12]], "ADEChallengeData2016",
    ),
    "cityscapes": Case(
        "cityscapes", "gtFine/val/{}_gtFine_labelTrainIds.png", [[0, 18, 255], [11, 11, 13]],
        [[0, 18, -1], [11, 11, 13]],
    ),
    # 7 road, 33 bicycle, 4 static, 24 person, 26 car, 29 caravan.
    "cityscapes-stored": Case(
        "cityscapes", "gtFine/val/{}_gtFine_labelIds.png", [[7, 33, 4], [24, 26, 29]],
        [[0, 18, -1], [11, 13, -1]],
    ),
}  # fmt: skip
