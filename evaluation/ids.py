"""The meaning of the ids in a data set's label files: from id to class index."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.errors import EvaluationError
from evaluation.metric import IGNORE


@dataclass(frozen=True)
class Ids:
    """A map from the ids in a file to class indices.

    ``classes`` maps ids; ids in ``ignored`` are not counted. All other ids become ``others``; if
    that is None they raise an EvaluationError, since they show that the files are of another set.
    """

    classes: Mapping[int, int]
    ignored: frozenset[int] = frozenset({255})
    others: int | None = None

    def labels(self, ids: NDArray, where: str) -> NDArray[np.int16]:
        """Class indices of (H, W) ids; :data:`~evaluation.metric.IGNORE` where ignored."""
        if ids.ndim != 2 or ids.dtype.kind not in "iu" or ids.min(initial=0) < 0:
            raise EvaluationError(
                f"Whole ids from 0 of shape (height, width) were expected in {where}, but "
                f"{ids.dtype} of shape {ids.shape} from {ids.min(initial=0)} came."
            )
        top = max(int(ids.max(initial=0)), *self.classes, *self.ignored, 0)
        refused = np.int16(-2)
        table = np.full(top + 1, refused if self.others is None else self.others, np.int16)
        table[list(self.classes)] = list(self.classes.values())
        table[list(self.ignored)] = IGNORE
        labels = table[ids]
        if (labels == refused).any():
            unknown = sorted({int(i) for i in np.unique(ids[labels == refused])})
            raise EvaluationError(
                f"Ids of this data set were expected in {where}, but {unknown[:8]} came; check "
                "that the files are of this data set and were not converted for another one."
            )
        return labels


def _consecutive(first: int, n: int, to: int = 0) -> dict[int, int]:
    """Ids ``first, first+1, …`` of ``n`` classes that start at index ``to``."""
    return {first + i: to + i for i in range(n)}


# COCO's ids from 0, as in COCO-Stuff's PNGs; eleven categories were never annotated.
_COCO_UNUSED = frozenset({11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90})
_COCO_ORIGINAL = tuple(i for i in range(182) if i not in _COCO_UNUSED)
_COCO_THINGS = 80

# The 59 most frequent of PASCAL Context's 459 labels, which are numbered alphabetically.
_CONTEXT_ORIGINAL = (
    2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113,
    115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326,
    347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip

_CITYSCAPES_ORIGINAL = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

VOC20 = Ids(_consecutive(1, 20), frozenset({0, 255}))
VOC21 = Ids(_consecutive(0, 21))
CONTEXT59 = Ids(_consecutive(1, 59), frozenset({0, 255}))
CONTEXT60 = Ids(_consecutive(0, 60))
CONTEXT59_ORIGINAL = Ids({i: c for c, i in enumerate(_CONTEXT_ORIGINAL)}, frozenset(), IGNORE)
CONTEXT60_ORIGINAL = Ids({i: c + 1 for c, i in enumerate(_CONTEXT_ORIGINAL)}, frozenset(), 0)
COCO_STUFF = Ids(_consecutive(0, 171))
COCO_STUFF_ORIGINAL = Ids({i: c for c, i in enumerate(_COCO_ORIGINAL)})
COCO_OBJECT = Ids(_consecutive(0, 81))
# Stuff and unlabelled pixels are background, as in the usual conversion of the set.
COCO_OBJECT_ORIGINAL = Ids(
    {i: c + 1 for c, i in enumerate(_COCO_ORIGINAL[:_COCO_THINGS])}, frozenset(), 0
)
COCO_OBJECT_STUFF = Ids(_consecutive(0, _COCO_THINGS, to=1), frozenset(), 0)
ADE20K = Ids(_consecutive(1, 150), frozenset({0}))
CITYSCAPES = Ids(_consecutive(0, 19))
CITYSCAPES_ORIGINAL = Ids(
    {i: c for c, i in enumerate(_CITYSCAPES_ORIGINAL)},
    frozenset({255}) | (frozenset(range(34)) - set(_CITYSCAPES_ORIGINAL)),
)


def read(path: Path) -> NDArray:
    """The ids in a label file, (H, W): a palette, grey or 16-bit PNG, or a ``.mat``."""
    try:
        return _read_mat(path) if path.suffix == ".mat" else _read_png(path)
    except EvaluationError:
        raise
    # Pillow and scipy raise many kinds of exceptions for a damaged file.
    except Exception as error:
        raise EvaluationError(
            f"The label file {path} could not be read: {type(error).__name__}: {error}"
        ) from error


def _read_png(path: Path) -> NDArray:
    with Image.open(path) as image:
        if image.mode not in ("P", "L", "I", "I;16"):
            raise EvaluationError(
                f"Class ids (a palette or grey PNG) were expected in {path}, but a picture in "
                f"{image.mode} came; use the set's original label files, not a coloured copy."
            )
        return np.asarray(image)


def _read_mat(path: Path) -> NDArray:
    try:
        from scipy.io import loadmat  # noqa: PLC0415 - optional
    except ImportError as error:
        raise EvaluationError(
            f"{path.name} is a MATLAB file: install scipy to read it, or convert the set to PNG."
        ) from error
    contents = loadmat(path)
    if "LabelMap" not in contents:
        raise EvaluationError(
            f"A 'LabelMap', as PASCAL Context has, was expected in {path}, but there is none."
        )
    return np.asarray(contents["LabelMap"])
