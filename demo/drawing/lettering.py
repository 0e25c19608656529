"""Draws words on pictures: any Unicode, no tofu boxes, never longer than a label may be."""

from functools import cache
from unicodedata import category

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageDraw, ImageFont

FONT = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf"
LONGEST = 24
PAD = 0.32


def drawable(word: str, index: int) -> str:
    """A word as a label: what our font can draw of it, spaces joined, cut with "…".

    The class's number (from 1) where that is nothing.
    """
    spaced = " ".join(word.split())
    drawn = "".join(c for c in spaced if ord(c) in _glyphs() and category(c)[0] != "C")
    label = " ".join(drawn.split())
    if len(label) > LONGEST:
        label = label[: LONGEST - 1].rstrip() + "…"
    return label if any(c.isalnum() for c in label) else f"#{index + 1}"


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans Bold, which ships with matplotlib."""
    return ImageFont.truetype(FONT, size)


def box(word: str, size: int) -> tuple[int, int]:
    """Width and height in pixels of a word's pill at that font size."""
    pad = round(size * PAD)
    return round(font(size).getlength(word)) + 2 * pad + 2, round(size * 1.25) + pad


def pill(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], word: str, size: int, fill: str, ink: str
) -> None:
    """Draw a word on a rounded pill around ``at`` = (x, y)."""
    width, height = box(word, size)
    left, top = at[0] - width / 2, at[1] - height / 2
    draw.rounded_rectangle(
        (left, top, left + width, top + height), height / 3, fill, outline=ink, width=1
    )
    draw.text(at, word, ink, font(size), anchor="mm")


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(FONT).get_charmap())
