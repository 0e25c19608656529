"""Middleware before Gradio: hides routes, bounds and checks requests, counts those that wait.

It uses Gradio's public routes only: requests join the queue by ``/queue/join`` and ``/call/NAME``,
and answers are server-sent events. What the server would fail on is refused in words.
"""

import asyncio
import contextlib
import json
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlencode

import gradio as gr
from gradio.data_classes import CancelBody, ResetBody
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import wording
from demo.host.files import is_uploaded

Check = Callable[[Any], str]
"""What is wrong with an endpoint's values, a list or a mapping by name; empty for nothing."""

logger = logging.getLogger(__name__)

API = "/gradio_api"
MAX_FILE_BYTES = 64 * 2**20
MAX_BODY_BYTES = 64 * 2**10
"""Of a request that uploads no file."""
MAX_DEPTH, MAX_VALUES = 16, 4096
"""Of JSON: containers within containers, and values altogether."""
MAX_WAITING = 200
"""Requests that may wait in Gradio's queue."""
MAX_PENDING, MAX_PENDING_BYTES = 2 * MAX_WAITING, 4 * 2**20
"""Requests that wait, are computed or have an unread answer; and the bytes of their bodies."""
MAX_OF_SESSION = 32
"""Such requests of one session."""
MAX_SESSION = 64
"""Characters of a session's name."""
UNREAD_SECONDS = 120
"""An answer that is not read for so long is dropped."""

_UPLOAD = f"{API}/upload"
_FORM_BYTES = 64 * 2**10
_DRAIN_SECONDS = 10
_LEFT_SECONDS, _DISCARD_SECONDS = 10, 0.5
_JOIN = f"{API}/queue/join"
_DATA = f"{API}/queue/data"
_NAMED = re.compile(rf"{API}/(call/v2|call|api|run)/([^/]*)")
_BODIES = {f"{API}/cancel": CancelBody, f"{API}/reset": ResetBody}
_FILES = tuple(f"{start}/file{sign}" for start in (API, "") for sign in "=/")
# Gradio's tools for development and monitoring, its proxy for files of other hosts, its store of
# visitors' runs and states, and what only pages with custom components need.
_HIDDEN = re.compile(
    rf"/monitoring|{API}/(vibe-|undo-vibe-|dev/|proxy=|process_recording|run-history|runs"
    "|deep_link|component_server|custom_component|openapi|profiling|stream/)"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)
_RANGE = re.compile(rb"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})")
_EVENT = re.compile(rb'"event_id": ?"([0-9a-f]{32})"')
_DONE = re.compile(rb'"msg": ?"process_completed"')
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_NOT_STRUCTURE = bytes(sorted(set(range(256)) - set(b"[]{},")))

NO_ENDPOINT = "There is no such endpoint."
NOT_UPLOADED = (
    "An uploaded file was expected, but the path or address of another file came. Upload the "
    "picture first."
)
NO_LIST = "“data” takes a list of values."
NOT_JSON = "A JSON object was expected, but this could not be read as one."


class Pending:
    """Requests that wait, are computed, or have an unread answer."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[str, int, float, Scope]] = {}

    def __len__(self) -> int:
        return len(self._events)

    def check(self, session: str, nbytes: int) -> None:
        """Check whether one more request may wait.

        Raises:
            HTTPException: too many wait, of all visitors or of this session.
        """
        if sum(whose == session for whose, *_ in self._events.values()) >= MAX_OF_SESSION:
            unread = "Too many answers of this session wait to be read. Read them, then ask again."
            raise HTTPException(429, unread)
        waiting = sum(size for _, size, *_ in self._events.values())
        if len(self) >= MAX_PENDING or waiting + nbytes > MAX_PENDING_BYTES:
            busy = "This page is too busy: too many requests wait. Try again in a minute."
            raise HTTPException(503, busy)

    def joined(self, event: str, session: str, nbytes: int, scope: Scope) -> None:
        """Add a request of ``nbytes``; ``scope`` is that of its HTTP request."""
        self._events[event] = (session or event, nbytes, time.monotonic(), scope)

    def answered(self, event: str) -> None:
        """Remove a request whose answer was read, or whose session ended."""
        self._events.pop(event, None)

    def ended(self, session: str) -> None:
        """Remove the requests of a session whose stream of answers ended: Gradio drops them."""
        self._events = {event: one for event, one in self._events.items() if one[0] != session}

    def session_of(self, event: str) -> str:
        """The session of a request, by default one of the request's own."""
        return self._events.get(event, (event,))[0]

    def unread(self) -> dict[str, Scope]:
        """Sessions with answers unread for long, each with the scope of one of its requests."""
        late = time.monotonic() - UNREAD_SECONDS
        return {whose: scope for whose, _, came, scope in self._events.values() if came < late}


