"""Packs what Gradio sends as it is: the page, its configuration, the stream of answers."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from gradio.brotli_middleware import BrotliResponder, Mode
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware

QUALITY = 5
LEAST_BYTES = 500
_PACKED_ALREADY = ("/held/", "/file=", "/upload")


class Packed:
    """ASGI middleware: Brotli where the browser takes it, else gzip.

    Gradio packs paths with a script's or a style's ending by itself; what else has an ending is a
    file of its own kind. Brotli is flushed with every message, so that a stream of answers flows as
    before; gzip leaves streams alone.
    """

    def __init__(self, app: Callable) -> None:
        self.app = app
        self.gzip = GZipMiddleware(app, LEAST_BYTES, compresslevel=6)

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable, send: Callable
    ) -> None:
        if scope["type"] != "http" or not packs(scope["path"]):
            await self.app(scope, receive, send)
        elif "br" in Headers(scope=scope).get("accept-encoding", ""):
            packer = BrotliResponder(self.app, QUALITY, Mode.text, 22, 0, LEAST_BYTES)
            await packer(scope, receive, send)
        else:
            await self.gzip(scope, receive, send)


def packs(path: str) -> bool:
    """Whether what is at this path is text that nobody else packs."""
    return "." not in path and not any(part in path for part in _PACKED_ALREADY)
