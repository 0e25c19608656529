"""Mean intersection over union from one confusion matrix, and what else it tells.

A confusion matrix is (C, C+1) int64: row = true class, column = predicted class; the last column
counts pixels that were left without a class. It is a sum over pixels, so that neither the order
nor the grouping of images matters, and shards add exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gclip_core.errors import EvaluationError

IGNORE = -1
"""Label of a pixel that is not counted, in the truth; and of "no class", in a prediction."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """What one confusion matrix says; fractions in [0, 1], nan where there is nothing to say.

    ``iou`` (C,) is nan for a class that neither truth nor prediction holds; ``miou`` is the mean
    over the others.
    """

    miou: float
    pixel_accuracy: float
    iou: NDArray[np.float64]


def confusion(truth: NDArray, predicted: NDArray, n_classes: int) -> Counts:
    """Count pixels by true and predicted class: (H, W) and (H, W) to (C, C+1) int64.

    Pixels with ``truth == IGNORE`` are left out; ``predicted == IGNORE`` is the last column.

    Raises:
        EvaluationError: the two differ in shape.
    """
    if truth.shape != predicted.shape:
        raise EvaluationError(
            f"A prediction of the truth's size {truth.shape} was expected, but "
            f"{predicted.shape} came (height, width)."
        )
    kept = truth != IGNORE
    rows = truth[kept].astype(np.int64)
    columns = predicted[kept].astype(np.int64)
    assert rows.size == 0 or (rows.min() >= 0 and rows.max() < n_classes)
    assert columns.size == 0 or (columns.min() >= IGNORE and columns.max() < n_classes)
    columns[columns == IGNORE] = n_classes
    cells = np.bincount(rows * (n_classes + 1) + columns, minlength=n_classes * (n_classes + 1))
    return cells.reshape(n_classes, n_classes + 1)


def scores(counts: Counts) -> Scores:
    """IoU per class, their mean, and pixel accuracy of a (C, C+1) confusion matrix."""
    n_classes = len(counts)
    hits = np.diagonal(counts).astype(np.float64)
    union = counts.sum(1) + counts[:, :n_classes].sum(0) - hits
    iou = np.full(n_classes, np.nan)
    np.divide(hits, union, out=iou, where=union > 0)
    present = iou[union > 0]
    pixels = counts.sum()
    return Scores(
        miou=float(present.mean()) if present.size else float("nan"),
        pixel_accuracy=float(hits.sum() / pixels) if pixels else float("nan"),
        iou=iou,
    )
