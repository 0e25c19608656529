"""What the browser fetches by name, once, and keeps: pictures and matrices.

A value that goes through the page's event names them only; what is named is made when it is first
fetched, after the mask is there, and never again while a browser keeps it.
"""

import gzip
import hashlib
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

HELD_BYTES = 48 * 2**20
MAKERS = 4096
AT_WORK = 2
"""Things that are made at a time, beside the page's own queue."""
MATRIX_BYTES = 96_000
"""What a packed matrix may take on the wire: coarser levels are taken until it does."""
LEVELS = (32, 24, 16, 10)
FOREVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Thing:
    """Bytes as they travel, and their type."""

    body: bytes
    media_type: str
    packed: bool = False


Offers = dict[str, Callable[[], Thing]]
_offered: ContextVar[Offers | None] = ContextVar("offered", default=None)


class Held:
    """Things by name. A name cannot be guessed, and says all that the thing was made from."""

    def __init__(self, limit: int = HELD_BYTES) -> None:
        self._salt = secrets.token_bytes(16)
        self._at_work = threading.Semaphore(AT_WORK)
        self._makers: BoundedCache[Callable[[], Thing]] = BoundedCache(MAKERS)
        self._made: BoundedCache[Thing] = BoundedCache(limit, lambda thing: len(thing.body))

    def offer(self, key: Hashable, make: Callable[[], Thing]) -> str:
        """The name under which ``make`` is called once; ``key`` is all that it depends on.

        ``make`` is kept for long, so it should hold what to ask for, not what was found.
        """
        name = hashlib.blake2b(repr(key).encode(), key=self._salt, digest_size=16).hexdigest()
        self._makers.put(name, make)
        offers = _offered.get()
        if offers is not None:
            offers[name] = make
        return name

    @contextmanager
    def offers(self) -> Iterator[Offers]:
        """What is offered meanwhile, by name, for :meth:`renew`."""
        made: Offers = {}
        token = _offered.set(made)
        try:
            yield made
        finally:
            _offered.reset(token)

    def renew(self, offers: Offers) -> None:
        """Offer again what an answer names that was kept for longer than its offers were."""
        for name, make in offers.items():
            self._makers.put(name, make)

    def route(self) -> Route:
        """Where the web server finds them."""

        def answer(request: Request) -> Response:
            name = request.path_params["name"]
            make = self._makers.get(name)
            if make is None:
                return PlainTextResponse("This is not kept any more.", 404)
            try:
                with self._at_work:
                    thing = self._made.get_or_make(name, make)
            except GclipError as error:
                return PlainTextResponse(str(error), 410)
            packing = {"content-encoding": "gzip"} if thing.packed else {}
            headers = {"cache-control": FOREVER, **packing}
            return Response(thing.body, media_type=thing.media_type, headers=headers)

        return Route("/held/{name}", answer)


def matrix_thing(matrix: ArrayLike, patches: int) -> Thing:
    """A matrix (n, n) of rows that sum to 1, for drawing; and each row's two largest, exactly.

    Little-endian: n, number of levels, the attention of the highest level; n × 2 places (uint16),
    n × 2 attentions (float32), n × n levels, each row the difference to the one above.
    Attention is in multiples of an equal share among ``patches``.
    """
    times = np.asarray(matrix, np.float32) * patches
    places, top = largest(times, 2), max(render.full_scale(times), 1e-9)
    most = np.take_along_axis(times, places, axis=1)
    exact = places.astype("<u2").tobytes() + most.astype("<f4").tobytes()
    share = np.clip(times / top, 0, 1)
    for count in LEVELS:
        body = from_above(np.rint(share * (count - 1)).astype(np.uint8)).tobytes()
        # Packed well it takes three quarters of this or more.
        if count > LEVELS[-1] and 0.75 * len(zlib.compress(body, 1)) > MATRIX_BYTES:
            continue
        head = struct.pack("<IIf", len(times), count, top)
        packed = gzip.compress(head + exact + body, 5, mtime=0)
        if len(packed) <= MATRIX_BYTES:
            break
    return Thing(packed, "application/octet-stream", packed=True)


def largest(rows: NDArray[np.float32], count: int) -> NDArray[np.integer]:
    """Where each row's largest are, (n, count); of equal ones the first."""
    left, places = rows.copy(), []
    for _ in range(count):
        places.append(left.argmax(axis=1))
        left[np.arange(len(left)), places[-1]] = -np.inf
    return np.stack(places, axis=1)


def from_above(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each row less the one above it, modulo 256: packs smaller where rows are alike."""
    out = rows.copy()
    out[1:] -= rows[:-1]
    return out


def picture_thing(image: Image.Image, max_side: int = 768) -> Thing:
    """A picture as a JPEG of at most ``max_side`` a side."""
    return Thing(render.saved(render.fit(image, max_side), "JPEG", quality=88), "image/jpeg")


STORE = Held()
"""What this process holds; the page serves it."""
