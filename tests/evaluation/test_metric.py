"""Mean IoU: against torchmetrics, hand-computed cases, and words against a photo's truth."""

import math

import numpy as np
import pytest
import torch

from evaluation.metric import IGNORE, against_truth, confusion, iou_scores
from gclip_core.words.vocabulary import parse


@pytest.mark.long
def test_torchmetrics() -> None:
    # Imported here, because it takes seconds.
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    n, rng = 7, np.random.default_rng(0)
    # The last class is always absent: torchmetrics leaves it out of the mean as well.
    truth = rng.integers(0, n - 1, (5, 30, 40))
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, n - 1, truth.shape))
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    ours = iou_scores(sum(confusion(t, p, n) for t, p in zip(truth, predicted, strict=True)))
    for average, value in (("macro", ours.miou), ("none", np.nan_to_num(ours.iou))):
        judge = MulticlassJaccardIndex(n, average=average, ignore_index=IGNORE)
        theirs = judge(torch.from_numpy(predicted), torch.from_numpy(truth))
        np.testing.assert_allclose(value, theirs.numpy(), atol=1e-6)
    judge = MulticlassAccuracy(n, average="macro", ignore_index=IGNORE)
    theirs = judge(torch.from_numpy(predicted), torch.from_numpy(truth))
    assert ours.mean_accuracy == pytest.approx(theirs.item(), abs=1e-6)


def test_by_hand() -> None:
    """A pixel without a class lowers only its true class; an absent class has no IoU."""
    truth = np.array([[0, 0, 0, 1], [1, 1, IGNORE, IGNORE]], np.int16)
    predicted = np.array([[0, 1, IGNORE, 1], [1, 0, 0, IGNORE]], np.int16)
    counts = confusion(truth, predicted, 3)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0, 1], [1, 2, 0, 0], [0, 0, 0, 0]]
    scored = iou_scores(counts)
    assert scored.iou[:2].tolist() == [1 / 4, 2 / 4]
    assert math.isnan(scored.iou[2])
    assert (scored.miou, scored.pixel_accuracy) == (3 / 8, 3 / 6)
    assert scored.mean_accuracy == pytest.approx((1 / 3 + 2 / 3) / 2)
    empty = iou_scores(np.zeros((3, 4), np.int64))
    assert math.isnan(empty.miou) and math.isnan(empty.pixel_accuracy)


NAMES = (("monkey", "ape"), ("tree",), ("sky",))
TRUTH = np.array([[0, 0, 1, 1, 2, 2, 2, 2, IGNORE, IGNORE]])


@pytest.mark.parametrize(
    ("words", "labels", "iou"),
    [
        ("monkey", [0] * 10, {0: 2 / 8}),  # one word on everything scores its share
        ("monkey", [0, 0, *[-1] * 8], {0: 1}),  # everything else is right without a label
        ("monkey, sky", [0, 0, 1, 0, 1, 1, 1, 1, 0, 1], {0: 2 / 3, 1: 4 / 5}),
        ("Ape, sky", [0, 0, -1, -1, 1, 1, 1, 1, 0, 1], {0: 1, 1: 1}),  # void is ignored
        ("sky, car", [-1, -1, -1, -1, 0, 0, 1, 1, 1, 1], {0: 2 / 4}),
        ("car, dog", [0, 1] * 5, {}),  # absent words alone have no score
    ],
)
def test_typed_words(words: str, labels: list[int], iou: dict[int, float]) -> None:
    """Every pixel with a truth counts, whichever words were typed."""
    scored = against_truth(TRUTH, NAMES, np.array([labels]), parse(words))
    assert scored.iou == iou
    assert scored.miou == (pytest.approx(sum(iou.values()) / len(iou)) if iou else None)
