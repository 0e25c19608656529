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
    owner: Sequence[int] = (0, 1, 2, 3, 4),
    most: int = 5,
    strict: bool = True,
    evidence: Sequence[float] = (0, 0, 0, 0, 0),
    stuff: str = "",
    words: Sequence[str] = "abcde",
    thresholds: Thresholds = THRESHOLDS,
) -> str:
    """The chosen ones of the words a to e."""
    behind = torch.tensor([word in stuff for word in words[: max(owner) + 1]])
    candidates = Candidates(words, owner, everyday, behind)
    matches = Matches(scores, torch.tensor(evidence).float(), GRID)
    return "".join(suggest.choose(candidates, matches, most, strict, thresholds))


def test_the_word_that_wins_most_patches_comes_first() -> None:
    assert choose(scores(1 / 3, 2 / 3)) == "ba"


def test_a_thing_comes_before_stuff_that_wins_more_patches() -> None:
    easily = replace(THRESHOLDS, gain=0.1)
    assert choose(scores(2 / 3, 1 / 3), thresholds=easily) == "ab"
    assert choose(scores(2 / 3, 1 / 3), stuff="a", thresholds=easily) == "ba"


def test_stuff_alone_gets_the_most_probable_thing() -> None:
    behind = scores(1 / 2, 1 / 2)
    behind[3] = 0.65
    assert sorted(choose(behind)) == ["a", "b"]
    assert sorted(choose(behind, stuff="abc")) == ["a", "b", "d"]
    assert choose(behind, stuff="abc")[0] == "d"
    assert len(choose(behind, stuff="abc", most=2)) == 2


def test_a_thing_that_is_hardly_probable_is_not_added_to_stuff() -> None:
    rarely = replace(THRESHOLDS, thing=0.5)
    assert choose(scores(1 / 2, 1 / 2), stuff="ab", thresholds=rarely) == "ab"


def test_stuff_needs_more_certainty_than_a_thing() -> None:
    """A wrong word on a large background spoils a photo more than no word."""
    unsure = scores(1 / 2, 1 / 2)
    unsure[2] = unsure[1] * 0.7
    easily = replace(THRESHOLDS, gain=0.1, certainty=0.1, thing=1.0)
    assert sorted(choose(unsure, stuff="b", thresholds=replace(easily, stuff=0.1))) == ["a", "b"]
    assert choose(unsure, stuff="b", thresholds=replace(easily, stuff=0.9)) == "a"
    assert sorted(choose(unsure, thresholds=replace(easily, stuff=0.9))) == ["a", "b"]


def test_of_two_words_that_fit_the_same_patches_one_is_taken() -> None:
    twice = scores(0.45, 0.55)
    twice[4] = twice[1] * 0.98
    assert choose(twice) == "ba"


def test_a_small_part_of_the_picture_names_no_word() -> None:
    small = scores(1.0)
    small[1, 0] = 1.2
    assert choose(small) == "a"


def test_a_word_that_hardly_fits_better_than_all_others_is_too_uncertain() -> None:
    halves, words = torch.zeros(12, 36), "abcdefghijkl"
    none, rest = torch.zeros(12, dtype=torch.bool), {"owner": range(12), "evidence": [0.0] * 12}
    halves[0, :18] = halves[1, 18:] = 1.0
    assert choose(halves, none, words=words, **rest) == "ab"
    halves[2:5, 18:] = 0.98
    assert choose(halves, none, words=words, **rest) == "a"


def test_an_everyday_word_is_preferred_to_a_rare_one_that_fits_a_little_better() -> None:
    close = torch.zeros(5, 36)
    close[0], close[1] = 1.0, 0.95
    everyday = torch.tensor([False, True, False, False, False])
    assert choose(close, most=1) == "a"
    assert choose(close, everyday, most=1) == "b"


def test_evidence_of_the_whole_image_decides_between_words_that_fit_alike() -> None:
    close = torch.zeros(5, 36)
    close[0], close[1] = 1.0, 0.95
    assert choose(close, most=1, evidence=(0, 1, 0, 0, 0)) == "b"
    assert choose(scores(1 / 2, 1 / 2), evidence=(0, 0, 1, 0, 0)) == "ab", "it fits no patch"


def test_a_class_of_probability_a_tenth_adds_two_thirds_to_each_of_its_words() -> None:
    known = KnownWords(frozenset(), class_words=(("a", "b"), ("c",)))
    evidence = suggest._evidence("abcd", known, torch.tensor([0.1, 1.0]))
    assert torch.allclose(evidence, torch.tensor([2 / 3, 2 / 3, 1.0, 0.0]), atol=1e-5)


def test_who_is_not_strict_gets_more_words_after_them_but_at_most_as_many_as_asked_for() -> None:
    many = torch.rand(5, 36, generator=torch.Generator().manual_seed(0))
    more = choose(many, strict=False)
    assert more.startswith(choose(many))
    assert len(more) == len(set(more)) > len(choose(many))
    assert len(choose(scores(1 / 3, 1 / 3, 1 / 3), most=2, strict=False)) == 2


def test_words_of_one_class_count_together_and_the_first_names_it() -> None:
    halves = scores(1 / 2, 1 / 2)
    assert choose(halves) == "ab"
    assert choose(halves, owner=[0, 0, 1, 2, 3]) == "a"


def test_a_photo_of_a_person_suggests_a_person_instead_of_a_garment() -> None:
    words = Segmenter(loaded()).suggest(assets.path("photos", "astronaut.jpg"))
    assert words[0] == "person"
    assert not word_lists.read("worn").keys() & set(words)


def test_a_model_with_an_open_vocabulary_chooses_among_everyday_words() -> None:
    words = suggest.candidates_of(tiny_backbone(20)).words
    assert set(words) == set(word_lists.read("everyday"))
    assert 200 <= len(words) <= 300


@pytest.mark.parametrize(("photo", "thing"), [("chelsea", "cat"), ("coffee", "cup")])
def test_what_a_photo_is_of_is_suggested_first(photo: str, thing: str) -> None:
    segmenter = Segmenter(loaded())
    assert segmenter.suggest(assets.path("photos", f"{photo}.jpg"))[0] == thing


def test_no_thing_of_the_field_s_data_sets_is_in_the_list_of_stuff() -> None:
    stuff = word_lists.read("stuff").keys()
    assert not {"person", "dining table", "couch", "bed", "stop sign", "flower"} & stuff
    assert {"sky", "tree", "wall", "floor", "pavement", "dirt", "building"} <= stuff
