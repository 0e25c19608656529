"""Middleware before Gradio: bounds each request in bytes, judges it, and counts those that wait.

Requests join the queue by ``/queue/join`` and ``/call/NAME``, and answers are server-sent events.
What Gradio refuses by itself is not refused here; slow connections and requests a minute of one
address are a proxy's: docs/HOSTING.md has its settings.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import orjson
from gradio.route_utils import get_root_url
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.host import uploads
from demo.host.bodies import read_body, replayed
from demo.host.files import is_uploaded
from demo.host.judge import API, JOIN, NAMED, NO_ENDPOINT, Check, Judge
from demo.host.mcp import PATHS as MCP_PATHS
from demo.host.pending import Pending

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 16 * 2**10
"""Of a request's address and headers; Gradio keeps them as long as the request waits."""
MAX_BODY_BYTES = 64 * 2**10
"""Of a request that uploads no file."""
MAX_LOGINS, LOGIN_SECONDS = 10, 60
"""Attempts to log in, of all visitors, within these seconds."""
HANG_UP_SECONDS = 0.5

DATA = f"{API}/queue/data"
LOGIN = "/login"
SMALL = (LOGIN, f"{API}/cancel", f"{API}/reset")
"""Routes that take a small body, and need no judgement."""
CLOSED = re.compile(rf"{API}/(deep_link|upload_progress|custom_component|dev/|mcp/(?!schema).)")
"""Routes that would store, remember or print what a visitor names, or never end."""
FILE = (f"{API}/file=", f"{API}/file/")
UNREADABLE = (ValueError, TypeError, LookupError, RecursionError, httpx.InvalidURL)
"""What Gradio and the judge raise for a request that cannot be meant."""

_EVENT = re.compile(rb'"event_id": ?"([0-9a-f]{32})"')
_DONE = re.compile(rb'"msg": ?"process_completed"')


