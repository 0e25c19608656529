"""Words have colours, masks are images, and masks are painted over photos."""

from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageColor import getrgb

from gclip_core.pixels import palette
from tests.models import picture


def test_colours() -> None:
    """A word has one colour, whatever stands beside it, and that of its synonyms and its kind; two
    words have different ones, until all are taken. The sky is blue, and lighter than things."""
    every = palette.colours([("cat",), ("sky",), ("grass", "lawn")])
    assert len({*every}) == 3
    assert palette.colours([("grass",), ("Cats",)]) == (every[2], every[0])
    assert palette.colours([("heaven",), ("my old cat",)]) == (every[1], every[0])
    assert palette.colours([("gadget", "sky")]) == every[1:2]
    assert palette.colours([("zyzzyva",)])[0] in palette.COLOURS
    n = len(palette.COLOURS)
    chosen = palette.colours([("sky",)] * (n + 1))
    assert len({*chosen}) == n and chosen[n] == chosen[0] == every[1]
    assert np.argmax(getrgb(every[1])) == 2
    assert palette.strength(every[1]) < palette.strength(every[0])


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
    """Colours cover the photo, with white lines between them; pixels without a class stay."""
    photo = picture(40, 60)
    labels = np.full((4, 6), -1)
    labels[:, 2:] = 0
    labels[:, 4:] = 1
    colours = palette.colours([("cat",), ("sky",)])
    shown, pixels = np.asarray(palette.painted(photo, labels, colours)), np.asarray(photo)
    assert (shown[:, :20] == pixels[:, :20]).all()
    for column in (20, 40):
        assert (shown[:, column] == 255).all()
    for colour, left, right in zip(colours, (21, 41), (40, 60), strict=True):
        opacity = palette.OPACITY * palette.strength(colour)
        mixed = opacity * np.array(getrgb(colour)) + (1 - opacity) * pixels[:, left:right]
        assert np.abs(shown[:, left:right] - mixed).max() <= 2
