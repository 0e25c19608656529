"""Suggested words: those that fit a picture's patches best and each add something."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gclip_core import Segmenter, assets, suggest, word_lists
from gclip_core.suggest import Candidates, Matches, Thresholds
from gclip_core.types import KnownWords
from tests.models import loaded, tiny_backbone

GRID = (6, 6)
NONE = torch.zeros(5, dtype=torch.bool)
THRESHOLDS = Thresholds(gain=0.5, certainty=0.35, thing=0.15)


def scores(*shares: float) -> Tensor:
    """Five words' cosines on a grid of 36 patches; word i is best on so large a share of rows."""
    cosines = torch.zeros(5, 36)
    start = 0
    for word, share in enumerate(shares):
        stop = start + round(36 * share)
        cosines[word, start:stop] = 1.0
        start = stop
    return cosines


def choose(
    scores: Tensor,
    everyday: Tensor = NONE,
    classes: Sequence[int] = (0, 1, 2, 3, 4),
    most: int = 5,
    evidence: Sequence[float] = (0, 0, 0, 0, 0),
    stuff: str = "",
    words: Sequence[str] = "abcde",
    thresholds: Thresholds = THRESHOLDS,
) -> str:
    """The chosen ones of the words a to e."""
    behind = torch.tensor([word in stuff for word in words[: max(classes) + 1]])
    candidates = Candidates(words, classes, everyday, behind)
    matches = Matches(scores, torch.tensor(evidence).float(), GRID)
    return "".join(suggest.choose(candidates, matches, most, thresholds))


def test_order() -> None:
    """The word that wins most patches comes first."""
    assert choose(scores(1 / 3, 2 / 3)) == "ba"


def test_things_first() -> None:
    """A thing comes before stuff that wins more patches."""
    easily = replace(THRESHOLDS, gain=0.1)
    assert choose(scores(2 / 3, 1 / 3), thresholds=easily) == "ab"
    assert choose(scores(2 / 3, 1 / 3), stuff="a", thresholds=easily) == "ba"


def test_thing_added() -> None:
    """Stuff alone gets the most probable thing."""
    behind = scores(1 / 2, 1 / 2)
    behind[3] = 0.65
    assert sorted(choose(behind)) == ["a", "b"]
    assert sorted(choose(behind, stuff="abc")) == ["a", "b", "d"]
    assert choose(behind, stuff="abc")[0] == "d"
    assert len(choose(behind, stuff="abc", most=2)) == 2


def test_improbable_thing() -> None:
    """A thing that is hardly probable is not added to stuff."""
    rarely = replace(THRESHOLDS, thing=0.5)
    assert choose(scores(1 / 2, 1 / 2), stuff="ab", thresholds=rarely) == "ab"


def test_stuff() -> None:
    """A wrong word on a large background spoils a photo more than no word."""
    unsure = scores(1 / 2, 1 / 2)
    unsure[2] = unsure[1] * 0.7
    easily = replace(THRESHOLDS, gain=0.1, certainty=0.1, thing=1.0)
    assert sorted(choose(unsure, stuff="b", thresholds=replace(easily, stuff=0.1))) == ["a", "b"]
    assert choose(unsure, stuff="b", thresholds=replace(easily, stuff=0.9)) == "a"
    assert sorted(choose(unsure, thresholds=replace(easily, stuff=0.9))) == ["a", "b"]


def test_synonyms() -> None:
    """Of two words that fit the same patches one is taken."""
    twice = scores(0.45, 0.55)
    twice[4] = twice[1] * 0.98
    assert choose(twice) == "ba"


def test_small_part() -> None:
    """A small part of the picture names no word."""
    small = scores(1.0)
    small[1, 0] = 1.2
    assert choose(small) == "a"


def test_uncertain() -> None:
    """A word that hardly fits better than all others is too uncertain."""
    halves, words = torch.zeros(12, 36), "abcdefghijkl"
    none, rest = torch.zeros(12, dtype=torch.bool), {"classes": range(12), "evidence": [0.0] * 12}
    halves[0, :18] = halves[1, 18:] = 1.0
    assert choose(halves, none, words=words, **rest) == "ab"
    halves[2:5, 18:] = 0.98
    assert choose(halves, none, words=words, **rest) == "a"


def test_everyday() -> None:
    """An everyday word is preferred to a rare one that fits a little better."""
    close = torch.zeros(5, 36)
    close[0], close[1] = 1.0, 0.95
    everyday = torch.tensor([False, True, False, False, False])
    assert choose(close, most=1) == "a"
    assert choose(close, everyday, most=1) == "b"


def test_evidence() -> None:
    """Evidence of the whole image decides between words that fit alike."""
    close = torch.zeros(5, 36)
    close[0], close[1] = 1.0, 0.95
    assert choose(close, most=1, evidence=(0, 1, 0, 0, 0)) == "b"
    assert choose(scores(1 / 2, 1 / 2), evidence=(0, 0, 1, 0, 0)) == "ab", "it fits no patch"


def test_evidence_of_classes() -> None:
    """A class of probability a tenth adds two thirds to each of its words."""
    known = KnownWords(frozenset(), class_words=(("a", "b"), ("c",)))
    evidence = suggest._evidence("abcd", known, torch.tensor([0.1, 1.0]))
    assert torch.allclose(evidence, torch.tensor([2 / 3, 2 / 3, 1.0, 0.0]), atol=1e-5)


def test_one_class() -> None:
    """Words of one class count together and the first names it."""
    halves = scores(1 / 2, 1 / 2)
    assert choose(halves) == "ab"
    assert choose(halves, classes=[0, 0, 1, 2, 3]) == "a"


def test_person() -> None:
    """A photo of a person suggests a person instead of a garment."""
    words = Segmenter(loaded()).suggest(assets.path("photos", "astronaut.jpg"))
    assert words[0] == "person"
    assert not word_lists.read("worn").keys() & set(words)


def test_open_vocabulary() -> None:
    """A model with an open vocabulary chooses among everyday words."""
    words = suggest.candidates_of(tiny_backbone(20)).words
    assert set(words) == set(word_lists.read("everyday"))
    assert 200 <= len(words) <= 300


@pytest.mark.parametrize(("photo", "thing"), [("chelsea", "cat"), ("coffee", "cup")])
def test_photos(photo: str, thing: str) -> None:
    """What a photo is of is suggested first."""
    segmenter = Segmenter(loaded())
    assert segmenter.suggest(assets.path("photos", f"{photo}.jpg"))[0] == thing


def test_stuff_list() -> None:
    """No thing of the field's data sets is in the list of stuff."""
    stuff = word_lists.read("stuff").keys()
    assert not {"person", "dining table", "couch", "bed", "stop sign", "flower"} & stuff
    assert {"sky", "tree", "wall", "floor", "pavement", "dirt", "building"} <= stuff
