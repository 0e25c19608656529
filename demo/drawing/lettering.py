"""Draws words on pictures: any Unicode, no tofu boxes, never longer than a label may be."""

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageDraw, ImageFont

LONGEST = 24
PAD = 0.32


def short(word: str, longest: int = LONGEST) -> str:
    """A word fit for a label: control and direction marks dropped, spaces joined, cut with "…"."""
    kept = "".join(" " if c.isspace() else c for c in word if _visible(c))
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"


def drawable(word: str, index: int) -> str:
    """The part of a word our font can draw; the class's number (from 1) where that is nothing."""
    kept = short("".join(c for c in word if c.isspace() or ord(c) in _glyphs()))
    return kept if any(c.isalnum() for c in kept) else f"#{index + 1}"


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans Bold, which ships with matplotlib."""
    return ImageFont.truetype(str(_font_path()), size)


def box(word: str, size: int) -> tuple[int, int]:
    """Width and height in pixels of a word's pill at that font size."""
    pad = round(size * PAD)
    return round(font(size).getlength(word)) + 2 * pad + 2, round(size * 1.25) + pad


def pill(
    draw: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    word: str,
    size: int,
    fill: str,
    ink: str,
) -> None:
    """Draw a word on a rounded pill around ``centre`` = (x, y)."""
    width, height = box(word, size)
    left, top = centre[0] - width / 2, centre[1] - height / 2
    draw.rounded_rectangle(
        (left, top, left + width, top + height), height / 3, fill, outline=ink, width=1
    )
    draw.text(centre, word, ink, font(size), anchor="mm")


def _visible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"


def _font_path() -> Path:
    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(str(_font_path())).get_charmap())
