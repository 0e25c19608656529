"""The colour of a class, which depends on its name; the same in light and dark mode.

``palette.txt`` lists natural colours of words (sky, grass, …), then 500 colours for other words.
The first 16 of the 500 are chosen by eye, far from each other and from the natural colours. The hue
of each other colour is the previous hue plus the golden angle; the lightness repeats in a cycle.
"""

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb

NATURAL: dict[str, str] = {}
"""Natural colours by word."""
COLOURS: tuple[str, ...] = ()
for line in Path(__file__).with_suffix(".txt").read_text().splitlines():
    colour, rest = line.split(" ", 1)
    if rest.startswith("#"):
        COLOURS += tuple(line.split())
    else:
        NATURAL |= dict.fromkeys(rest.split(", "), colour)
# The first word of a line in the file keeps its colour: a tree stays green beside bushes.
_PLACE = {word: index for index, word in enumerate(NATURAL)}
USUAL = COLOURS[:16]
APART = 0.05
"""The minimum distance in OKLab of two colours of one image, if enough colours are free."""
NO_CLASS = "#8c8c8c"
INK = "#000000"
PAPER = "#ffffff"


def natural(name: str) -> str | None:
    """The natural colour of a word, or of a phrase's last word; None if there is none."""
    name = name.casefold()
    last = name.split(" ")[-1]
    forms = (name, name.removesuffix("s"), last, last.removesuffix("s"))
    return next((NATURAL[form] for form in forms if form in NATURAL), None)


def of_names(names: Sequence[str]) -> tuple[str, ...]:
    """Colour of each class as ``#rrggbb``; it depends on the names, not on their order.

    If the colours of two names are closer than ``APART``, one name gets another colour.
    """
    digests = {
        name: hashlib.blake2b(name.casefold().encode(), digest_size=8).digest() for name in names
    }
    chosen: dict[str, str] = {}

    def order(name: str) -> tuple[bool, int, bytes, str]:
        listed = _PLACE.get(name.casefold(), len(_PLACE))
        return not natural(name), listed, digests[name], name

    for name in sorted(digests, key=order):
        first = digests[name][-1] % len(USUAL)
        wanted = [natural(name), *USUAL[first:], *USUAL[:first]]
        taken = set(chosen.values())
        free = [c for c in wanted if c and c not in taken]
        apart = (c for c in free if all(_distance(c, other) >= APART for other in taken))
        unused = (c for c in COLOURS if c not in taken)
        chosen[name] = next(apart, None) or next(unused, COLOURS[len(chosen) % len(COLOURS)])
    return tuple(chosen[name] for name in names)


def table(names: Sequence[str]) -> NDArray[np.uint8]:
    """(n+1, 3) uint8 of ``of_names``, the last row "no class": ``table(names)[labels]``."""
    return np.array([getrgb(colour) for colour in (*of_names(names), NO_CLASS)], np.uint8)


@lru_cache(1024)
def ink_on(colour: str) -> str:
    """Black or white: the one with more contrast to ``#rrggbb`` (at least 4.5:1)."""
    return INK if contrast(colour, INK) >= contrast(colour, PAPER) else PAPER


def indexed(labels: NDArray[np.integer], names: Sequence[str] = ()) -> Image.Image:
    """Label map (H, W) as an image of indices: class ``c`` is index ``c``, -1 is 255.

    An 8-bit palette image up to 255 classes, else 16-bit grey with 65535 for -1.
    """
    if max(len(names), int(labels.max(initial=-1)) + 1) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    picture = Image.fromarray(labels.astype(np.uint8), mode="P")
    colours = np.tile(table(()), (256, 1))
    colours[: len(names)] = table(names)[:-1]
    picture.putpalette(colours.tobytes())
    return picture


def contrast(ink: str, paper: str) -> float:
    """WCAG contrast ratio of two ``#rrggbb`` colours, 1 to 21."""
    dark, light = sorted(float(_linear(colour) @ _LUMINANCE) for colour in (ink, paper))
    return (light + 0.05) / (dark + 0.05)


@lru_cache(1024)
def _linear(colour: str) -> NDArray[np.float64]:
    c = np.array(getrgb(colour)) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_TO_CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
_TO_OKLAB = np.array(
    [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
)


@lru_cache(1024)
def _oklab(colour: str) -> tuple[float, ...]:
    return tuple((_TO_OKLAB @ np.cbrt(_TO_CONES @ _linear(colour))).tolist())


def _distance(first: str, second: str) -> float:
    """Distance of two colours in OKLab; 0.02 is just noticeable."""
    return math.dist(_oklab(first), _oklab(second))
