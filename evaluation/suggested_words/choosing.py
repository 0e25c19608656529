"""Chooses the thresholds of suggested words by their figures."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from evaluation.suggested_words.judging import Suggested, figures
from gclip_core.suggestions import Thresholds

TRIED = {
    "gain": (0.8, 1.0, 1.2, 1.5),
    "certainty": (0.15, 0.2, 0.25, 0.3),
    "stuff": (0.3, 0.35, 0.4, 0.45, 0.5),
    "thing": (0.03, 0.04, 0.05, 0.06),
}
"""The values of thresholds that ``--choose`` tries, all combinations."""
AIMS = (0.80, 0.50, 0.78)
"""Shares of words, area and main things that ``--choose`` aims at."""


def best_thresholds(
    judged: Callable[[Thresholds], Sequence[Suggested]], start: Thresholds
) -> Thresholds:
    """The thresholds of :data:`TRIED` that bring the figures nearest to :data:`AIMS`.

    What is above an aim counts a quarter, and stuff alone is taken off. Of each combination the
    mean counts over it and its neighbours, which differ by one step of each threshold at most: few
    photos favour some combination by chance, but seldom all around it. The first and last values
    are neighbours only.
    """

    def score(index: tuple[int, ...]) -> float:
        shares = figures(judged(thresholds(index)))
        values = zip(np.nan_to_num([shares.right, shares.area, shares.main]), AIMS, strict=True)
        reached = sum(min(value, aim) + max(value - aim, 0) / 4 for value, aim in values)
        return reached - float(np.nan_to_num(shares.alone))

    def thresholds(index: tuple[int, ...]) -> Thresholds:
        values = zip(TRIED.items(), index, strict=True)
        return replace(start, **{name: tried[i] for (name, tried), i in values})

    def smoothed(index: tuple[int, ...]) -> float:
        around = product(*((i - 1, i, i + 1) for i in index))
        return float(np.mean([scores[near] for near in around]))

    lengths = [len(values) for values in TRIED.values()]
    scores = {index: score(index) for index in product(*map(range, lengths))}
    inner = product(*(range(1, length - 1) for length in lengths))
    return thresholds(max(inner, key=smoothed))
