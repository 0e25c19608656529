"""Class colours: natural where a word has one, else its own, and apart within one picture."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.ImageColor import getrgb

from gclip_core import palette, word_lists

EVERYDAY = sorted(word_lists.read("everyday"))


@pytest.mark.parametrize(
    ("phrase", "of"),
    [("Sky", "sky"), ("clouds", "sky"), ("green lawn", "grass"), ("wooden floor", "wood")],
)
def test_a_word_has_its_natural_colour_in_any_form(phrase: str, of: str) -> None:
    assert palette.of_names([phrase]) == (palette.NATURAL[of],)


def test_a_phrase_is_coloured_by_its_last_word_alone() -> None:
    assert palette.natural("sea lion") is None


@given(st.lists(st.sampled_from(EVERYDAY), min_size=2, max_size=8, unique=True))
def test_the_words_of_a_picture_have_colours_apart(words: list[str]) -> None:
    for colour, other in combinations(palette.of_names(words), 2):
        assert colour != other
        assert np.linalg.norm(np.subtract(getrgb(colour), getrgb(other))) > 20


@given(st.lists(st.sampled_from(EVERYDAY), min_size=2, max_size=8, unique=True), st.randoms())
def test_the_order_of_words_decides_nothing(words: list[str], chance: Random) -> None:
    shuffled = chance.sample(words, len(words))
    by_word = dict(zip(words, palette.of_names(words), strict=True))
    assert palette.of_names(shuffled) == tuple(by_word[word] for word in shuffled)


@pytest.mark.parametrize(("word", "other"), [("tree", "bush"), ("grass", "field"), ("sea", "bay")])
def test_a_word_keeps_its_natural_colour_beside_a_rarer_word_of_the_same(
    word: str, other: str
) -> None:
    colours = palette.of_names([other, word])
    assert colours[1] == palette.natural(word) != colours[0]


def test_500_classes_have_500_colours() -> None:
    assert len(set(palette.of_names([f"word {i}" for i in range(500)]))) == 500


def test_text_is_readable_on_every_colour() -> None:
    for colour in (*palette.COLOURS, *palette.NATURAL.values(), palette.NO_CLASS):
        assert palette.contrast(colour, palette.ink_on(colour)) >= 4.5, colour


def test_a_mask_of_at_most_255_classes_is_a_palette_picture() -> None:
    picture = palette.indexed(np.array([[-1, 0]]), ["sky"])
    assert picture.mode == "P"
    assert np.asarray(picture).tolist() == [[255, 0]]
    assert picture.convert("RGB").getpixel((1, 0)) == getrgb(palette.NATURAL["sky"])


def test_a_mask_of_more_classes_is_grey() -> None:
    picture = palette.indexed(np.array([[-1, 3]]), [f"word {i}" for i in range(300)])
    assert np.asarray(picture).tolist() == [[65535, 3]]