class Guard:
    """ASGI middleware before Gradio; see the module.

    ``events`` are Gradio's by number. ``checks`` judge the values of the public endpoints by name:
    no other event can be called by name. A frame is not forbidden: a Space shows the page inside
    one.
    """

    def __init__(
        self,
        app: ASGIApp,
        events: Mapping[int, Any],
        checks: Mapping[str, Check],
        pending: Pending | None = None,
        ending: threading.Event | None = None,
    ) -> None:
        self.app = app
        self._events = events
        self._checks = checks
        self.pending = Pending() if pending is None else pending
        self.ending = ending or threading.Event()
        self._readers: Counter[str] = Counter()
        self._left: dict[str, asyncio.TimerHandle] = {}
        self._discards: dict[str, asyncio.Task] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _path(scope)
        body = _Body(scope, receive, path == _UPLOAD)
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
                await body.drain()
            await send(message)

        async def refuse(status: int, words: str) -> None:
            if path.startswith(API) and path != _UPLOAD:
                both = {"error": words, "detail": words}
                await JSONResponse(both, status)(scope, body.receive, answer)
            else:
                await PlainTextResponse(words, status)(scope, body.receive, answer)

        try:
            self._check(path, scope, body)
            await self._pass(path, scope, body, answer)
        except HTTPException as refused:
            await refuse(refused.status_code, refused.detail)
        except ClientDisconnect:
            return
        except (UnicodeError, RecursionError):
            await refuse(400, "This request could not be read.")
        except Exception as error:
            if wording.failed(error) == wording.NO_ROOM and not answered:
                await refuse(507, wording.NO_ROOM)
                return
            # The server would close the connection, and the next request on it would fail.
            if answered:
                logger.warning("a web request broke off: %s", type(error).__name__)
                with contextlib.suppress(Exception):  # it may have been whole already
                    await send({"type": "http.response.body", "body": b""})
                return
            logger.exception("a web request could not be answered")
            await refuse(500, "This request could not be answered.")

    def _check(self, path: str, scope: Scope, body: "_Body") -> None:
        """Check a request's path and headers."""
        if _HIDDEN.match(path):
            raise HTTPException(404, NO_ENDPOINT)
        named = _NAMED.match(path)
        if named and named[2] not in self._checks:
            raise HTTPException(404, NO_ENDPOINT)
        for way in _FILES:
            if f"{path}/".startswith(way) and not is_uploaded(scope["path"].split(way, 1)[-1]):
                only = "this page serves uploaded pictures and its own files only"
                raise HTTPException(404, f"There is no such file here: {only}.")
        if self.ending.is_set() and scope["method"] == "POST":
            raise HTTPException(503, "This page is shutting down; try again in a minute.")
        if body.announced > body.limit:
            raise HTTPException(413, body.too_large)
        if not _RANGE.fullmatch(dict(scope["headers"]).get(b"range", b"bytes=0-")):
            raise HTTPException(416, "“Range” takes bytes=FIRST-LAST, one range of whole numbers.")
        # Files are small: a request for a range gets the whole file.
        scope["headers"] = [(key, value) for key, value in scope["headers"] if key != b"range"]

    async def _pass(self, path: str, scope: Scope, body: "_Body", answer: Send) -> None:
        """Let a request through to Gradio, its body checked and its answer watched."""
        if scope["method"] == "GET" and (path == _DATA or _NAMED.match(path)):
            # As Gradio finds it: another session's requests would no longer be counted.
            session = QueryParams(scope["query_string"]).get("session_hash", "")
            if path != _DATA:
                session = self.pending.session_of(path.rsplit("/", 1)[-1])
            await self._stream(session, scope, body, answer)
            return
        if scope["method"] != "POST" or path == _UPLOAD:
            await self.app(scope, body.receive, answer)
            return
        data = await Request(scope, body.receive).body()
        if not path.startswith(f"{API}/"):  # a form: a name and a password
            await self.app(scope, body.replayed(data), answer)
            return
        session = self._check_json(path, data)
        if path != _JOIN and not _NAMED.match(path):
            await self.app(scope, body.replayed(data), answer)
            return
        self._discard_unread()
        await self._came_back(session)
        self.pending.check(session, len(data))

        async def joined(message: Message) -> None:
            found = _EVENT.search(message.get("body", b""))
            if found:
                self.pending.joined(found[1].decode(), session, len(data), scope)
            await answer(message)

        await self.app(scope, body.replayed(data), joined)

    def _check_json(self, path: str, data: bytes) -> str:
        """Check a JSON body; returns its session, or an empty text.

        Raises:
            HTTPException: it is none, too deep, names a file that is no upload, or wrong values.
        """
        if not _is_shallow(data):
            most = f"at most {MAX_DEPTH} levels and {MAX_VALUES} values"
            raise HTTPException(400, f"JSON of {most} was expected.")
        try:
            # JSON's own reader takes UTF-16 and UTF-32 as well, in which nothing was counted above.
            body = json.loads(data.decode())
        except ValueError as error:
            raise HTTPException(400, NOT_JSON) from error
        if not isinstance(body, dict):
            raise HTTPException(400, NOT_JSON)
        session = body.get("session_hash")
        if (path == _JOIN or session is not None) and not (
            isinstance(session, str) and 0 < len(session) <= MAX_SESSION
        ):
            wanted = f"a text of 1 to {MAX_SESSION} characters"
            raise HTTPException(422, f"“session_hash” takes {wanted}.")
        if path == _JOIN:
            self._check_event(body)
        elif named := _NAMED.match(path):
            if body.get("fn_index") is not None:
                raise HTTPException(422, "“fn_index” is not taken with an endpoint's name.")
            way, name = named.groups()
            by_name = way == "call/v2"
            if not by_name and not isinstance(body.get("data"), list):
                raise HTTPException(422, NO_LIST)
            self._check_values(name, body if by_name else body["data"])
        elif model := _BODIES.get(path):
            _check_body(model, body, f"This takes {', '.join(model.model_fields)}.")
        try:
            json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeError as error:
            no_text = "half of a surrogate pair came, which is no character"
            raise HTTPException(422, f"A text was expected, but {no_text}.") from error
        except ValueError as error:
            raise HTTPException(422, "A finite number was expected, but another came.") from error
        _check_files(body)
        return session or ""

    def _check_event(self, body: Mapping[str, Any]) -> None:
        """Check a request to the queue.

        Raises:
            HTTPException: no such event, or wrong values.
        """
        number, values, data = body.get("fn_index"), body.get("data"), body.get("event_data")
        event = self._events.get(number) if type(number) is int else None
        if event is None:
            raise HTTPException(404, NO_ENDPOINT)
        if not isinstance(values, list):
            raise HTTPException(422, NO_LIST)
        self._check_values(event.api_name, values)
        takes = len(event.inputs)
        if len(values) != takes:
            raise HTTPException(422, f"“data” takes {takes} values here, but {len(values)} came.")
        for component, value in zip(event.inputs, values, strict=True):
            model = getattr(component, "data_model", None)
            if model is not None and value is not None:
                _check_body(model, value, NOT_UPLOADED)
        if event.collects_event_data and not (
            isinstance(data, dict) and {"index", "value"} <= data.keys()
        ):
            raise HTTPException(422, "“event_data” takes an index and a value.")

    def _check_values(self, name: str, values: Any) -> None:
        """Check the values of an event by its name, if it is a public endpoint."""
        problem = self._checks[name](values) if name in self._checks else ""
        if problem:
            raise HTTPException(422, problem)

    async def _stream(self, session: str, scope: Scope, body: "_Body", answer: Send) -> None:
        """Let a session read its answers, and count those that pass as read.

        When a stream ends Gradio drops what waits; a refusal drops nothing.
        """
        streams = False

        async def watch(message: Message) -> None:
            nonlocal streams
            streams |= message.get("status") == 200
            part = message.get("body", b"")
            found = _EVENT.search(part) if _DONE.search(part) else None
            await answer(message)
            if found:
                self.pending.answered(found[1].decode())

        await self._came_back(session)
        self._readers[session] += 1
        try:
            await self.app(scope, body.receive, watch)
        finally:
            self._readers -= Counter([session])
            if body.gone:  # of who leaves within milliseconds Gradio keeps the answers
                self._keep(session)  # a second stream of the session may have ended before
                loop = asyncio.get_running_loop()
                timer = loop.call_later(_LEFT_SECONDS, self._discard, session, scope)
                self._left[session] = timer
            elif streams:
                self.pending.ended(session)

    async def _came_back(self, session: str) -> None:
        """Keep the answers of a session that asks or reads again.

        A discard that runs is waited for: it would read the new answers as well.
        """
        self._keep(session)
        if running := self._discards.get(session):
            await asyncio.wait([running])

    def _keep(self, session: str) -> None:
        if timer := self._left.pop(session, None):
            timer.cancel()

    def _discard_unread(self) -> None:
        """Read and drop answers that stayed unread for long, so that Gradio does not keep them."""
        for session, scope in self.pending.unread().items():
            self._discard(session, scope)

    def _discard(self, session: str, scope: Scope) -> None:
        """Begin to read and drop a session's answers, unless it reads them now."""
        self._left.pop(session, None)
        if session in self._discards or self._readers[session] > 0:
            return
        self._discards[session] = asyncio.create_task(self._read_away(session, scope))
        self._discards[session].add_done_callback(lambda _: self._discards.pop(session))

    async def _read_away(self, session: str, scope: Scope) -> None:
        query = urlencode({"session_hash": session}).encode()
        asked = {**scope, "method": "GET", "path": _DATA, "raw_path": _DATA.encode()}
        asked |= {"query_string": query, "asgi": {"version": "3.0", "spec_version": "2.3"}}
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def drop(_: Message) -> None:
            pass

        with contextlib.suppress(Exception):
            asyncio.get_running_loop().call_later(_DISCARD_SECONDS, gone.set)
            await self.app(asked, receive, drop)
        self.pending.ended(session)


