"""How arrays and pictures travel to the browser: packed, within a value or as a blob."""

import base64
import json
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from demo.drawing import render
from demo.host.blob_store import Blob

EXACT = 4
"""Of the patches that a patch looks at, so many travel exactly."""
TYPES = {"u1": np.dtype("u1"), "u2": np.dtype("<u2"), "f4": np.dtype("<f4")}
"""Of arrays, as the browser reads them."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Values from 0 to ``top``; their square roots travel, in ``steps`` (at most 255)."""

    values: ArrayLike
    top: float
    steps: int = 31


def packed(**arrays: ArrayLike | Levels) -> bytes:
    """Arrays by name, deflated: the length of a JSON head, the head, the bytes of all arrays.

    The head has name, type, shape, top and steps of each. Integers travel as uint8 or uint16, by
    their largest; floats as float32.
    """
    head, body = [], []
    for name, given in arrays.items():
        scale: tuple[float, int] = (0.0, 0)
        if isinstance(given, Levels):
            share = np.clip(np.asarray(given.values, np.float32) / max(given.top, 1e-9), 0, 1)
            array = np.rint(np.sqrt(share) * given.steps).astype(np.uint8)
            scale = float(given.top), given.steps
        else:
            array = np.asarray(given)
        kind = "f4"
        if array.dtype.kind != "f":
            kind = "u1" if array.max(initial=0) < 256 else "u2"
        head.append([name, kind, array.shape, *scale])
        body.append(array.astype(TYPES[kind]).tobytes())
    text = json.dumps(head).encode()
    return zlib.compress(b"".join([struct.pack("<I", len(text)), text, *body]), 6)


def packed_text(**arrays: ArrayLike | Levels) -> str:
    """The same within a JSON value: in base64."""
    return base64.b64encode(packed(**arrays)).decode("ascii")


def attention_blob(matrix: ArrayLike, patches: int) -> Blob:
    """A matrix (n, n) of rows that sum to 1, and the exact largest of each row.

    ``times`` (n, n) are multiples of an equal share among ``patches``; ``places`` and ``most``
    (n, EXACT) are each row's largest.
    """
    times = np.asarray(matrix, np.float32) * patches
    places = largest(times, EXACT)
    return Blob(
        packed(
            times=Levels(times, render.full_scale(times)),
            places=places,
            most=np.take_along_axis(times, places, axis=1),
        )
    )


def largest(rows: NDArray[np.float32], count: int) -> NDArray[np.integer]:
    """Where each row's largest are, (n, count); of equal ones the first."""
    others, places = rows.copy(), []
    for _ in range(count):
        places.append(others.argmax(axis=1))
        others[np.arange(len(others)), places[-1]] = -np.inf
    return np.stack(places, axis=1)


def picture_blob(image: Image.Image, max_side: int = 768) -> Blob:
    """A picture as a JPEG of at most ``max_side`` a side."""
    return Blob(render.saved(render.fit(image, max_side), "JPEG", quality=88), "image/jpeg")
