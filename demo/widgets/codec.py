"""Arrays as the browser reads them: one deflated run of bytes, opened by ``demo/web/blobs.js``."""

import base64
import json
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

TYPES = {"u1": np.dtype("u1"), "u2": np.dtype("<u2"), "f4": np.dtype("<f4")}


@dataclass(frozen=True, eq=False)
class Levels:
    """Values from 0 to ``top``, larger ones as ``top``; the square root travels in ``steps``."""

    values: ArrayLike
    top: float
    steps: int = 31

    def quantised(self) -> NDArray[np.uint8]:
        """Levels from 0 to ``steps`` (at most 255)."""
        share = np.clip(np.asarray(self.values, np.float32) / max(self.top, 1e-9), 0, 1)
        return np.rint(np.sqrt(share) * self.steps).astype(np.uint8)


def packed(**arrays: ArrayLike | Levels) -> bytes:
    """Arrays by name, deflated: the length of a JSON head, the head, the bytes of all arrays.

    The head has name, type, shape, top and steps of each. Integers travel as uint8 or uint16, by
    their largest; floats as float32.
    """
    head, body = [], []
    for name, given in arrays.items():
        scale: tuple[float, int] = (0.0, 0)
        if isinstance(given, Levels):
            array, scale = given.quantised(), (float(given.top), given.steps)
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
