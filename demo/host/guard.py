"""Stands before the web server: hides what the page does not need, bounds what comes in, and
answers in words where a request breaks the server."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

import gradio as gr
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger(__name__)

API = "/gradio_api"
MAX_FILE_BYTES = 64 * 2**20
MAX_BODY_BYTES = 4 * 2**20
"""Of a request that uploads no file: settings and words are far below it."""
MAX_WAITING = 200
"""Requests that may wait in the queue; whoever comes then is told that the page is busy."""

_UPLOAD = f"{API}/upload"
_FORM_BYTES = 64 * 2**10
_DRAIN_SECONDS = 10
_NAMED = tuple(f"{API}/{way}/" for way in ("call/v2", "call", "api", "run"))
# Gradio's tools for development and traffic, its way to fetch other hosts' files, what it would
# keep of visitors' runs and states, and what only pages with components of their own need.
_HIDDEN = (
    "/monitoring",
    *(
        f"{API}/{tool}"
        for tool in (
            "vibe-", "undo-vibe-", "dev/", "proxy=", "process_recording", "run-history", "runs",
            "deep_link", "component_server", "custom_component", "openapi", "profiling", "stream/",
        )
    ),
)  # fmt: skip
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)


class Pending:
    """Requests that wait in the queue, are computed, or whose answers are not read yet."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._events)

    def joined(self, event: str, session: str) -> None:
        """A request came in."""
        self._events[event] = (session, time.monotonic())

    def answered(self, event: str) -> None:
        """Its answer was read, or nobody waits for it any more."""
        self._events.pop(event, None)

    def left(self, session: str) -> None:
        """The stream of a session's answers ended; Gradio drops what waits for it."""
        for event, (whose, _) in list(self._events.items()):
            if whose == session:
                self.answered(event)


class Guard:
    """ASGI middleware: named calls reach only ``public`` endpoints, tools are not found, bodies
    are bounded, and what the server trips over is answered in words.

    A frame is not forbidden: a Space shows the page inside one.
    """

    def __init__(
        self,
        app: Callable,
        public: Collection[str],
        pending: Pending | None = None,
        ending: threading.Event | None = None,
    ) -> None:
        self.app = app
        self.public = frozenset(public)
        self.pending = pending or Pending()
        self.ending = ending or threading.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _path(scope)
        body = _Body(receive, path == _UPLOAD)
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
                await body.drain()
            await send(message)

        async def say(status: int, words: str) -> None:
            await PlainTextResponse(words, status)(scope, body.receive, answer)

        if not self.allows(path):
            await say(404, "There is no such endpoint.")
        elif self.ending.is_set() and scope["method"] == "POST":
            await say(503, "This page is being ended; try again in a minute.")
        elif body.announced(scope) > body.limit:
            await say(413, body.too_large)
        else:
            try:
                await self.app(scope, body.receive, answer)
            except ClientDisconnect:
                return
            except (UnicodeError, RecursionError):
                await say(400, "This request could not be read.")
            except Exception as error:
                # Left to the server, it would end the connection, and the next request with it.
                if answered:
                    logger.warning("a web request broke off: %s", type(error).__name__)
                    with contextlib.suppress(Exception):  # it may have been whole already
                        await send({"type": "http.response.body", "body": b""})
                    return
                logger.exception("a web request could not be answered")
                await say(500, "This request could not be answered.")

    def allows(self, path: str) -> bool:
        """Whether a request for this path may pass."""
        if path.startswith(_HIDDEN):
            return False
        for way in _NAMED:
            if path.startswith(way):
                return path.removeprefix(way).split("/")[0] in self.public
        return True


class _Body:
    """A request's body, counted; beyond ``limit`` bytes it is refused."""

    def __init__(self, receive: Receive, upload: bool) -> None:
        self._receive = receive
        self._ended = False
        self._read = 0
        self._upload = upload
        self.limit = MAX_FILE_BYTES + _FORM_BYTES if upload else MAX_BODY_BYTES
        self.too_large = (
            f"A request of at most {self.limit // 2**20} MB was expected, but this one exceeds the "
            "maximum allowed size."
        )

    def announced(self, scope: Message) -> int:
        """The length that its header names; 0 where there is none."""
        length = dict(scope["headers"]).get(b"content-length", b"")
        return int(length[:20]) if length.isdigit() else 0

    async def receive(self) -> Message:
        """The next part of the body.

        Raises:
            HTTPException: it is too large.
            MultiPartException: the same for an upload, or it was cut off: on no other error does
                Gradio remove what it has already written of the file.
        """
        message = await self._next()
        if self._read > self.limit:
            if self._upload:
                raise MultiPartException(self.too_large)
            raise HTTPException(413, self.too_large)
        if self._upload and message["type"] == "http.disconnect":
            raise MultiPartException("The upload was cut off.")
        return message

    async def drain(self) -> None:
        """Read on before answering, for who still sends hears nothing; but not without end."""
        most = self._read + 2 * self.limit
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._ended and self._read < most:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


def _path(scope: Message) -> str:
    """The requested path without the prefix a proxy serves it under, slashes joined."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return "/" + "/".join(part for part in path.split("/") if part)


def app_settings(
    page: gr.Blocks, pending: Pending | None = None, ending: threading.Event | None = None
) -> dict[str, Any]:
    """What goes to ``launch(app_kwargs=…)``: the guard, knowing the page's public endpoints.

    Once ``ending`` is set no new work is taken in. Answers are compressed, their stream is not.
    """
    # The page itself calls by name what does not queue; all else it calls through the queue.
    public = {
        str(function.api_name)
        for function in page.fns.values()
        if function.api_name and (function.api_visibility != "private" or not function.queue)
    }
    stack = [
        Middleware(GZipMiddleware, minimum_size=500, compresslevel=6),
        Middleware(Guard, public=public, pending=pending, ending=ending),
    ]
    return {"middleware": stack, "openapi_url": None}
