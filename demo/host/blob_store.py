"""What browsers fetch by name, once, and keep: pictures and matrices.

An answer contains their names alone. A blob is made when it is first fetched, after the mask is
shown, and never again while a browser keeps it.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gclip_core.cache import BoundedCache
from gclip_core.errors import GclipError

FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
"""Headers of a blob, which its name alone decides."""
MADE_BYTES = 32 * 2**20
NAMED_BYTES = 16 * 2**20
"""Of the requests from which blobs can be made."""
AT_WORK = 1
"""Blobs that are made at a time, beside the page's own queue; some need a mask's memory."""


@dataclass(frozen=True)
class Blob:
    """Bytes as they travel, and their type."""

    body: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True)
class LazyBlob:
    """A blob by its name, which ``make`` makes when it is first fetched.

    ``nbytes`` are those of the request that ``make`` keeps.
    """

    name: str
    make: Callable[[], Blob] = field(compare=False, repr=False)
    nbytes: int = field(default=0, compare=False, repr=False)


class BlobStore:
    """Blobs by name, which cannot be guessed and is a digest of all that the blob depends on."""

    def __init__(self, made: int = MADE_BYTES, named: int = NAMED_BYTES) -> None:
        self._salt = secrets.token_bytes(16)
        self._places = asyncio.Semaphore(AT_WORK)
        self._named: BoundedCache[LazyBlob] = BoundedCache(named, lambda lazy: 1024 + lazy.nbytes)
        self._made: BoundedCache[Blob] = BoundedCache(made, lambda blob: len(blob.body))

    def lazy(self, key: Hashable, make: Callable[[], Blob], nbytes: int = 0) -> LazyBlob:
        """A blob with a name; ``key`` is all that it depends on.

        ``make`` is kept for long: it should refer to the request, not to what was computed.
        """
        name = hashlib.blake2b(repr(key).encode(), key=self._salt, digest_size=16).hexdigest()
        return LazyBlob(name, make, nbytes)

    def put(self, every: Iterable[LazyBlob]) -> None:
        """From now on these can be fetched."""
        for lazy in every:
            self._named.put(lazy.name, lazy)

    def get(self, name: str) -> Blob | None:
        """The blob of a name, made the first time; None for a name that is not kept.

        Raises:
            GclipError: it cannot be made any more.
        """
        lazy = self._named.get(name)
        return None if lazy is None else self._made.get_or_make(name, lazy.make)

    async def fetch(self, name: str) -> Blob | None:
        """The same, made in a thread; who waits for a place needs none.

        Raises:
            GclipError: it cannot be made any more.
        """
        blob = self._made.get(name)
        if blob is None and self._named.get(name) is not None:
            async with self._places:
                blob = await run_in_threadpool(self.get, name)
        return blob

    def clear(self) -> None:
        """Drop all of it."""
        self._named.clear()
        self._made.clear()


def route(store: BlobStore) -> Route:
    """Where browsers fetch the blobs of a store."""

    async def blob(request: Request) -> Response:
        try:
            content = await store.fetch(request.path_params["name"])
        except GclipError as error:
            return PlainTextResponse(str(error), 410)
        if content is None:
            return PlainTextResponse("This is not kept any more.", 404)
        return Response(content.body, media_type=content.media_type, headers=FOREVER)

    return Route("/blob/{name}", blob)