class _Body:
    """A request's body, refused beyond ``limit`` bytes; ``announced`` are those of its header."""

    def __init__(self, scope: Scope, receive: Receive, upload: bool) -> None:
        length = Headers(scope=scope).get("content-length", "")
        self.announced = int(length[:20]) if length.isascii() and length.isdigit() else 0
        self._receive = receive
        self._ended = False
        self.gone = False
        self._read = 0
        self._upload = upload
        self.limit = MAX_FILE_BYTES + _FORM_BYTES if upload else MAX_BODY_BYTES
        most = f"{MAX_FILE_BYTES // 2**20} MB" if upload else f"{MAX_BODY_BYTES // 2**10} kB"
        self.too_large = (
            f"A request of at most {most} was expected, but this one exceeds the maximum allowed "
            "size."
        )

    async def receive(self) -> Message:
        """The next part of the body.

        Raises:
            HTTPException: it is too large.
            MultiPartException: an upload is too large or was cut off. On this error alone Gradio
                removes what it has already written of the file.
        """
        message = await self._next()
        if self._read > self.limit:
            if self._upload:
                raise MultiPartException(self.too_large)
            raise HTTPException(413, self.too_large)
        if self._upload and message["type"] == "http.disconnect":
            raise MultiPartException("The upload was cut off.")
        return message

    def replayed(self, data: bytes) -> Receive:
        """A body that was read, once more; then the messages of the connection."""
        messages = [{"type": "http.request", "body": data, "more_body": False}]

        async def receive() -> Message:
            return messages.pop() if messages else await self._receive()

        return receive

    async def drain(self) -> None:
        """Read the rest of the body, up to a limit: a client that still sends reads no answer."""
        most = self._read + (2 * self.limit if self._upload else MAX_FILE_BYTES)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._ended and self._read < most:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self.gone |= message["type"] == "http.disconnect"
        self._ended = self.gone or not message.get("more_body", False)
        return message


