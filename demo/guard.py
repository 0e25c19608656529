"""Stands before the web server: hides what the page does not need, adds sensible headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API = "/gradio_api"
_NAMED = tuple(f"{API}/{way}/" for way in ("call/v2", "call", "api", "run"))
# Gradio's development and traffic tools, and its way to fetch other hosts' files.
_HIDDEN = (
    "/monitoring",
    *(f"{API}/{tool}" for tool in ("vibe-", "undo-vibe-", "dev/", "proxy=", "process_recording")),
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)


class Guard:
    """ASGI middleware: named calls reach only ``public`` endpoints, tools are not found.

    A frame is not forbidden: a Space shows the page inside one.
    """

    def __init__(self, app: Callable, public: Collection[str]) -> None:
        self.app = app
        self.public = frozenset(public)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not self.allows(_path(scope)):
            await send({"type": "http.response.start", "status": 404, "headers": list(_HEADERS)})
            await send({"type": "http.response.body", "body": b"There is no such endpoint."})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers)

    def allows(self, path: str) -> bool:
        """Whether a request for this path may pass."""
        if path.startswith(_HIDDEN):
            return False
        for way in _NAMED:
            if path.startswith(way):
                return path.removeprefix(way).split("/")[0] in self.public
        return True


def _path(scope: Message) -> str:
    """The requested path without the prefix a proxy serves it under, slashes joined."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return "/" + "/".join(part for part in path.split("/") if part)


def app_settings(page: gr.Blocks) -> dict[str, Any]:
    """What goes to ``launch(app_kwargs=…)``: the guard, knowing the page's public endpoints."""
    # The page itself calls by name what does not queue; all else it calls through the queue.
    public = {
        str(function.api_name)
        for function in page.fns.values()
        if function.api_name and (function.api_visibility != "private" or not function.queue)
    }
    return {"middleware": [Middleware(Guard, public=public)], "openapi_url": None}
