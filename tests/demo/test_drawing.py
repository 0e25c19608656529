"""Pictures: what they show, what they survive, how fast they are."""

import time

import numpy as np
import pytest
from PIL import Image

from demo.drawing import lettering, render
from gclip_core import palette

NAMES = ("cat", "grass", "sky")


@pytest.fixture
def photo() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (120, 200, 3), np.uint8))


@pytest.fixture
def labels() -> np.ndarray:
    array = np.zeros((120, 200), np.int16)
    array[60:] = 1
    array[:, 150:] = 2
    array[:20, :20] = -1
    return array


def test_opacity_runs_from_the_image_to_the_mask(photo: Image.Image, labels: np.ndarray) -> None:
    plain = {"outlines": False, "write_words": False}
    bare = render.overlay(photo, labels, NAMES, 0.0, **plain)
    full = render.overlay(photo, labels, NAMES, 1.0, **plain)
    assert (np.asarray(bare) == np.asarray(photo)).all()
    assert (np.asarray(full) == palette.table(NAMES)[labels]).all()


def test_a_picture_is_at_most_as_large_as_asked_and_never_empty(photo: Image.Image) -> None:
    wide = photo.resize((2000, 3))
    assert render.overlay(wide, np.zeros((3, 2000), int), NAMES, max_side=100).size == (100, 1)
    assert render.overlay(photo.resize((1, 1)), np.zeros((1, 1), int), NAMES).size == (1, 1)


def test_the_word_is_drawn_on_its_region(photo: Image.Image, labels: np.ndarray) -> None:
    without = np.asarray(render.overlay(photo, labels, NAMES, write_words=False)).astype(int)
    drawn = np.asarray(render.overlay(photo, labels, NAMES)).astype(int)
    changed = (without != drawn).any(-1)
    for index in range(3):
        assert changed[labels == index].any()


@pytest.mark.parametrize(
    ("word", "drawn"),
    [
        ("cat", "cat"),
        ("猫 cat", "cat"),
        ("🐱", "#1"),
        ("猫", "#1"),
        ("", "#1"),
        ("\u202egnp.tac", "gnp.tac"),
        ("a\n\tb\x07", "a b"),
        ("x" * 300, "x" * 23 + "…"),
    ],
)
def test_any_word_becomes_a_short_drawable_label(word: str, drawn: str) -> None:
    assert lettering.drawable(word, 0) == drawn


def test_pooling_averages_and_keeps_the_total() -> None:
    matrix = np.arange(35, dtype=np.float32).reshape(5, 7)
    pooled = render.pool_keys(matrix[None], 2)[0]
    assert pooled.shape == (3, 4)
    assert pooled[0, 0] == matrix[:2, :2].mean()
    assert pooled[2, 3] == matrix[4, 6]


def test_overlays_are_fast_enough_for_a_toggle() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (768, 1024, 3), np.uint8))
    labels = np.kron(rng.integers(0, 21, (12, 16)), np.ones((64, 64), int))
    names = [f"thing {i}" for i in range(21)]
    taken = []
    for _ in range(4):
        start = time.process_time()
        render.overlay(image, labels, names)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.2  # 0.06 s of processor time measured
