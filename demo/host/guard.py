"""Middleware before Gradio: bounds each request in bytes and time, and counts those that wait.

It uses Gradio's public routes only: requests join the queue by ``/queue/join`` and ``/call/NAME``,
and answers are server-sent events. What a proxy does better (slow connections, requests a minute of
one address) is the proxy's: docs/HOSTING.md has its settings.
"""

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import httpx
import orjson
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.host import uploads
from demo.host.bodies import read_body, replayed
from demo.host.files import is_uploaded
from demo.host.judge import API, JOIN, NAMED, NO_ENDPOINT, Check, Judge
from demo.host.mcp import PATHS as MCP_PATHS
from demo.host.mcp import Pictures
from demo.host.pending import Pending

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 16 * 2**10
"""Of a request's address and headers; Gradio keeps them as long as the request waits."""
MAX_BODY_BYTES = 64 * 2**10
"""Of a request that uploads no file."""
MAX_LOGINS, LOGIN_SECONDS = 10, 60
"""Attempts to log in, of all visitors, within these seconds."""
UNREAD_SECONDS, LEFT_SECONDS = 600, 15
"""Answers that nobody reads are dropped after so long, or so long after their session hung up."""

_DATA = f"{API}/queue/data"
_LOGIN = "/login"
_JSON = (JOIN, f"{API}/cancel", f"{API}/reset")
_FILE = re.compile(rf"(?:{API})?/file[=/](.*)")
# They would fetch, store, remember or print what a visitor names, or look twenty times a second.
_CLOSED = re.compile(
    rf"{API}/(proxy=|deep_link|upload_progress|custom_component|dev/|mcp/(?!schema))"
)
_EVENT = re.compile(rb'"event_id": ?"([0-9a-f]{32})"')
_DONE = re.compile(rb'"msg": ?"process_completed"')
_DROP_SECONDS = 0.5


