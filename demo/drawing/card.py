"""The share card: a picture with its mask, words and method on it, as a PNG and as a GIF.

Arrays and pictures in, files out; ``labels`` are (H, W), -1 for no class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageOps

from demo.drawing import lettering, render
from evaluation.lettering import drawable
from gclip_core import palette

SIDE = 800
INK, PAPER, QUIET = "#16181d", "#ffffff", "#5a6070"
MARGIN, WORD, LINE = 16, 20, 17
FRAME_MS = 1400


@dataclass(frozen=True, eq=False)
class Side:
    """One mask of a card: its title, its labels, and each word's share of the picture in words."""

    title: str
    labels: ArrayLike
    shares: Sequence[str]


def png(image: Image.Image, side: Side, names: Sequence[str], foot: str) -> bytes:
    """The mask over the picture, at most 800 pixels a side, its words and ``foot`` under it."""
    return render.saved(_frame(image, side, names, foot, _rows(names, [side])), optimize=True)


def gif(image: Image.Image, before: Side, after: Side, names: Sequence[str], foot: str) -> bytes:
    """Both masks in turn, without end."""
    rows = _rows(names, [before, after])
    frames = [_frame(image, side, names, foot, rows) for side in (before, after)]
    first, second = (frame.quantize(128, dither=Image.Dither.NONE) for frame in frames)
    more = {"save_all": True, "append_images": [second], "duration": FRAME_MS, "loop": 0}
    return render.saved(first, "GIF", **more)


def _pills(names: Sequence[str], side: Side) -> list[str]:
    words = (drawable(name, index) for index, name in enumerate(names))
    return [f"{word} {share}" for word, share in zip(words, side.shares, strict=True)]


def _rows(names: Sequence[str], sides: Sequence[Side]) -> int:
    """How many rows the words take under the widest of the sides."""
    return max(_places(_pills(names, side))[-1][1] + 1 if names else 0 for side in sides)


def _places(pills: Sequence[str]) -> list[tuple[int, int]]:
    """Left edge and row of every word."""
    places, x, row = [], MARGIN, 0
    for pill in pills:
        width, _ = lettering.box(pill, WORD)
        if x > MARGIN and x + width > SIDE - MARGIN:
            x, row = MARGIN, row + 1
        places.append((x, row))
        x += width + 8
    return places


def _frame(
    image: Image.Image, side: Side, names: Sequence[str], foot: str, rows: int
) -> Image.Image:
    """A card SIDE pixels wide: title, mask, words, foot."""
    image = ImageOps.contain(image, (SIDE, SIDE))  # a small one is enlarged
    mask = render.overlay(image, side.labels, names, max_side=SIDE)
    step, head = lettering.box("A", WORD)[1] + 8, 44
    card = Image.new("RGB", (SIDE, head + mask.height + 12 + rows * step + 40), PAPER)
    draw = ImageDraw.Draw(card)
    draw.text((MARGIN, head / 2), side.title, INK, lettering.font(22), anchor="lm")
    card.paste(mask, ((SIDE - mask.width) // 2, head))
    pills, top = _pills(names, side), head + mask.height + 12
    for pill, colour, (x, row) in zip(pills, palette.of_names(names), _places(pills), strict=True):
        width, height = lettering.box(pill, WORD)
        centre = (x + width / 2, top + row * step + height / 2)
        lettering.pill(draw, centre, pill, WORD, colour, palette.ink_on(colour))
    draw.text((MARGIN, card.height - 20), foot, QUIET, lettering.font(LINE), anchor="lm")
    return card
