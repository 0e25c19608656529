"""Mean intersection over union from one confusion matrix, and what else it tells.

A confusion matrix is (C, C+1) int64: row = true class, column = predicted class; the last column
counts pixels that were left without a class. Where classes are words that a person typed, a last
row, (C+1, C+1), counts pixels of known truth that none of them names. It is a sum over pixels, so
that neither the order nor the grouping of images matters, and shards add exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from gclip_core.types import ROWS, Vocabulary

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


@dataclass(frozen=True)
class WordScores:
    """How well typed words cover a picture of known truth, fractions in [0, 1].

    ``iou`` is per class that the truth holds, by its index; ``miou`` its mean, None where there is
    no such class. ``absent`` are the classes that the truth does not hold: they count by what they
    take from others.
    """

    iou: dict[int, float]
    miou: float | None
    absent: tuple[int, ...]


def confusion(
    truth: NDArray, predicted: NDArray, n_classes: int, n_true: int | None = None
) -> Counts:
    """Count pixels by true and predicted class: (H, W) and (H, W) to (C, C+1) int64.

    Pixels with ``truth == IGNORE`` are left out; ``predicted == IGNORE`` is the last column. With
    ``n_true`` there are so many rows: more of them than classes that can be predicted.
    """
    if truth.shape != predicted.shape:
        raise EvaluationError(
            f"A prediction of the truth's size {truth.shape} was expected, but "
            f"{predicted.shape} came (height, width)."
        )
    n_true, width = n_classes if n_true is None else n_true, n_classes + 1
    cells = np.zeros(n_true * width, np.int64)
    for top in range(0, len(truth), ROWS):
        kept = truth[top : top + ROWS] != IGNORE
        rows = truth[top : top + ROWS][kept].astype(np.int64)
        columns = predicted[top : top + ROWS][kept].astype(np.int64)
        assert rows.size == 0 or (rows.min() >= 0 and rows.max() < n_true)
        assert columns.size == 0 or (columns.min() >= IGNORE and columns.max() < n_classes)
        columns[columns == IGNORE] = n_classes
        cells += np.bincount(rows * width + columns, minlength=len(cells))
    return cells.reshape(n_true, width)


def scores(counts: Counts) -> Scores:
    """IoU per class, their mean, and pixel accuracy of a confusion matrix, (C, C+1) or one more.

    A pixel of the row for what was not typed is right without a class.
    """
    n_classes = counts.shape[1] - 1
    right = np.diagonal(counts).astype(np.float64)
    hits = right[:n_classes]
    union = counts[:n_classes].sum(1) + counts[:, :n_classes].sum(0) - hits
    iou = np.full(n_classes, np.nan)
    np.divide(hits, union, out=iou, where=union > 0)
    present = iou[union > 0]
    pixels = counts.sum()
    return Scores(
        miou=float(present.mean()) if present.size else float("nan"),
        pixel_accuracy=float(right.sum() / pixels) if pixels else float("nan"),
        iou=iou,
    )


def against_truth(
    truth: NDArray, names: Sequence[Sequence[str]], labels: NDArray, vocabulary: Vocabulary
) -> WordScores:
    """IoU of typed words over all pixels of known truth [ours].

    ``truth`` (H, W) are indices into ``names``, each a class's name and synonyms, and IGNORE where
    not counted; ``labels`` (H, W) indices into the vocabulary's classes. Where the true word was
    not typed, whatever covers a pixel is wrong there, and IGNORE right.
    """
    n = len(vocabulary)
    counts = confusion(typed_truth(truth, names, vocabulary), labels, n, n + 1)
    iou, there = scores(counts).iou, counts[:n].sum(1) > 0
    found = {c: float(iou[c]) for c in range(n) if there[c]}
    miou = float(np.mean(list(found.values()))) if found else None
    return WordScores(found, miou, tuple(c for c in range(n) if not there[c]))


def typed_truth(
    truth: NDArray, names: Sequence[Sequence[str]], vocabulary: Vocabulary
) -> NDArray[np.int64]:
    """The truth in typed classes: (H, W), ``len(vocabulary)`` where none names it, else IGNORE."""
    n, typed = len(vocabulary), {}
    for index, synonyms in enumerate(vocabulary.classes):
        for phrase in synonyms:
            typed.setdefault(phrase.casefold(), index)
    meant = [next((typed[w.casefold()] for w in own if w.casefold() in typed), n) for own in names]
    return np.array([*meant, IGNORE])[truth]