class Guard:
    """ASGI middleware before Gradio; see the module.

    ``events`` are Gradio's by number; ``checks`` judge the values of the public endpoints by name.
    With ``login`` whatever is sent needs one; with ``mcp`` that protocol's route is open. Once
    ``ending`` is set nothing is taken in.
    """

    def __init__(
        self,
        app: ASGIApp,
        events: Mapping[int, Any],
        checks: Mapping[str, Check],
        pending: Pending | None = None,
        ending: threading.Event | None = None,
        login: bool = False,
        mcp: bool = False,
    ) -> None:
        self.app = app
        self.pending = Pending() if pending is None else pending
        self._judge = Judge(events, checks)
        self._ending = ending or threading.Event()
        self._login = login
        self._mcp = mcp
        self._logins: deque[float] = deque(maxlen=MAX_LOGINS)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._dropping: set[asyncio.Task] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._pass(_path(scope), scope, receive, answer)
        except ClientDisconnect:
            return
        except Exception as error:
            if begun:  # or the server would close the connection, and break its next request
                logger.warning("a web request broke off: %s", type(error).__name__)
                with contextlib.suppress(Exception):  # it may have been whole already
                    await send({"type": "http.response.body", "body": b""})
                return
            await _refusal(_path(scope), error)(scope, receive, send)

    async def _pass(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through to Gradio, or refuse it.

        Raises:
            HTTPException: it is refused.
        """
        _check_head(path, scope)
        if scope["method"] != "POST":
            await self._get(path, scope, receive, send)
            return
        if self._ending.is_set():
            raise HTTPException(503, "This page is shutting down; try again in a minute.")
        if path == _LOGIN:
            self._count_login()
        elif self._login and await self._status(scope, f"{API}/login_check") != 200:
            raise HTTPException(401, "Log in first.")
        if path == uploads.PATH or (self._mcp and path in MCP_PATHS):
            await self.app(scope, receive, send)
            return
        if path not in (_LOGIN, *_JSON) and not NAMED.fullmatch(path):
            raise HTTPException(404, NO_ENDPOINT)
        data = await read_body(scope, receive, MAX_BODY_BYTES)
        if path == _LOGIN:
            await self.app(*replayed(data, scope, receive), send)
            return
        body, session = self._judge.judge(path, data)
        data = orjson.dumps(body)  # anew, so that Gradio reads what was judged
        scope, receive = replayed(data, scope, receive)
        if path != JOIN and not NAMED.fullmatch(path):
            await self.app(scope, receive, send)
            return
        self.pending.check(session, len(data))

        async def joined(message: Message) -> None:
            if event := _EVENT.search(message.get("body", b"")):
                name = event[1].decode()
                self.pending.joined(name, session or name, len(data))
                self._watch(session or name, scope, UNREAD_SECONDS)
            await send(message)

        await self.app(scope, receive, joined)

    async def _get(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a page, a file, or a session's answers, which are counted as they are sent."""
        named = NAMED.match(path)
        if scope["method"] != "GET" or not (path == _DATA or named):
            await self.app(scope, receive, send)
            return
        event = path.rsplit("/", 1)[-1]
        session = QueryParams(scope["query_string"]).get("session_hash", "")
        if named:
            session = self.pending.session_of(event)

        async def count(message: Message) -> None:
            await send(message)
            part = message.get("body")
            sent = _EVENT.search(part) if part and _DONE.search(part) else None
            if sent:
                self.pending.read(sent[1].decode())
            elif named and part is not None and not message.get("more_body"):
                self.pending.read(event)

        try:
            with self.pending.reading(session):
                await self.app(scope, receive, count)
        finally:
            self._watch(session, scope, LEFT_SECONDS)

    def _watch(self, session: str, scope: Scope, seconds: float) -> None:
        """Have a session's answers dropped after ``seconds``, if any are unread."""
        if timer := self._timers.pop(session, None):
            timer.cancel()
        if self.pending.of(session):
            loop = asyncio.get_running_loop()
            self._timers[session] = loop.call_later(seconds, self._drop, session, scope)

    def _drop(self, session: str, scope: Scope) -> None:
        """Drop a session's answers, unless they are being read.

        Gradio keeps an answer until it is read, or until a reader hangs up.
        """
        del self._timers[session]
        if self.pending.is_read(session):
            return
        self.pending.dropped(session)
        query = urlencode({"session_hash": session})
        task = asyncio.create_task(self._status(scope, _DATA, query, _DROP_SECONDS))
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    async def _status(self, scope: Scope, path: str, query: str = "", seconds: float = 0) -> int:
        """The status of Gradio's answer to a GET with the headers of ``scope``; 500 for none.

        After ``seconds`` the connection is closed.
        """
        asked = {**scope, "method": "GET", "path": path, "raw_path": path.encode()}
        asked |= {"query_string": query.encode(), "asgi": {"version": "3.0", "spec_version": "2.3"}}
        status = 500

        async def receive() -> Message:
            await asyncio.sleep(seconds)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        with contextlib.suppress(Exception):
            await self.app(asked, receive, send)
        return status

    def _count_login(self) -> None:
        now = time.monotonic()
        if len(self._logins) == MAX_LOGINS and now - self._logins[0] < LOGIN_SECONDS:
            raise HTTPException(429, "Too many attempts to log in. Try again in a minute.")
        self._logins.append(now)


def _check_head(path: str, scope: Scope) -> None:
    """Check a request's address and headers."""
    head = [scope["path"].encode("utf-8", "replace"), scope["query_string"]]
    head += [part for pair in scope["headers"] for part in pair]
    if sum(map(len, head)) > MAX_HEAD_BYTES:
        most = f"{MAX_HEAD_BYTES // 2**10} kB"
        raise HTTPException(431, f"An address and headers of at most {most} were expected.")
    if _CLOSED.match(path):
        raise HTTPException(404, NO_ENDPOINT)
    if path == "/" and any(QueryParams(scope["query_string"]).getlist("page")):
        raise HTTPException(404, "There is one page only.")
    file = _FILE.match(f"{path}/")
    if file and not is_uploaded(file[1]):
        raise HTTPException(404, "This page serves uploaded pictures and its own files only.")


def _refusal(path: str, error: Exception) -> JSONResponse:
    """The sentence for an error; one that was not foreseen is logged."""
    if isinstance(error, HTTPException):
        status, words = error.status_code, error.detail
    elif isinstance(error, ValueError | RecursionError | httpx.InvalidURL):  # such as of a host
        status, words = 400, "This request could not be read."
    else:
        logger.error("a web request could not be answered", exc_info=error)
        status, words = 500, "This request could not be answered."
    detail: Any = words
    if path == JOIN and status == 422:  # as Gradio's clients expect what is wrong with a value
        wrong = {"__type__": "validate", "is_valid": False, "parameter_name": "request"}
        detail = [{**wrong, "message": words}]
    return JSONResponse({"error": words, "detail": detail}, status)


def _path(scope: Scope) -> str:
    """The requested path without the prefix a proxy serves it under, slashes joined."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return "/" + "/".join(part for part in path.split("/") if part)


def app_settings(
    page: gr.Blocks,
    checks: Mapping[str, Check],
    routes: Sequence[Route] = (),
    **options: Any,
) -> dict[str, Any]:
    """Arguments for ``launch(app_kwargs=…)``: the guard with the page's events, and own routes.

    ``checks`` judge the values of the public endpoints; ``options`` are the guard's. Answers are
    compressed, their stream is not.
    """
    events = {number: event for number, event in page.fns.items() if event.fn is not None}
    taken = uploads.Uploads()
    stack = [
        Middleware(GZipMiddleware, minimum_size=500, compresslevel=6),
        Middleware(Guard, events=events, checks=checks, **options),
        Middleware(Pictures, uploads=taken),
    ]
    return {"middleware": stack, "routes": [taken.route(), *routes], "openapi_url": None}