def _path(scope: Scope) -> str:
    """The requested path without the prefix a proxy serves it under, slashes joined."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return "/" + "/".join(part for part in path.split("/") if part)


def _is_shallow(data: bytes) -> bool:
    """Whether JSON has few enough levels and values, counted in its bytes without parsing it."""
    structure = _TEXTS.sub(b"", data).translate(None, _NOT_STRUCTURE)
    if len(structure) > 2 * MAX_VALUES or structure.count(b",") >= MAX_VALUES:
        return False
    depth = 0
    for sign in structure:
        depth += 1 if sign in b"[{" else -1 if sign in b"]}" else 0
        if depth > MAX_DEPTH:
            return False
    return True


def _check_body(model: type[BaseModel], value: Any, problem: str) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        raise HTTPException(422, problem) from error


def _check_files(value: Any) -> None:
    """Check that files in a JSON body are uploads of this server.

    Raises:
        HTTPException: one is not.
    """
    if isinstance(value, dict):
        path, url = value.get("path"), value.get("url")
        if (path is not None and not is_uploaded(path)) or (url and not _is_upload_address(url)):
            raise HTTPException(422, NOT_UPLOADED)
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _check_files(one)


def _is_upload_address(url: Any) -> bool:
    """Whether a browser's address of a file is that of an upload; Gradio reads its path only."""
    _, found, path = url.partition(f"{API}/file=") if isinstance(url, str) else ("", "", "")
    return bool(found) and is_uploaded(unquote(path))


def app_settings(
    page: gr.Blocks,
    checks: Mapping[str, Check],
    pending: Pending | None = None,
    ending: threading.Event | None = None,
) -> dict[str, Any]:
    """Arguments for ``launch(app_kwargs=…)``: the guard with the page's events.

    ``checks`` judge the values of the public endpoints. Once ``ending`` is set new work is refused.
    Answers are compressed, their stream is not.
    """
    events = {number: event for number, event in page.fns.items() if event.fn is not None}
    stack = [
        Middleware(GZipMiddleware, minimum_size=500, compresslevel=6),
        Middleware(Guard, events=events, checks=checks, pending=pending, ending=ending),
    ]
    return {"middleware": stack, "openapi_url": None}
