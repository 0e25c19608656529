"""Pictures: what they show, and what they survive."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from demo.drawing import render
from demo.drawing.lettering import drawable
from gclip_core import palette
from tests.demo.fonts import machine_with
from tests.pictures import noise

NAMES = ("cat", "grass", "sky")


@pytest.fixture
def photo() -> Image.Image:
    return noise(120, 200)


@pytest.fixture
def labels() -> np.ndarray:
    array = np.zeros((120, 200), np.int16)
    array[60:] = 1
    array[:, 150:] = 2
    array[:20, :20] = -1
    return array


def test_opacity_runs_from_the_image_to_the_mask(photo: Image.Image, labels: np.ndarray) -> None:
    for opacity, wanted in ((0.0, np.asarray(photo)), (1.0, palette.table(NAMES)[labels])):
        drawn = np.asarray(render.overlay(photo, labels, NAMES, opacity))
        same = (drawn == wanted).all(-1)
        assert same.mean() > 0.75, "all but outlines and words"
        assert not same.all()


def test_a_picture_is_at_most_as_large_as_asked_and_never_empty(photo: Image.Image) -> None:
    wide = photo.resize((2000, 3))
    assert render.overlay(wide, np.zeros((3, 2000), int), NAMES, max_side=100).size == (100, 1)
    assert render.overlay(photo.resize((1, 1)), np.zeros((1, 1), int), NAMES).size == (1, 1)


def test_the_word_is_drawn_on_its_region(photo: Image.Image, labels: np.ndarray) -> None:
    drawn = np.asarray(render.overlay(photo, labels, NAMES, 0.0))
    for index, colour in enumerate(palette.of_names(NAMES)):
        pill = (drawn == ImageColor.getrgb(colour)).all(-1)
        assert pill[labels == index].sum() > 50


@pytest.mark.parametrize(
    ("word", "drawn"),
    [
        ("cat", "cat"),
        ("猫 cat", "#1"),
        ("🐱", "🐱"),
        ("🐸", "#1"),
        ("猫", "#1"),
        ("", "#1"),
        ("\u202egnp.tac", "gnp.tac"),
        ("a\n\tb\x07", "a b"),
        ("x" * 300, "x" * 23 + "…"),
    ],
)
def test_any_word_becomes_a_short_drawable_label(word: str, drawn: str) -> None:
    with machine_with():
        assert drawable(word, 0) == drawn


def test_pooling_averages_and_keeps_the_total() -> None:
    matrix = np.arange(35, dtype=np.float32).reshape(5, 7)
    pooled = render.pool_keys(matrix[None], 2)[0]
    assert pooled.shape == (3, 4)
    assert pooled[0, 0] == matrix[:2, :2].mean()
    assert pooled[2, 3] == matrix[4, 6]
