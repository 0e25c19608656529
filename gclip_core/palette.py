"""Class colours: fixed by the class's name, the same in light and dark mode.

The first 24 were chosen one after the other, each as far as possible from all before it in OKLab
as seen with normal, protan and deutan vision, within a calm range of lightness and chroma.
Class 25 and up turn the hue by the golden angle while lightness cycles.
"""

import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb

FIRST = (
    "#508ad3", "#73e6a0", "#952a1e", "#cec0ff", "#6b3d89", "#de852f", "#006f61", "#f6c24b",
    "#90bfbb", "#946b18", "#a760a1", "#5eb473", "#535ebb", "#09afd4", "#6c875d", "#ca9bfe",
    "#c784b8", "#6be1da", "#b24978", "#f0979e", "#4c5b3d", "#feba82", "#cdb34b", "#66486d",
)  # fmt: skip
USUAL = 16
"""How many of them a name asks for first: the earlier ones are easier to tell apart."""
NO_CLASS = "#8c8c8c"
INK = "#000000"
PAPER = "#ffffff"

_OKLAB_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728],
     [1, -0.0894841775, -1.2914855480]]
)  # fmt: skip
_LMS_TO_RGB = np.array(
    [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965],
     [-0.0041960863, -0.7034186147, 1.7076147010]]
)  # fmt: skip
GOLDEN_ANGLE = 137.50776


@cache
def numbered(index: int) -> str:
    """A colour as ``#rrggbb`` by its place among all, from 0."""
    return FIRST[index] if index < len(FIRST) else _by_rule(index)


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


def _by_rule(index: int) -> str:
    lightness = (0.52, 0.78, 0.64, 0.86, 0.45)[index % 5]
    chroma = (0.12, 0.09)[index // 5 % 2]
    hue = np.deg2rad(index * GOLDEN_ANGLE % 360)
    lab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    linear = np.clip(_LMS_TO_RGB @ (_OKLAB_TO_LMS @ lab) ** 3, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#{:02x}{:02x}{:02x}".format(*np.rint(255 * srgb).astype(int))
