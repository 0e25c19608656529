"""Tiny data sets in every layout.

Ids in the files are copied by hand from the sets' documentation, so they test the library's tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from evaluation.class_lists import ClassName
from evaluation.datasets import OpenSet, Sample
from tests.models import picture

PATCH = 8  # one JPEG block: flat colours survive the compression
STEP = 12

Ids = list[list[int]]


def plain_set(n: int, height: int = 32, width: int = 40) -> OpenSet:
    """Random pictures, each with two or three rectangles of eight classes; some not counted."""
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
    return OpenSet("plain", "Plain pictures", classes, samples, None, "made from seeds")


def enlarge(ids: Ids, dtype: Any = np.uint8) -> NDArray[Any]:
    """Each entry becomes a square of 8 × 8 pixels."""
    return np.kron(np.array(ids), np.ones((PATCH, PATCH), int)).astype(dtype)


def painted(predictions: Ids) -> Image.Image:
    """An image with a grey value for each class index."""
    grey = enlarge([[STEP * (p + 1) for p in row] for row in predictions])
    return Image.fromarray(np.stack([grey] * 3, -1))


def save_ids(path: Path, ids: Ids, palette: bool = False) -> None:
    """A label PNG; with a palette as PASCAL's files have one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(enlarge(ids))
    if palette:
        image.putpalette([i * 7 % 256 for i in range(768)])
    image.save(path)


