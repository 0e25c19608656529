"""Class colours stand out on the photo, masks are images, and masks are painted over photos."""

from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
from PIL import Image
from PIL.ImageColor import getrgb

from gclip_core.pixels import palette
from tests.models import picture


def apart(first: str, second: str) -> float:
    return float(np.linalg.norm(np.subtract(getrgb(first), getrgb(second))))


def test_apart() -> None:
    """The first colours differ clearly, and no two are equal."""
    assert min(apart(*pair) for pair in combinations(palette.COLOURS[:12], 2)) > 60
    assert len(set(palette.COLOURS)) == len(palette.COLOURS) > 100


def test_order() -> None:
    """Classes take the colours in order; if there are more classes than colours, colours repeat."""
    grey = Image.new("RGB", (4, 4), "white")
    n = len(palette.COLOURS) + 2
    chosen = palette.choose(n, np.full((4, 4), -1), grey)
    assert chosen == (*palette.COLOURS, *palette.COLOURS[:2])


def test_seen_on_the_photo() -> None:
    """A region gets a colour of its own hue that differs clearly from it, in whatever order."""
    blue = palette.COLOURS[0]
    photo = Image.new("RGB", (600, 300), "white")
    photo.paste(blue, (0, 0, 300, 300))
    labels = np.zeros((300, 600), np.int16)
    labels[:, 300:] = 1
    sea, paper = palette.choose(2, labels, photo)
    assert (sea, paper) == palette.choose(2, 1 - labels, photo)[::-1]
    assert paper == blue and getrgb(sea)[2] > 2 * getrgb(sea)[0]
    noise = picture(60, 80)
    means = [np.asarray(noise)[:, :40].mean((0, 1)), np.asarray(noise)[:, 40:].mean((0, 1))]
    halves = np.arange(80)[None] // 40 * np.ones((60, 1), int)
    chosen = palette.choose(2, halves, noise)
    for colour, mean in zip((sea, *chosen), (getrgb(blue), *means), strict=True):
        assert np.linalg.norm(np.subtract(getrgb(colour), mean)) >= palette.NEAR


def test_indexed() -> None:
    """A mask of at most 255 classes is a palette picture; one with more is grey."""
    shown = Image.open(BytesIO(palette.indexed(np.array([[-1, 0]]), palette.COLOURS[:1], ["sea"])))
    assert shown.text["Classes"] == '["sea"]'
    assert shown.mode == "P"
    assert np.asarray(shown).tolist() == [[255, 0]]
    assert shown.convert("RGB").getpixel((1, 0)) == getrgb(palette.COLOURS[0])
    grey = Image.open(BytesIO(palette.indexed(np.array([[-1, 3]]), palette.COLOURS[:1] * 300)))
    assert np.asarray(grey).tolist() == [[65535, 3]]


def test_painted() -> None:
    """Colours cover a grey photo, with white lines between them; pixels without a class stay."""
    photo = picture(40, 60)
    labels = np.full((4, 6), -1)
    labels[:, 2:] = 0
    labels[:, 4:] = 1
    shown = np.asarray(palette.painted(photo, labels, ("#ff0000", "#0000ff"))).astype(int)
    assert shown.shape == (40, 60, 3)
    assert (shown[:, :20] == np.asarray(photo)[:, :20]).all()
    for column in (20, 40):
        assert (shown[:, column] == 255).all()
    for channel, (left, right) in zip((0, 2), pairwise((21, 41, 60)), strict=True):
        inside = shown[:, left : right - 1]
        grey = np.asarray(photo.convert("L")).astype(int)[:, left : right - 1]
        assert np.abs(inside[..., channel] - (0.6 * 255 + 0.4 * grey)).max() <= 1
        assert np.abs(inside[..., 1] - 0.4 * grey).max() <= 1
    again = palette.painted(photo, labels + 2 * (labels >= 0), ("#ff0000", "#0000ff"))
    assert (np.asarray(again) == shown).all(), "colours repeat if there are more classes"
