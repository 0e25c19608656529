"""Scores on the photos that ship."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from evaluation import photo_scores
from evaluation.photo_scores import PhotoScore
from evaluation.photos import star_photos
from gclip_core.methods import METHODS
from gclip_core.types import Vocabulary

PHOTO = star_photos()["coffee"]


def found(labels: np.ndarray) -> PhotoScore:
    """Scores of a segmenter that answers with these labels, and of one word with its first."""

    def segment(encoded: Any, words: Vocabulary, method: Any, rest: str) -> SimpleNamespace:
        alone = np.where(labels == 0, 0, -1) if len(words) == 1 else labels
        return SimpleNamespace(labels=torch.from_numpy(alone))

    segmenter = SimpleNamespace(encode=lambda image: image, segment=segment)
    return photo_scores.score(segmenter, METHODS["clearclip"], PHOTO, ["boat"])


def test_the_true_mask_scores_one_and_void_is_not_counted() -> None:
    truth = PHOTO.labels()
    assert found(truth).together == (1, 1, 1, 1, 1)
    assert found(np.where(truth < 0, 0, truth)).together == (1, 1, 1, 1, 1)
    assert (found(truth).alone, found(truth).wrong) == (1, 0)


def test_a_word_on_everything_is_wrong_on_all_that_it_does_not_name() -> None:
    truth = PHOTO.labels()
    one = found(np.zeros_like(truth))
    share = (truth == 0).sum() / (truth >= 0).sum()
    assert one.alone == one.together[0] == pytest.approx(share)
    assert one.wrong == pytest.approx((truth > 0).mean())
    assert one.absent == (1,)


def test_words_asked_for_in_vain_are_those_of_other_photos() -> None:
    words = photo_scores.words_elsewhere(PHOTO, star_photos())
    assert len(words) == photo_scores.ABSENT_WORDS
    assert not set(words) & {one for word in PHOTO.words for one in word}


def test_the_report_counts_the_main_words_found() -> None:
    scores = {
        "coffee": PhotoScore((0.6, 0.5, 0, 0, 1), 0.5, 0.1, (0.0, 0.2)),
        "flower": PhotoScore((0.59, 1), 0.25, 0.3, (0.01, 0.03)),
    }
    text = photo_scores.report(scores)
    row = "| coffee | 42.0 | cup 60.0, coffee 50.0, saucer 0.0, spoon 0.0, table 100.0 | 50.0 |"
    assert row in text
    assert "Main word at 60 % IoU or more: 1 of 2 photos." in text
    assert "an absent word covers, median: 2.0 %" in text


def test_the_command_prints_a_row_for_each_photo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {name: star_photos()[name] for name in ("coffee", "dog")}
    monkeypatch.setattr(photo_scores, "star_photos", lambda: some)
    assert photo_scores.main(["--short-side", "64"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]] == list(some)
