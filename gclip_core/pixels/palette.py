"""The colour of each class, masks as pictures, and masks over their photo."""

import json
import math
from collections.abc import Iterator, Sequence
from io import BytesIO

import colorcet
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb
from PIL.PngImagePlugin import PngInfo

from gclip_core.types import Size

COLOURS: tuple[str, ...] = tuple(
    "#{:02x}{:02x}{:02x}".format(*levels)
    for levels in np.rint(255 * np.array(colorcet.glasbey_category10)).astype(int).tolist()
    if max(levels) >= 150 and max(levels) - min(levels) >= 100
)
"""The bright ones of 256 well-separated colours (Glasbey et al. 2007), which are rare in photos."""
NEAR = 120.0
"""Minimum distance, in sRGB levels, of a class's colour from the mean colour under it."""
CHOICE = 10
"""Number of colours to choose from; more if there are more classes."""
LEAST_HUE = 30.0
"""In sRGB levels: below this distance from grey, a class's hue counts less."""
ORDER = 0.02
"""Cost of taking a later colour; a colour of the opposite hue costs 2 more than one of the same."""
OPACITY = 0.6
PAPER = "#ffffff"


def choose(n: int, labels: NDArray[np.integer], picture: Image.Image) -> tuple[str, ...]:
    """A colour ``#rrggbb`` for each of ``n`` classes, all different if COLOURS has as many.

    Among the first COLOURS, a class prefers the hue of ``picture`` where ``labels`` (height,
    width) has it, such as blue for a blue sky, but its colour differs clearly from the mean colour
    there. Earlier classes choose first, so another one at the end hardly changes their colours.
    Classes without a hue take the colours in their order.
    """
    size = min(256, picture.height), min(256, picture.width)
    pixels = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.NEAREST))
    at = _scaled(labels, size)
    free = (COLOURS * math.ceil(n / len(COLOURS)))[: max(n, CHOICE)]
    levels = np.array([getrgb(colour) for colour in free], float)
    cost = np.tile(ORDER * np.arange(len(free)), (n, 1))
    for index in np.unique(at[at >= 0]):
        mean = pixels[at == index].mean(0)
        hues, hue = levels - levels.mean(1, keepdims=True), mean - mean.mean()
        likeness = hues @ hue / np.linalg.norm(hues, axis=1) / max(np.linalg.norm(hue), LEAST_HUE)
        is_near = np.linalg.norm(levels - mean, axis=1) < NEAR
        cost[index] += np.where(is_near, len(free), -likeness)
    chosen = list[int]()
    for row in cost:
        row[chosen] = np.inf
        chosen.append(int(row.argmin()))
    return tuple(free[index] for index in chosen)


def indexed(
    labels: NDArray[np.integer], colours: Sequence[str], names: Sequence[str] = ()
) -> bytes:
    """A label map (height, width) as a PNG of indices: class ``c`` is index ``c``, -1 is 255.

    It is an 8-bit palette image for up to 255 classes, else 16-bit grey with 65535 for -1. Its text
    chunk "Classes" is a JSON list of ``names``.
    """
    if len(colours) > 255:
        picture = Image.fromarray(labels.astype(np.uint16))
    else:
        picture = Image.fromarray(labels.astype(np.uint8), mode="P")
        every = [*colours, *["#8c8c8c"] * (256 - len(colours))]
        picture.putpalette([level for colour in every for level in getrgb(colour)])
    info, buffer = PngInfo(), BytesIO()
    info.add_itxt("Classes", json.dumps(list(names), ensure_ascii=False))
    picture.save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def cut_outs(
    picture: Image.Image, labels: NDArray[np.integer], names: Sequence[str]
) -> Iterator[tuple[str, Image.Image]]:
    """For each class that has pixels, a file name and the photo, transparent elsewhere, without
    margins.

    Transparent pixels are black, so the file does not contain what was cut away.
    """
    opaque, number = np.asarray(picture.convert("RGBA")), 0
    for index, name in enumerate(names):
        inside = labels == index
        if inside.any():
            number += 1
            safe = "".join(letter if letter.isalnum() else "-" for letter in name)[:40]
            cut = Image.fromarray(opaque * inside[..., None])
            yield f"{number}-{safe}.png", cut.crop(cut.getbbox())


def painted(
    picture: Image.Image, labels: NDArray[np.integer], colours: Sequence[str]
) -> Image.Image:
    """A photo with the classes of a mask of any size in their colours, at the photo's size.

    Where there is no class (-1), the photo is unchanged. Under the colours, it is grey, so that
    they look the same everywhere. White lines separate classes.
    """
    labels, out = _scaled(labels, (picture.height, picture.width)), picture.copy()
    table = np.array([getrgb(colour) for colour in colours], np.uint8)
    flat = Image.fromarray(table.take(labels, axis=0, mode="wrap"))  # more classes begin again
    colour = Image.blend(picture.convert("L").convert("RGB"), flat, OPACITY)
    out.paste(colour, mask=Image.fromarray(labels >= 0))
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    out.paste(PAPER, mask=Image.fromarray(edge))
    return out


def _scaled(labels: NDArray[np.integer], size: Size) -> NDArray[np.integer]:
    """Labels (height, width) scaled to a size, by nearest neighbour."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(size, labels.shape, strict=True))
    return labels[rows[:, None], columns]
