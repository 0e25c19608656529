"""The probe of features, on made-up features."""

from pathlib import Path

import numpy as np
import torch

from training.cases import Case
from training.probe import Photo, known, probe

WORDS = ("cat", "sofa", "wall")


def _case(words: tuple[str, ...], truth: np.ndarray) -> Case:
    return Case(Path("x.jpg"), "choose", words, ("dog", "wall"), truth)


def _photo(informative: bool) -> Photo:
    """A cat beside a sofa, 4 × 4 patches of 16 pixels; one feature tells them apart, or none."""
    truth = np.zeros((64, 64), np.int64)
    truth[:, 32:] = 1
    features = torch.zeros(16, 2)
    features[:, 0] = torch.tensor([1.0, 1.0, -1.0, -1.0] * 4) if informative else 1
    return Photo(_case(("cat", "sofa"), truth), (4, 4), {"features": features})


def test_words_are_told_apart_by_features_that_differ_and_by_no_others() -> None:
    right, _ = probe([_photo(True)], [_photo(True)], ["features"], deep=False)
    blind, _ = probe([_photo(False)], [_photo(False)], ["features"], deep=False)
    assert right > 90 > 50 > blind


def test_words_that_no_taught_photo_has_are_void() -> None:
    truth = np.array([[0, 1, 2]])
    case = known(_case(WORDS, truth), ["cat", "wall"])
    assert case.words == ("cat", "wall")
    assert case.distractors == ("wall",)
    assert case.truth.tolist() == [[0, -1, 1]]
