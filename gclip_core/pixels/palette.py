"""The colour of each class, masks as PNG files, and masks over their image."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb
from PIL.PngImagePlugin import PngInfo

from gclip_core import lists
from gclip_core.types import Size
from gclip_core.words.vocabulary import ends

SURROUNDINGS, THINGS = lists.read("surroundings"), lists.read("things")
COLOURS = tuple(f"#{colour}" for colour in (*SURROUNDINGS, *THINGS))
"""The palette, in which any two colours differ clearly."""
OPACITY = 0.54
PAPER = "#ffffff"


def colours(classes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """A colour ``#rrggbb`` for each class, a tuple of synonyms; it is that of its word everywhere.

    Surroundings have their natural colour, such as blue for sky, and things have vivid ones. If an
    earlier class has taken a colour, the next free one of COLOURS is used; when all are taken, they
    begin again.
    """
    chosen = list[str]()
    for synonyms in classes:
        first = COLOURS.index(_own(synonyms))
        ring = COLOURS[first:] + COLOURS[:first]
        taken = chosen[len(chosen) // len(COLOURS) * len(COLOURS) :]
        chosen.append(next(colour for colour in ring if colour not in taken))
    return tuple(chosen)


def _own(synonyms: tuple[str, ...]) -> str:
    """The colour of the first word in a list, else one of the things' by the letters."""
    listed = _listed()
    for word in (end for phrase in synonyms for end in ends(phrase)):
        if word in listed:
            return listed[word]
    letters = crc32(synonyms[0].casefold().encode("utf-8", "replace"))
    return COLOURS[len(SURROUNDINGS) + letters % len(THINGS)]


@cache
def _listed() -> dict[str, str]:
    """The colours of the words in the lists, and of words for which these are the nearest."""
    entries = [*SURROUNDINGS.items(), *THINGS.items()]
    table = {word: f"#{colour}" for colour, words in entries for word in words}
    for name in ("everyday", "nearest", "background"):
        for word, others in lists.read(name).items():
            if word in table:
                table = dict.fromkeys(others, table[word]) | table
    return table


def strength(colour: str) -> float:
    """The factor of a colour's opacity: surroundings are lighter than things."""
    return 2 / 3 if colour[1:] in SURROUNDINGS else 1.0


def indexed(
    labels: NDArray[np.integer], colours: Sequence[str], names: Sequence[str] = ()
) -> bytes:
    """A label map (height, width) as a PNG of indices: class ``c`` is index ``c``, -1 is 255.

    It is an 8-bit palette image for up to 255 classes, else 16-bit grey with 65535 for -1. Its text
    chunk "Classes" is a JSON list of ``names``.
    """
    if len(colours) > 255:
        mask = Image.fromarray(labels.astype(np.uint16))
    else:
        mask = Image.fromarray(labels.astype(np.uint8), mode="P")
        every = [*colours, *["#8c8c8c"] * (256 - len(colours))]
        mask.putpalette([level for colour in every for level in getrgb(colour)])
    info, buffer = PngInfo(), BytesIO()
    info.add_itxt("Classes", json.dumps(list(names), ensure_ascii=False))
    mask.save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def painted(image: Image.Image, labels: NDArray[np.integer], colours: Sequence[str]) -> Image.Image:
    """An image with the classes of a mask of any size in their colours, at the image's size.

    Where there is no class (-1), the image is unchanged. White lines separate classes.
    """
    labels, out = _scaled(labels, (image.height, image.width)), image.copy()
    inks = [(*getrgb(colour), round(255 * OPACITY * strength(colour))) for colour in colours]
    layer = Image.fromarray(np.array([*inks, (0, 0, 0, 0)], np.uint8)[labels])
    out.paste(layer, mask=layer)
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    out.paste(PAPER, mask=Image.fromarray(edge))
    return out


def _scaled(labels: NDArray[np.integer], size: Size) -> NDArray[np.integer]:
    """Labels (height, width) scaled to a size, by nearest neighbour."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(size, labels.shape, strict=True))
    return labels[rows[:, None], columns]
