"""What the browser fetches by name, once, and keeps: pictures and matrices, and how arrays travel.

The value of an event contains their names alone. A blob is made when it is first fetched, after the
mask is shown, and never again while a browser keeps it.
"""

import base64
import hashlib
import json
import secrets
import struct
import threading
import zlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo.drawing import render
from gclip_core.cache import BoundedCache
from gclip_core.errors import GclipError

MADE_BYTES = 48 * 2**20
OFFERED_BYTES = 16 * 2**20
"""Of the requests from which blobs can be made."""
AT_WORK = 2
"""Blobs that are made at a time, beside the page's own queue."""
LOOKS = 4
"""Of the patches that a patch looks at, so many travel exactly."""
FOREVER = "private, max-age=31536000, immutable"
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


@dataclass(frozen=True)
class Blob:
    """Bytes as they travel, and their type."""

    body: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, eq=False)
class Offered:
    """What makes a blob, and the bytes of the request that it keeps."""

    make: Callable[[], Blob]
    nbytes: int = 1024


Offers = dict[str, Offered]
_offered: ContextVar[tuple[Offers, int] | None] = ContextVar("offered", default=None)


class BlobStore:
    """Blobs by name, which cannot be guessed and is a digest of all that the blob depends on."""

    def __init__(self, made: int = MADE_BYTES, offered: int = OFFERED_BYTES) -> None:
        self._salt = secrets.token_bytes(16)
        self._at_work = threading.Semaphore(AT_WORK)
        self._offered: BoundedCache[Offered] = BoundedCache(offered, lambda one: one.nbytes)
        self._made: BoundedCache[Blob] = BoundedCache(made, lambda blob: len(blob.body))

    def offer(self, key: Hashable, make: Callable[[], Blob]) -> str:
        """The name under which ``make`` is called once; ``key`` is all that it depends on.

        ``make`` is kept for long: it should refer to the request, not to what was computed.
        """
        name = hashlib.blake2b(repr(key).encode(), key=self._salt, digest_size=16).hexdigest()
        offers, nbytes = _offered.get() or ({}, 0)
        offers[name] = Offered(make, 1024 + nbytes)
        self.renew({name: offers[name]})
        return name

    @contextmanager
    def offers(self, nbytes: int = 0) -> Iterator[Offers]:
        """What is offered meanwhile, by name; each keeps a request of so many bytes."""
        made: Offers = {}
        token = _offered.set((made, nbytes))
        try:
            yield made
        finally:
            _offered.reset(token)

    def renew(self, offers: Offers) -> None:
        """Offer again what a cached answer names."""
        for name, offered in offers.items():
            self._offered.put(name, offered)

    def clear(self) -> None:
        """Drop all of it."""
        self._offered.clear()
        self._made.clear()

    def route(self) -> Route:
        """Where the web server finds them."""

        def answer(request: Request) -> Response:
            name = request.path_params["name"]
            offered = self._offered.get(name)
            if offered is None:
                return PlainTextResponse("This is not kept any more.", 404)
            try:
                with self._at_work:
                    blob = self._made.get_or_make(name, offered.make)
            except GclipError as error:
                return PlainTextResponse(str(error), 410)
            headers = {"cache-control": FOREVER}
            return Response(blob.body, media_type=blob.media_type, headers=headers)

        return Route("/blob/{name}", answer)


def attention_blob(matrix: ArrayLike, patches: int) -> Blob:
    """A matrix (n, n) of rows that sum to 1, and the exact largest of each row.

    ``times`` (n, n) are multiples of an equal share among ``patches``; ``places`` and ``most``
    (n, LOOKS) are each row's largest.
    """
    times = np.asarray(matrix, np.float32) * patches
    places = largest(times, LOOKS)
    return Blob(
        packed(
            times=Levels(times, render.full_scale(times)),
            places=places,
            most=np.take_along_axis(times, places, axis=1),
        )
    )


def largest(rows: NDArray[np.float32], count: int) -> NDArray[np.integer]:
    """Where each row's largest are, (n, count); of equal ones the first."""
    left, places = rows.copy(), []
    for _ in range(count):
        places.append(left.argmax(axis=1))
        left[np.arange(len(left)), places[-1]] = -np.inf
    return np.stack(places, axis=1)


def picture_blob(image: Image.Image, max_side: int = 768) -> Blob:
    """A picture as a JPEG of at most ``max_side`` a side."""
    return Blob(render.saved(render.fit(image, max_side), "JPEG", quality=88), "image/jpeg")


STORE = BlobStore()
"""The blobs of this process; the page serves them."""
