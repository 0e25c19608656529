"""Class colours: fixed by the class's name, the same in light and dark mode.

``palette.txt`` holds 500. The first 24 were chosen one after the other, each as far as possible
from all before it in OKLab as seen with normal, protan and deutan vision, within a calm range of
lightness and chroma. From the 25th on the hue turns by the golden angle while lightness cycles.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb

COLOURS = tuple(Path(__file__).with_suffix(".txt").read_text("ascii").split())
FIRST = COLOURS[:24]
USUAL = 16
"""How many of them a name asks for first: the earlier ones are easier to tell apart."""
NO_CLASS = "#8c8c8c"
INK = "#000000"
PAPER = "#ffffff"


def numbered(index: int) -> str:
    """A colour as ``#rrggbb`` by its place among all, from 0; after 500 they begin again."""
    return COLOURS[index % len(COLOURS)]


def of_names(names: Sequence[str]) -> tuple[str, ...]:
    """Colour of each class as ``#rrggbb``, whatever the order: its name decides.

    Where two names want one colour the same one of them takes the next that is free.
    """
    return _of_names(tuple(names))


@lru_cache(64)
def _of_names(names: tuple[str, ...]) -> tuple[str, ...]:
    wanted = {name: hashlib.blake2b(name.casefold().encode(), digest_size=8).digest()
              for name in names}  # fmt: skip
    free, place = list(range(len(FIRST))), {}
    for name in sorted(wanted, key=lambda name: (wanted[name], name)):
        first = wanted[name][-1] % USUAL
        near = [*(i for i in free if i >= first and i < USUAL), *free]
        place[name] = near[0] if near else len(place)
        free = [i for i in free if i != place[name]]
    return tuple(numbered(place[name]) for name in names)


def table(names: Sequence[str]) -> NDArray[np.uint8]:
    """(n+1, 3) uint8 of :func:`of_names`, the last row "no class": ``table(names)[labels]``."""
    return np.array([getrgb(colour) for colour in (*of_names(names), NO_CLASS)], np.uint8)


@lru_cache(1024)
def ink_on(colour: str) -> str:
    """Ink or paper, whichever reads better on ``#rrggbb`` (at least 4.5:1)."""
    return INK if contrast(colour, INK) >= contrast(colour, PAPER) else PAPER


def indexed(labels: NDArray[np.integer], names: Sequence[str] = ()) -> Image.Image:
    """Label map (H, W) as a picture of indices: class ``c`` is index ``c``, -1 is 255.

    An 8-bit palette picture up to 255 classes, else 16-bit grey with 65535 for -1.
    """
    if max(len(names), int(labels.max(initial=-1)) + 1) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    picture = Image.fromarray(labels.astype(np.uint8), mode="P")
    colours = np.tile(table(()), (256, 1))
    colours[: len(names)] = table(names)[:-1]
    picture.putpalette(colours.tobytes())
    return picture


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two ``#rrggbb`` colours, 1 to 21."""
    dark, light = sorted((_luminance(getrgb(one)), _luminance(getrgb(other))))
    return (light + 0.05) / (dark + 0.05)


def _luminance(rgb: tuple[int, int, int]) -> float:
    c = np.array(rgb) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
