"""Suggested words: those that fit a picture's patches best and each add something."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from gclip_core import Segmenter, assets, suggestions, word_lists
from gclip_core.types import KnownWords
from tests.models import loaded, tiny_backbone

GRID = (6, 6)
NONE = torch.zeros(5, dtype=torch.bool)


def scores(*shares: float) -> Tensor:
    """Five words' cosines on a grid of 36 patches; word i is best on so large a share of rows."""
    found = torch.zeros(5, 36)
    start = 0
    for word, share in enumerate(shares):
        stop = start + round(36 * share)
        found[word, start:stop] = 1.0
        start = stop
    return found


def choose(
    scores: Tensor,
    everyday: Tensor = NONE,
    owner: Sequence[int] = (0, 1, 2, 3, 4),
    most: int = 5,
    strict: bool = True,
    evidence: Sequence[float] = (0, 0, 0, 0, 0),
) -> list[int]:
    candidates = suggestions.Candidates("abcde", owner, everyday)
    whole = torch.tensor(evidence).float()
    return suggestions.choose(scores, whole, candidates, GRID, most, strict)


def test_the_word_that_wins_most_patches_comes_first() -> None:
    assert choose(scores(1 / 3, 2 / 3)) == [1, 0]


def test_of_two_words_that_fit_the_same_patches_one_is_taken() -> None:
    twice = scores(0.45, 0.55)
    twice[4] = twice[1] * 0.98
    assert choose(twice) == [1, 0]


def test_a_small_part_of_the_picture_names_no_word() -> None:
    small = scores(1.0)
    small[1, 0] = 1.2
    assert choose(small) == [0]


def test_a_word_that_hardly_fits_better_than_all_others_is_too_uncertain() -> None:
    none, halves = torch.zeros(12), torch.zeros(12, 36)
    candidates = suggestions.Candidates("a" * 12, range(12), none > 0)
    halves[0, :18] = halves[1, 18:] = 1.0
    assert suggestions.choose(halves, none, candidates, GRID, 5, strict=True) == [0, 1]
    halves[2:5, 18:] = 0.98
    assert suggestions.choose(halves, none, candidates, GRID, 5, strict=True) == [0]


def test_an_everyday_word_is_preferred_to_a_rare_one_that_fits_a_little_better() -> None:
    close = torch.zeros(5, 36)
    close[0], close[1] = 1.0, 0.95
    everyday = torch.tensor([False, True, False, False, False])
    assert choose(close, most=1) == [0]
    assert choose(close, everyday, most=1) == [1]


def test_evidence_of_the_whole_image_decides_between_words_that_fit_alike() -> None:
    close = torch.zeros(5, 36)
    close[0], close[1] = 1.0, 0.95
    assert choose(close, most=1, evidence=(0, 1, 0, 0, 0)) == [1]
    assert choose(scores(1 / 2, 1 / 2), evidence=(0, 0, 1, 0, 0)) == [0, 1], "it fits no patch"


def test_a_class_of_probability_a_tenth_adds_two_thirds_to_each_of_its_words() -> None:
    known = KnownWords(frozenset(), frozenset(), class_words=(("a", "b"), ("c",)))
    found = suggestions._evidence("abcd", known, torch.tensor([0.1, 1.0]))
    assert torch.allclose(found, torch.tensor([2 / 3, 2 / 3, 1.0, 0.0]), atol=1e-5)


def test_who_is_not_strict_gets_more_words_but_at_most_as_many_as_asked_for() -> None:
    many = torch.rand(5, 36, generator=torch.Generator().manual_seed(0))
    strict = choose(many)
    assert len(choose(many, strict=False)) >= len(strict)
    assert len(choose(scores(1 / 3, 1 / 3, 1 / 3), most=2)) == 2


def test_words_of_one_class_count_together_and_the_first_names_it() -> None:
    halves = scores(1 / 2, 1 / 2)
    assert choose(halves) == [0, 1]
    assert choose(halves, owner=[0, 0, 1, 2, 3]) == [0]


def test_a_photo_of_a_person_suggests_a_person_instead_of_a_garment() -> None:
    words = Segmenter(loaded()).suggest(assets.path("photos", "astronaut.jpg"))
    assert "person" in words
    assert not word_lists.read("worn").keys() & set(words)


def test_a_model_with_an_open_vocabulary_chooses_among_everyday_words() -> None:
    words = [group[0] for group in suggestions.word_groups(tiny_backbone(20))]
    assert words == list(word_lists.read("everyday"))
    assert 200 <= len(words) <= 300


@pytest.mark.parametrize(("photo", "thing"), [("chelsea", "cat"), ("coffee", "cup")])
def test_what_a_photo_shows_is_suggested(photo: str, thing: str) -> None:
    segmenter = Segmenter(loaded())
    assert thing in segmenter.suggest(assets.path("photos", f"{photo}.jpg"))
