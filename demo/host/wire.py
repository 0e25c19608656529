"""Packs what Gradio sends as it is (the page, its configuration, the stream of answers), and makes
the page's document light."""

import json
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any

from gradio.brotli_middleware import BrotliResponder, Mode
from starlette.datastructures import Headers, MutableHeaders
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


_CONFIG, _END = b"window.gradio_config = ", b";</script>"
_UNREAD = ("api_info", "api_info_as_input", "api_info_as_output")
"""What a component's configuration says to programs, which ask for it elsewhere."""
_DEFAULTS: dict[str, Any] = {
    "api_description": None, "batch": False, "cancels": [], "collects_event_data": False,
    "component_prop_inputs": [], "connection": "sse", "event_specific_args": None, "js": None,
    "js_implementation": None, "max_batch_size": 4, "render_id": None, "rendered_in": None,
    "scroll_to_output": False, "show_progress_on": None, "stream_every": 0.5, "time_limit": None,
    "trigger_after": None, "trigger_only_on_failure": False, "trigger_only_on_success": False,
}  # fmt: skip
"""What an event means where its configuration does not say it."""


class Document:
    """ASGI middleware: the page's document gets ``head`` as the first of its tags, and loses what
    its configuration says to nobody."""

    def __init__(self, app: Callable, head: str = "") -> None:
        self.app = app
        self.head = head.encode()

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable, send: Callable
    ) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or "." in scope["path"]:
            await self.app(scope, receive, send)
            return
        start: MutableMapping[str, Any] | None = None
        body = b""

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                if headers.get("content-type", "").startswith("text/html"):
                    start = message
                    return
            if start is None:
                await send(message)
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                body = light(body, self.head)
                MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, answer)


@lru_cache(8)
def light(document: bytes, head: bytes) -> bytes:
    """The document with these tags in front, and a configuration of what is read alone."""
    before, found, rest = document.partition(_CONFIG)
    config, ended, after = rest.partition(_END)
    if not (found and ended):
        return document
    try:
        made = json.loads(config)
        for one in made["components"]:
            for name in _UNREAD:
                one.pop(name, None)
        for one in made["dependencies"]:
            for name, value in _DEFAULTS.items():
                if name in one and one[name] == value:
                    del one[name]
        config = json.dumps(made, separators=(",", ":"), ensure_ascii=True).encode()
        for sign, escaped in ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026")):
            config = config.replace(sign, escaped)
    except (ValueError, LookupError, TypeError):
        pass  # another Gradio's: sent as it came
    return before.replace(b"<head>", b"<head>" + head, 1) + found + config + ended + after
