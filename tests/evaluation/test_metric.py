"""Mean IoU: cases worked out by hand, and torchmetrics as reference."""

import math

import numpy as np
import pytest
import torch

from evaluation import EvaluationError
from evaluation.metric import IGNORE, against_truth, confusion, scores
from gclip_core.vocabulary import parse


def test_hand_worked_case() -> None:
    truth = np.array([[0, 0, 1], [1, 1, IGNORE]], np.int16)
    predicted = np.array([[0, 1, 1], [1, 0, 0]], np.int16)

    counts = confusion(truth, predicted, 3)

    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0]]
    scored = scores(counts)
    assert scored.iou[0] == 1 / 3
    assert scored.iou[1] == 2 / 4
    assert math.isnan(scored.iou[2])  # neither in the truth nor predicted
    assert scored.miou == pytest.approx((1 / 3 + 1 / 2) / 2, abs=0)
    assert scored.pixel_accuracy == 3 / 5


def test_a_pixel_without_a_class_lowers_only_the_true_class() -> None:
    counts = confusion(np.array([[0, 0, 1, 1]]), np.array([[0, IGNORE, 1, 1]]), 2)
    assert counts.tolist() == [[1, 0, 1], [0, 2, 0]]
    assert scores(counts).iou.tolist() == [1 / 2, 1.0]
    assert scores(counts).pixel_accuracy == 3 / 4


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_torchmetrics(seed: int) -> None:
    # Imported here, as it takes seconds in every worker.
    from torchmetrics.classification import MulticlassJaccardIndex

    n, rng = 7, np.random.default_rng(seed)
    # The last class is never there: torchmetrics leaves it out of the mean as well.
    truth = rng.integers(0, n - 1, (5, 30, 40))
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, n - 1, truth.shape))
    truth[rng.random(truth.shape) < 0.1] = 255
    ours = sum(
        confusion(np.where(t == 255, IGNORE, t), p, n)
        for t, p in zip(truth, predicted, strict=True)
    )

    for average, value in (("macro", scores(ours).miou), ("none", np.nan_to_num(scores(ours).iou))):
        judge = MulticlassJaccardIndex(n, average=average, ignore_index=255)
        theirs = judge(torch.from_numpy(predicted), torch.from_numpy(truth))
        np.testing.assert_allclose(value, theirs.numpy(), atol=1e-6)


def test_another_size_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"\(2, 3\).*\(3, 2\)"):
        confusion(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)


class TestAgainstTruth:
    """Every pixel with a truth counts, whichever words were typed."""

    NAMES = (("monkey", "ape"), ("tree",), ("sky",))
    TRUTH = np.array([[0, 0, 1, 1, 2, 2, 2, 2, IGNORE, IGNORE]])

    @pytest.mark.parametrize(
        ("words", "labels", "iou", "absent"),
        [
            ("monkey", [0] * 10, {0: 2 / 8}, ()),  # one word on everything scores its share
            ("monkey", [0, 0, *[-1] * 8], {0: 1}, ()),  # the rest is correct without a label
            ("monkey, sky", [0, 0, 1, 0, 1, 1, 1, 1, 0, 1], {0: 2 / 3, 1: 4 / 5}, ()),
            ("ape, sky", [0, 0, -1, -1, 1, 1, 1, 1, 0, 1], {0: 1, 1: 1}, ()),  # void is ignored
            ("sky, car", [-1, -1, -1, -1, 0, 0, 1, 1, 1, 1], {0: 2 / 4}, (1,)),
            ("car, dog", [0, 1] * 5, {}, (0, 1)),  # absent words alone have no score
        ],
    )
    def test_worked_by_hand(
        self, words: str, labels: list[int], iou: dict[int, float], absent: tuple[int, ...]
    ) -> None:
        scored = against_truth(self.TRUTH, self.NAMES, np.array([labels]), parse(words))
        assert (scored.iou, scored.absent) == (iou, absent)
        assert scored.miou == (pytest.approx(sum(iou.values()) / len(iou)) if iou else None)

    def test_with_all_words_it_is_the_benchmarks_score(self) -> None:
        rng = np.random.default_rng(0)
        truth, labels = rng.integers(-1, 3, (20, 30)), rng.integers(-1, 3, (20, 30))
        scored = against_truth(truth, self.NAMES, labels, parse("monkey, tree, sky"))
        assert scored.miou == pytest.approx(scores(confusion(truth, labels, 3)).miou)
