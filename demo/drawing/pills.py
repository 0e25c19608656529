"""Words on rounded boxes in a picture; :mod:`demo.drawing.lettering` makes labels of words."""

from functools import lru_cache

from PIL import ImageDraw, ImageFont

from demo.drawing.lettering import FONT, face_of

PAD = 0.32


def font(word: str, size: int) -> ImageFont.FreeTypeFont:
    """The font that draws a word: DejaVu Sans Bold, or one of the machine."""
    face = face_of(word)
    return _loaded(face.path if face else FONT, size)


@lru_cache(64)
def _loaded(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def box(word: str, size: int) -> tuple[int, int]:
    """Width and height in pixels of a word's pill at that font size."""
    pad = round(size * PAD)
    return round(font(word, size).getlength(word)) + 2 * pad + 2, round(size * 1.25) + pad


def pill(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], word: str, size: int, fill: str, ink: str
) -> None:
    """Draw a word on a rounded pill around ``at`` = (x, y)."""
    width, height = box(word, size)
    left, top = at[0] - width / 2, at[1] - height / 2
    draw.rounded_rectangle(
        (left, top, left + width, top + height), height / 3, fill, outline=ink, width=1
    )
    draw.text(at, word, ink, font(word, size), anchor="mm")
