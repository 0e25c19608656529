"""Words as labels on pictures and figures: what DejaVu Sans can draw of them."""

from functools import cache
from unicodedata import bidirectional, category

import matplotlib
from matplotlib.ft2font import FT2Font

FONT = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf"
"""DejaVu Sans Bold, which ships with matplotlib."""
MARK = "\u200e"
"""Unicode's left-to-right mark."""
LONGEST = 24
"""Maximum number of characters of a label."""


def drawable(word: str, index: int) -> str:
    """A word as a label: what the font can draw of it, spaces joined, cut with "…".

    The class's number (from 1) where that is nothing.
    """
    label = printable(word)
    if len(label) > LONGEST:
        label = label[: LONGEST - 1].rstrip() + "…"
    return label if any(c.isalnum() for c in label) else f"#{index + 1}"


def left_to_right(word: str, after: str = "") -> str:
    """A text that begins on the left, also where its first word is written from the right."""
    if any(bidirectional(c) in ("R", "AL") for c in word):
        return f"{MARK}{word}{MARK}{after}"
    return word + after


def printable(text: str) -> str:
    """What the font can draw of a text, with its spaces joined."""
    spaced = " ".join(text.split())
    drawn = "".join(c for c in spaced if ord(c) in _glyphs() and category(c)[0] != "C")
    return " ".join(drawn.split())


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(FONT).get_charmap())
