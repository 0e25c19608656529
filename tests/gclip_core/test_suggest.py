"""Suggested words: those that fit a picture's patches best, of which each adds something."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from gclip_core import Segmenter, assets, suggest, word_lists
from gclip_core.suggest import Candidates, Matches, Thresholds
from tests.models import loaded, tiny_backbone

THRESHOLDS = Thresholds(gain=0.5, certainty=0.35, thing=0.15)
EASILY = replace(THRESHOLDS, gain=0.1)


def cosines(*shares: float) -> Tensor:
    """Five words' cosines on a grid of 6 x 6; word i is best on so large a share of the rows."""
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
    evidence: Sequence[float] = (0, 0, 0, 0, 0),
    stuff: str = "",
    thresholds: Thresholds = THRESHOLDS,
) -> str:
    """The chosen ones of the words a, b, …"""
    words = "abcdefghijkl"[: len(cosines)]
    candidates = Candidates(
        words,
        classes,
        torch.tensor([word in everyday for word in words]),
        torch.tensor([word in stuff for word in words[: max(classes) + 1]]),
    )
    matches = Matches(cosines, torch.tensor(evidence).float())
    return "".join(suggest.choose(candidates, matches, most, thresholds))


def test_order() -> None:
    """Things come before stuff, each by the share of patches that it fits best."""
    assert choose(cosines(1 / 3, 2 / 3)) == "ba"
    assert choose(cosines(2 / 3, 1 / 3), thresholds=EASILY) == "ab"
    assert choose(cosines(2 / 3, 1 / 3), stuff="a", thresholds=EASILY) == "ba"


def test_thing_added() -> None:
    """Stuff alone gets the most probable thing, if it is probable."""
    behind = cosines(1 / 2, 1 / 2)
    behind[3] = 0.65
    assert sorted(choose(behind)) == ["a", "b"]
    assert choose(behind, stuff="abc")[0] == "d"
    assert len(choose(behind, stuff="abc", most=2)) == 2
    rarely = replace(THRESHOLDS, thing=0.5)
    assert choose(cosines(1 / 2, 1 / 2), stuff="ab", thresholds=rarely) == "ab"


def test_uncertain() -> None:
    """A word is left out that fits hardly better than others; stuff needs more certainty."""
    unsure = cosines(1 / 2, 1 / 2)
    unsure[2] = unsure[1] * 0.7
    easily = replace(EASILY, certainty=0.1, thing=1.0, stuff=0.9)
    assert choose(unsure, thresholds=replace(easily, certainty=0.9)) == "a"
    assert sorted(choose(unsure, thresholds=easily)) == ["a", "b"]
    assert choose(unsure, stuff="b", thresholds=easily) == "a"


def test_little_gain() -> None:
    """A synonym of a chosen word and a small part of the picture add too little."""
    twice, small = cosines(0.45, 0.55), cosines(1.0)
    twice[4] = twice[1] * 0.98
    small[1, 0, 0] = 1.2
    assert choose(twice) == "ba"
    assert choose(small) == "a"


def test_preference() -> None:
    """Everyday words, and those of the image classifier, win over others that fit as well."""
    near = cosines()
    near[0], near[1] = 1.0, 0.95
    assert choose(near, most=1) == "a"
    assert choose(near, everyday="b", most=1) == "b"
    assert choose(near, evidence=(0, 1, 0, 0, 0), most=1) == "b"
    assert choose(cosines(1 / 2, 1 / 2), evidence=(0, 0, 1, 0, 0)) == "ab", "c fits no patch"


def test_one_class() -> None:
    """Words of one class count together, and the first names it."""
    assert choose(cosines(1 / 2, 1 / 2), classes=[0, 0, 1, 2, 3]) == "a"


def test_evidence() -> None:
    """The classifier's evidence is the logarithm of a word's probability, from 0 to 1."""
    backbone, known = loaded(), loaded().known
    probabilities = torch.zeros(len(known.class_words))
    probabilities[0] = 0.1
    features = torch.zeros(1, 1, backbone.visual.proj.shape[1])
    evidence = suggest.match(backbone, features, probabilities).evidence
    words = suggest.candidates_of(backbone).words
    expected = [2 / 3 if word in known.class_words[0] else 0 for word in words]
    assert evidence.tolist() == pytest.approx(expected, abs=1e-5)
    assert max(expected) > 0


@pytest.mark.parametrize(
    ("photo", "thing"), [("chelsea", "cat"), ("coffee", "cup"), ("astronaut", "person")]
)
def test_photos(photo: str, thing: str) -> None:
    """What a photo is of is suggested, and a person in place of garments."""
    words = Segmenter(loaded()).suggest(assets.path("photos", f"{photo}.jpg"))
    assert thing in words
    assert not word_lists.read("worn").keys() & set(words)


def test_open_vocabulary() -> None:
    """A model with an open vocabulary chooses among everyday words."""
    words = suggest.candidates_of(tiny_backbone(20)).words
    assert set(words) == set(word_lists.read("everyday"))


def test_no_person() -> None:
    """A garment is a word of its own if the backbone does not know the word person."""
    known = SimpleNamespace(seen=(("cat",), ("shirt", "top"), ("sky",)))
    candidates = suggest.candidates_of(replace(tiny_backbone(20), known=known))
    assert (candidates.words, candidates.classes) == (["cat", "shirt", "sky"], [0, 1, 2])


def test_stuff() -> None:
    """No thing of the field's data sets is in the list of stuff."""
    stuff = word_lists.read("stuff").keys()
    assert not {"person", "dining table", "couch", "bed", "stop sign", "flower"} & stuff
    assert {"sky", "tree", "wall", "floor", "pavement", "dirt", "building"} <= stuff
