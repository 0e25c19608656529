"""Thresholds of suggested words, chosen by what becomes of photos."""

from dataclasses import replace

import pytest

from evaluation.suggested_words import Judged
from gclip_core.suggest import DEFAULT, Thresholds
from training.choose import best_thresholds


def test_best_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds are those whose figures, with their neighbours', come nearest to the aims."""
    values = {"gain": (0.6, 0.8, 1.0, 1.2, 1.5), "certainty": (0.15, 0.2, 0.25, 0.3, 0.35)}
    monkeypatch.setattr("training.choose.TRIED", values)

    def judged(thresholds: Thresholds) -> list[Judged]:
        if (thresholds.gain, thresholds.certainty) == (0.8, 0.25):
            return [Judged(words=2, right=2, area=0.6)]  # the best, by chance
        right = 2 if thresholds.gain >= 1.0 else 1
        alone = thresholds.certainty < 0.25  # stuff alone is taken off
        return [Judged(words=2, right=right, area=0.5, main=True, first=True, alone=alone)]

    best = best_thresholds(judged)
    assert best == replace(DEFAULT, gain=1.2, certainty=0.3), "all around it is good"