class Guard:
    """ASGI middleware before Gradio; see the module.

    ``events`` are Gradio's by number; ``checks`` judge the values of the public endpoints by name.
    With ``login`` whatever is sent needs one; with ``mcp`` that protocol's route is open.
    """

    def __init__(
        self,
        app: ASGIApp,
        events: Mapping[int, Any],
        checks: Mapping[str, Check],
        pending: Pending | None = None,
        login: bool = False,
        mcp: bool = False,
    ) -> None:
        self.app = app
        self.pending = Pending() if pending is None else pending
        self._judge = Judge(events, checks)
        self._login = login
        self._unjudged = (uploads.PATH, *(MCP_PATHS if mcp else ()))
        self._logins: deque[float] = deque(maxlen=MAX_LOGINS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, begun = _path(scope), False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            _check_head(path, scope)
            if scope["method"] == "POST":
                await self._post(path, scope, receive, answer)
            else:
                await self._get(path, scope, receive, answer)
        except ClientDisconnect:
            return
        except Exception as error:
            if begun:  # or the server would close the connection, and break its next request
                logger.warning("a web request broke off: %s", type(error).__name__)
                with contextlib.suppress(Exception):  # it may have been whole already
                    await send({"type": "http.response.body", "body": b""})
                return
            await _refusal(path, error)(scope, receive, send)

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let what is sent through to Gradio, or refuse it.

        Raises:
            HTTPException: it is refused.
        """
        if path == LOGIN:
            self._count_login()
        elif self._login and not _is_logged_in(scope):
            raise HTTPException(401, "Log in first.")
        if path in self._unjudged:
            await self.app(scope, receive, send)
            return
        joins = path == JOIN or NAMED.fullmatch(path)
        if not (joins or path in SMALL):
            raise HTTPException(404, NO_ENDPOINT)
        data = await read_body(scope, receive, MAX_BODY_BYTES)
        if not joins:
            await self.app(*replayed(data, scope, receive), send)
            return
        body, session = self._judge.judge(path, data)
        # Gradio would ask for the page's address in the queue, where nobody answers an error.
        get_root_url(Request(scope), path, None)
        data = orjson.dumps(body)  # anew, so that Gradio reads what was judged

        await self._drop_expired(scope)
        self.pending.check(session, len(data))
        place = uuid4().hex  # until Gradio has a name for it: many requests may come at once
        self.pending.joined(place, session or place, len(data))

        async def joined(message: Message) -> None:
            if event := _EVENT.search(message.get("body", b"")):
                name = event[1].decode()
                self.pending.read(place)
                self.pending.joined(name, session or name, len(data))
            await send(message)

        try:
            await self.app(*replayed(data, scope, receive), joined)
        finally:
            self.pending.read(place)

    async def _get(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a page, a file, or a session's answers, which are counted as they are sent."""
        named = NAMED.match(path)
        if scope["method"] != "GET" or not (path == DATA or named):
            await self.app(scope, receive, send)
            return
        event = path.rpartition("/")[2]
        session = QueryParams(scope["query_string"]).get("session_hash", "")

        async def count(message: Message) -> None:
            await send(message)
            part = message.get("body")
            sent = _EVENT.search(part) if part and _DONE.search(part) else None
            if sent:
                self.pending.read(sent[1].decode())
            elif named and part is not None and not message.get("more_body"):
                self.pending.read(event)

        with self.pending.reading(event if named else session):
            await self.app(scope, receive, count)

    async def _drop_expired(self, scope: Scope) -> None:
        """Have Gradio drop answers that nobody reads: it keeps them until a reader hangs up."""
        await asyncio.gather(*(self._hang_up(name, scope) for name in self.pending.expire()))

    async def _hang_up(self, session: str, scope: Scope) -> None:
        """Read a session's answers with the headers of ``scope``, and hang up."""
        query = urlencode({"session_hash": session}).encode()
        asked = {**scope, "method": "GET", "path": DATA, "query_string": query}
        asked |= {"raw_path": DATA.encode(), "asgi": {"version": "3.0", "spec_version": "2.3"}}

        async def receive() -> Message:
            await asyncio.sleep(HANG_UP_SECONDS)
            return {"type": "http.disconnect"}

        async def send(_: Message) -> None:
            return

        with contextlib.suppress(Exception):
            await self.app(asked, receive, send)

    def _count_login(self) -> None:
        now = time.monotonic()
        if len(self._logins) == MAX_LOGINS and now - self._logins[0] < LOGIN_SECONDS:
            raise HTTPException(429, "Too many attempts to log in. Try again in a minute.")
        self._logins.append(now)


def _is_logged_in(scope: Scope) -> bool:
    """Whether a request has the token of a login, which Gradio gives as a cookie."""
    return any(cookie in scope["app"].tokens for cookie in Request(scope).cookies.values())


def _check_head(path: str, scope: Scope) -> None:
    """Check a request's address and headers."""
    size = len(scope["path"]) + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        most = f"{MAX_HEAD_BYTES // 2**10} kB"
        raise HTTPException(431, f"An address and headers of at most {most} were expected.")
    if CLOSED.match(path):
        raise HTTPException(404, NO_ENDPOINT)
    # Gradio itself serves no other file, but would fetch a public address.
    if path.startswith(FILE) and not is_uploaded(path[len(FILE[0]) :]):
        raise HTTPException(404, "This page serves uploaded pictures and its own files only.")


def _refusal(path: str, error: Exception) -> JSONResponse:
    """The sentence for an error; one that was not foreseen is logged."""
    if isinstance(error, HTTPException):
        status, words = error.status_code, error.detail
    elif isinstance(error, UNREADABLE):
        logger.warning("a web request could not be read: %s", type(error).__name__)
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
    """The path that Gradio looks up: without the prefix under which a proxy serves the page."""
    path, prefix = scope["path"], scope.get("root_path", "")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path
