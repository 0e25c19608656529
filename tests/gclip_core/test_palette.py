"""Class colours: natural where a word has one, else its own, and distinct within a picture."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.ImageColor import getrgb

from gclip_core.pixels import palette
from gclip_core.words import lists

EVERYDAY = sorted(lists.read("everyday"))


@pytest.mark.parametrize(
    ("phrase", "of"),
    [("Sky", "sky"), ("clouds", "sky"), ("green lawn", "grass"), ("wooden floor", "wood")],
)
def test_natural(phrase: str, of: str) -> None:
    """A word has its natural colour in any form."""
    assert palette.of_names([phrase]) == (palette.NATURAL[of],)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(EVERYDAY), min_size=2, max_size=8, unique=True))
def test_apart(words: list[str]) -> None:
    """The words of a picture have colours apart."""
    for colour, other in combinations(palette.of_names(words), 2):
        assert colour != other
        assert np.linalg.norm(np.subtract(getrgb(colour), getrgb(other))) > 20


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(EVERYDAY), min_size=2, max_size=8, unique=True), st.randoms())
def test_order(words: list[str], chance: Random) -> None:
    """The order of words decides nothing."""
    shuffled = chance.sample(words, len(words))
    by_word = dict(zip(words, palette.of_names(words), strict=True))
    assert palette.of_names(shuffled) == tuple(by_word[word] for word in shuffled)


@pytest.mark.parametrize(("word", "other"), [("tree", "bush"), ("grass", "field"), ("sea", "bay")])
def test_rarer_word(word: str, other: str) -> None:
    """A word keeps its natural colour beside a rarer word of the same."""
    colours = palette.of_names([other, word])
    assert colours[1] == palette.natural(word) != colours[0]


def test_many_classes() -> None:
    """500 classes have 500 colours."""
    assert len(set(palette.of_names([f"word {i}" for i in range(500)]))) == 500


def test_contrast() -> None:
    """Text is readable on every colour."""
    for colour in (*palette.COLOURS, *palette.NATURAL.values(), palette.NO_CLASS):
        assert palette.contrast(colour, palette.ink_on(colour)) >= 4.5, colour


def test_indexed() -> None:
    """A mask of at most 255 classes is a palette picture."""
    picture = palette.indexed(np.array([[-1, 0]]), ["sky"])
    assert picture.mode == "P"
    assert np.asarray(picture).tolist() == [[255, 0]]
    assert picture.convert("RGB").getpixel((1, 0)) == getrgb(palette.NATURAL["sky"])


def test_grey_mask() -> None:
    """A mask of more classes is grey."""
    picture = palette.indexed(np.array([[-1, 3]]), [f"word {i}" for i in range(300)])
    assert np.asarray(picture).tolist() == [[65535, 3]]
