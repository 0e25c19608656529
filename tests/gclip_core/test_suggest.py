"""Suggested words fit a picture's patches best, and each adds something."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from gclip_core import Segmenter, assets, lists
from gclip_core.words import suggest
from gclip_core.words.suggest import Candidates, Matches, Thresholds
from tests.models import loaded, small

THRESHOLDS = Thresholds(thing=0.05, stuff=0.05, peak=1)


def cosines(*shares: float) -> Tensor:
    """Cosines of five words on a grid of 6 x 6; word i is best on the i-th share of the rows."""
    cosines = torch.zeros(5, 36)
    start = 0
    for word, share in enumerate(shares):
        stop = start + round(36 * share)
        cosines[word, start:stop] = 1.0
        start = stop
    return cosines.view(5, 6, 6)


def choose(
    cosines: Tensor,
    everyday: str = "",
    classes: Sequence[int] = (0, 1, 2, 3, 4),
    most: int = 5,
    probability: Sequence[float] = (0, 0, 0, 0, 0),
    stuff: str = "",
    thresholds: Thresholds = THRESHOLDS,
) -> str:
    """The chosen words among a, b, …"""
    words = "abcdefghijkl"[: len(cosines)]
    candidates = Candidates(
        words,
        classes,
        torch.tensor([word in everyday for word in words]),
        torch.tensor([word in stuff for word in words[: max(classes) + 1]]),
    )
    matches = Matches(cosines, torch.tensor(probability).float())
    return "".join(suggest.choose(candidates, matches, most, thresholds))


SMALL, TWICE = cosines(32 / 36, 4 / 36), cosines(0.45, 0.55)
SMALL[1] *= 3  # b fits a few patches very well
TWICE[4] = TWICE[1] * 0.7  # e fits those of b slightly worse


@pytest.mark.parametrize(
    ("given", "settings", "chosen"),
    [
        # Things come before stuff, each ordered by its share of the image.
        (cosines(1 / 3, 2 / 3), {}, "ba"),
        (cosines(2 / 3, 1 / 3), {}, "ab"),
        (cosines(2 / 3, 1 / 3), {"stuff": "a"}, "ba"),
        (cosines(2 / 3, 1 / 3), {"stuff": "a", "most": 1}, "b"),
        # Words below their threshold are left out, except the best one; stuff has its own.
        (cosines(2 / 3, 1 / 3), {"stuff": "b", "thresholds": Thresholds(0.05, 0.9, 1)}, "a"),
        (cosines(2 / 3, 1 / 3), {"stuff": "a", "thresholds": Thresholds(0.9, 0.05, 1)}, "a"),
        (cosines(2 / 3, 1 / 3), {"thresholds": Thresholds(0.9, 0.05, 1)}, "a"),
        # A small thing that fits its patches very well is suggested; small stuff is not.
        (SMALL, {"thresholds": Thresholds(0.2, 0.2, 1)}, "a"),
        (SMALL, {"thresholds": Thresholds(0.2, 0.2, 0.1)}, "ab"),
        (SMALL, {"stuff": "b", "thresholds": Thresholds(0.2, 0.2, 0.1)}, "a"),
        # A word that fits the same patches slightly worse than another has no share left.
        (TWICE, {}, "ba"),
        # Words of one class count together, and the first one names it.
        (cosines(1 / 2, 1 / 2), {"classes": [0, 0, 1, 2, 3]}, "a"),
    ],
)
def test_choice(given: Tensor, settings: dict[str, Any], chosen: str) -> None:
    assert choose(given, **settings) == chosen


def test_preference() -> None:
    """Everyday words, and those of the image classifier, win over equally good ones."""
    near = cosines()
    near[0], near[1] = 1.0, 0.95
    assert choose(near, most=1) == "a"
    assert choose(near, everyday="b", most=1) == "b"
    assert choose(near, probability=(0, 0.9, 0, 0, 0), most=1) == "b"
    assert choose(cosines(1 / 2, 1 / 2), probability=(0, 0, 0.3, 0, 0)) == "ab", "c fits no patch"


def test_photo() -> None:
    """The subject of a photo is suggested, and a person instead of garments."""
    words = Segmenter(loaded()).suggest(assets.path("photos", "astronaut.jpg"))
    assert "person" in words
    assert not lists.read("worn").keys() & set(words)


def test_prune() -> None:
    """Of a long list, words that the image hardly shows get no pixel, and the others get theirs."""
    segmenter, photo = Segmenter(small()), assets.path("photos", "panda.jpg")
    words = "giant panda; panda, rock, zebra, pizza, airplane, sink, sky, person"
    some = segmenter.segment(photo, words, prune=True, refine="guided")
    kept = {name for name, area in some.to_dict()["areas"].items() if area}
    assert "giant panda" in kept and not kept & {"pizza", "airplane", "sink"}
    assert sum(some.areas()) == pytest.approx(1)
    behind = segmenter.segment(photo, "giant panda, pizza", prune=True, background=True)
    assert 0 < behind.areas()[0] < 1 and behind.areas()[1] == 0 < behind.no_class_area()
