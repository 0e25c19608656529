"""The colour of each class, masks as pictures, and masks over their photo."""

import math
from collections.abc import Sequence

import colorcet
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb

from gclip_core.types import Size

COLOURS: tuple[str, ...] = tuple(
    "#{:02x}{:02x}{:02x}".format(*levels)
    for levels in np.rint(255 * np.array(colorcet.glasbey_category10)).astype(int).tolist()
    if max(levels) >= 150 and max(levels) - min(levels) >= 100
)
"""The bright ones of 256 well-separated colours (Glasbey et al. 2007), which are rare in photos."""
NEAR = 120.0
"""Minimum distance, in sRGB levels, of a class's colour from the mean colour under it."""
OPACITY = 0.6
PAPER = "#ffffff"


def choose(n: int, labels: NDArray[np.integer], picture: Image.Image) -> tuple[str, ...]:
    """A colour ``#rrggbb`` for each of ``n`` classes, in the order of COLOURS.

    A class takes the first free colour that differs from the mean colour of ``picture`` where
    ``labels`` (H, W) has the class, so that a red flower is not painted red.
    """
    size = min(256, picture.height), min(256, picture.width)
    pixels = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.NEAREST))
    at, free, chosen = _scaled(labels, size), list(COLOURS), []
    for index in range(n):
        under = pixels[at == index]
        mean = under.mean(0) if len(under) else (math.inf,) * 3
        seen = (colour for colour in free if math.dist(getrgb(colour), mean) >= NEAR)
        chosen.append(next(seen, free[0]))
        free.remove(chosen[-1])
        free = free or list(COLOURS)
    return tuple(chosen)


def indexed(labels: NDArray[np.integer], colours: Sequence[str]) -> Image.Image:
    """A label map (H, W) as an image of indices: class ``c`` is index ``c``, -1 is 255.

    It is an 8-bit palette image for up to 255 classes, else 16-bit grey with 65535 for -1.
    """
    if len(colours) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    picture = Image.fromarray(labels.astype(np.uint8), mode="P")
    every = [*colours, *["#8c8c8c"] * (256 - len(colours))]
    picture.putpalette([level for colour in every for level in getrgb(colour)])
    return picture


def painted(
    picture: Image.Image, labels: NDArray[np.integer], colours: Sequence[str]
) -> Image.Image:
    """A photo with the classes of a mask of any size in their colours, at the photo's size.

    Where there is no class (-1), the photo is unchanged. Under the colours, it is grey, so that
    they look the same everywhere. White lines separate classes.
    """
    labels, out = _scaled(labels, (picture.height, picture.width)), picture.copy()
    table = np.array([getrgb(colour) for colour in (*colours, PAPER)], np.uint8)
    colour = Image.blend(
        picture.convert("L").convert("RGB"), Image.fromarray(table[labels]), OPACITY
    )
    out.paste(colour, mask=Image.fromarray(labels >= 0))
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    out.paste(PAPER, mask=Image.fromarray(edge))
    return out


def _scaled(labels: NDArray[np.integer], size: Size) -> NDArray[np.integer]:
    """Labels (H, W) scaled to a size, by nearest neighbour."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(size, labels.shape, strict=True))
    return labels[rows[:, None], columns]