def save_image(path: Path, predictions: Ids, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    painted(predictions).save(path, quality=100, **options)


@dataclass(frozen=True)
class Case:
    """A set in one layout: the ids in its files, and the labels they mean.

    ``ids`` and ``labels`` are those of the first image; ``predicted`` is painted on it.
    """

    dataset: str
    build: Callable[[Path, str, Ids, Ids], None]
    ids: Ids
    labels: Ids
    names: tuple[str, ...]
    source: str
    root: str = ""

    def make(self, folder: Path, predicted: Ids) -> Path:
        """Write the set under ``folder``, in reverse order; returns the root to name."""
        for name in reversed(self.names):
            self.build(folder / self.root, name, self.ids, predicted)
        return folder


def _list(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    others = path.read_text().splitlines() if path.is_file() else []
    path.write_text("\n".join(sorted({name, *others})) + "\n")


def voc(root: Path, name: str, ids: Ids, predicted: Ids) -> None:
    save_image(root / f"JPEGImages/{name}.jpg", predicted)
    save_ids(root / f"SegmentationClass/{name}.png", ids, palette=True)
    save_image(root / "JPEGImages/2007_999999.jpg", predicted)  # not in the list
    _list(root / "ImageSets/Segmentation/val.txt", name)


def context_png(root: Path, name: str, ids: Ids, predicted: Ids) -> None:
    save_image(root / f"JPEGImages/{name}.jpg", predicted)
    save_ids(root / f"SegmentationClassContext/{name}.png", ids)
    _list(root / "ImageSets/SegmentationContext/val.txt", name)


def context_mat(root: Path, name: str, ids: Ids, predicted: Ids) -> None:
    save_image(root / f"JPEGImages/{name}.jpg", predicted)
    (root / "trainval").mkdir(exist_ok=True)
    savemat(root / f"trainval/{name}.mat", {"LabelMap": enlarge(ids, np.uint16)})
    _list(root / "ImageSets/Main/val.txt", name)


def coco(suffix: str) -> Callable[[Path, str, Ids, Ids], None]:
    def build(root: Path, name: str, ids: Ids, predicted: Ids) -> None:
        save_image(root / f"images/val2017/{name}.jpg", predicted)
        save_ids(root / f"annotations/val2017/{name}{suffix}.png", ids)

    return build


def ade(root: Path, name: str, ids: Ids, predicted: Ids) -> None:
    save_image(root / f"images/validation/{name}.jpg", predicted)
    save_ids(root / f"annotations/validation/{name}.png", ids)


def cityscapes(kind: str) -> Callable[[Path, str, Ids, Ids], None]:
    def build(root: Path, name: str, ids: Ids, predicted: Ids) -> None:
        save_image(root / f"leftImg8bit/val/{name}_leftImg8bit.png", predicted)
        save_ids(root / f"gtFine/val/{name}_gtFine_{kind}.png", ids)
        # A file of the original archive that has no semantic labels.
        save_ids(root / f"gtFine/val/{name}_gtFine_instanceIds.png", ids)

    return build


_VOC = ("2007_000033", "2007_000042")
_COCO = ("000000000139", "000000000285")
_ADE = ("ADE_val_00000001", "ADE_val_00000002")
_CITY = ("frankfurt/frankfurt_000000_000294", "munster/munster_000000_000019")

# Two rows of three squares each: ids in the file, and the class indices they mean.
CASES: dict[str, Case] = {
    "voc20": Case(
        "voc20", voc, [[0, 1, 20], [255, 15, 15]], [[-1, 0, 19], [-1, 14, 14]], _VOC,
        "SegmentationClass/*.png", "VOCdevkit/VOC2012",
    ),
    "voc21": Case(
        "voc21", voc, [[0, 1, 20], [255, 15, 15]], [[0, 1, 20], [-1, 15, 15]], _VOC,
        "SegmentationClass/*.png",
    ),
    "context59": Case(
        "context59", context_png, [[0, 1, 59], [37, 37, 255]], [[-1, 0, 58], [36, 36, -1]], _VOC,
        "SegmentationClassContext/*.png", "VOCdevkit/VOC2010",
    ),
    "context60": Case(
        "context60", context_png, [[0, 1, 59], [37, 37, 255]], [[0, 1, 59], [37, 37, -1]], _VOC,
        "SegmentationClassContext/*.png", "VOC2010",
    ),
    # Of the 459: 2 aeroplane, 258 motorbike, 284 person, 458 wood; 1 accordion, 459 wool.
    "context59-mat": Case(
        "context59", context_mat, [[2, 258, 284], [458, 1, 459]], [[0, 33, 36], [58, -1, -1]], _VOC,
        "trainval/*.mat",
    ),
    "context60-mat": Case(
        "context60", context_mat, [[2, 258, 284], [458, 1, 0]], [[1, 34, 37], [59, 0, 0]], _VOC,
        "trainval/*.mat",
    ),
    "coco-stuff": Case(
        "coco-stuff", coco("_labelTrainIds"), [[0, 79, 80], [170, 255, 255]],
        [[0, 79, 80], [170, -1, -1]], _COCO, "annotations/val2017/*_labelTrainIds.png",
        "coco_stuff164k",
    ),
    # From 0: 12 stop sign, 89 toothbrush, 91 banner, 181 wood.
    "coco-stuff-stored": Case(
        "coco-stuff", coco(""), [[0, 12, 89], [91, 181, 255]], [[0, 11, 79], [80, 170, -1]], _COCO,
        "annotations/val2017/*.png",
    ),
    "coco-object": Case(
        "coco-object", coco("_instanceTrainIds"), [[0, 1, 80], [12, 12, 255]],
        [[0, 1, 80], [12, 12, -1]], _COCO, "annotations/val2017/*_instanceTrainIds.png",
    ),
    "coco-object-train-ids": Case(
        "coco-object", coco("_labelTrainIds"), [[0, 79, 80], [170, 255, 11]],
        [[1, 80, 0], [0, 0, 12]], _COCO, "annotations/val2017/*_labelTrainIds.png",
    ),
    "coco-object-stored": Case(
        "coco-object", coco(""), [[0, 12, 89], [91, 181, 255]], [[1, 12, 80], [0, 0, 0]], _COCO,
        "annotations/val2017/*.png",
    ),
    "ade20k": Case(
        "ade20k", ade, [[0, 1, 150], [13, 13, 13]], [[-1, 0, 149], [12, 12, 12]], _ADE,
        "annotations/validation/*.png", "ADEChallengeData2016",
    ),
    "cityscapes": Case(
        "cityscapes", cityscapes("labelTrainIds"), [[0, 18, 255], [11, 11, 13]],
        [[0, 18, -1], [11, 11, 13]], _CITY, "gtFine/val/*_gtFine_labelTrainIds.png",
    ),
    # 7 road, 33 bicycle, 4 static, 24 person, 26 car, 29 caravan.
    "cityscapes-stored": Case(
        "cityscapes", cityscapes("labelIds"), [[7, 33, 4], [24, 26, 29]],
        [[0, 18, -1], [11, 13, -1]], _CITY, "gtFine/val/*_gtFine_labelIds.png",
    ),
}  # fmt: skip
