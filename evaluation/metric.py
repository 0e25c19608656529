"""Mean intersection over union (IoU) from a confusion matrix.

A confusion matrix is (C, C+1) int64: row = true class, column = predicted class; the last column
counts pixels predicted as no class. For typed words, it is (C+1, C+1): the last row counts pixels
whose true class was not typed. Matrices are sums over pixels, so those of single images add up
exactly to the matrix of the whole set, in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gclip_core.words.vocabulary import Vocabulary

IGNORE = -1
"""Label of ignored pixels in the truth, and of pixels without a class in a prediction."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class IouScores:
    """Scores of one confusion matrix: fractions in [0, 1], nan if no pixel counts.

    ``iou`` (C,) is nan for a class that is neither in the truth nor predicted; ``miou`` is the mean
    over the other classes. ``mean_accuracy`` is the share of a class's pixels that are right, the
    mean over the classes in the truth (mmseg's mAcc).
    """

    miou: float
    mean_accuracy: float
    pixel_accuracy: float
    iou: NDArray[np.float64]


@dataclass(frozen=True)
class WordScores:
    """Scores of typed words on one image with a truth: fractions in [0, 1].

    ``iou`` maps the index of each typed class in the truth to its IoU; ``miou`` is their mean, None
    if there are none. Other typed classes have no IoU, but their pixels lower the IoU of these.
    """

    iou: dict[int, float]
    miou: float | None


def confusion(
    truth: NDArray, predicted: NDArray, n_classes: int, n_true: int | None = None
) -> Counts:
    """Counts pixels by true and predicted class: (H, W) and (H, W) to (C, C+1) int64.

    Pixels with ``truth == IGNORE`` are left out; ``predicted == IGNORE`` is the last column.
    ``n_true`` is the number of rows, if it differs from the number of classes.
    """
    n_true, width = n_classes if n_true is None else n_true, n_classes + 1
    counted = truth != IGNORE
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    columns[columns == IGNORE] = n_classes
    assert ((rows >= 0) & (rows < n_true) & (columns >= 0) & (columns < width)).all()
    return np.bincount(rows * width + columns, minlength=n_true * width).reshape(n_true, width)


def iou_scores(counts: Counts) -> IouScores:
    """IoU per class, mean IoU and pixel accuracy of a matrix (C, C+1) or (C+1, C+1).

    A pixel whose true class was not typed is correct if it has no class.
    """
    n_classes = counts.shape[1] - 1
    right = np.diagonal(counts).astype(np.float64)
    hits = right[:n_classes]
    true = counts[:n_classes].sum(1)
    union = true + counts[:, :n_classes].sum(0) - hits
    iou = np.full(n_classes, np.nan)
    np.divide(hits, union, out=iou, where=union > 0)
    present = iou[union > 0]
    pixels = counts.sum()
    return IouScores(
        miou=float(present.mean()) if present.size else float("nan"),
        mean_accuracy=float((hits[true > 0] / true[true > 0]).mean()) if true.any() else np.nan,
        pixel_accuracy=float(right.sum() / pixels) if pixels else float("nan"),
        iou=iou,
    )


def against_truth(
    truth: NDArray, names: Sequence[Sequence[str]], labels: NDArray, vocabulary: Vocabulary
) -> WordScores:
    """IoU of typed words over all pixels with a truth, a measure of our own.

    ``truth`` (H, W) are indices into ``names``, each a class's name and synonyms, or IGNORE;
    ``labels`` (H, W) are indices into the vocabulary's classes. At a pixel whose true class was not
    typed, every label but IGNORE is wrong.
    """
    n = len(vocabulary)
    phrases = zip(vocabulary.phrases, vocabulary.prompt_classes, strict=True)
    index_of = {phrase.casefold(): index for phrase, index in [*phrases][::-1]}  # the first counts
    of_words = ([index_of.get(word.casefold(), n) for word in synonyms] for synonyms in names)
    typed = [next((index for index in indices if index < n), n) for indices in of_words]
    counts = confusion(np.array([*typed, IGNORE], np.int16)[truth], labels, n, n + 1)
    iou, is_present = iou_scores(counts).iou, counts[:n].sum(1) > 0
    present = {c: float(iou[c]) for c in range(n) if is_present[c]}
    miou = float(np.mean(list(present.values()))) if present else None
    return WordScores(present, miou)
