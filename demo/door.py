"""The door of the server: which routes are open, to whom, and how large and slow a request may be.

What a reverse proxy does is left to it: idle connections, slow readers, and the number of
connections of an address.
"""

import asyncio
import hmac
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from weakref import WeakValueDictionary

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import limits
from demo.errors import sentence
from demo.store import STORE
from demo.turns import TURNS, address_of

API = "/gradio_api"
OPEN = {
    "GET": rf"/|/(web|photos)/.*|/(health|login|config)|{API}/(info|app_id|startup-events)"
    rf"|{API}/heartbeat/.*|{API}/file=.*|{API}/queue/data|{API}/call/\w+/\w+",
    "POST": rf"/photos|/login|{API}/(queue/join|cancel|reset|upload|call/\w+)",
    "DELETE": r"/photos/\w+",
    "OPTIONS": r".*",  # browsers ask before they call from another page
}
"""The routes that the page and programs need; the others of Gradio stay closed."""
FOR_ALL = re.compile(rf"/(health|login)|{API}/startup-events")
"""Open before the log-in; Gradio itself requests the last when it has started."""
CALL = re.compile(rf"{API}/(?:call/(\w+)|queue/join)")
STREAM = re.compile(rf"{API}/(?:call/\w+/(\w+)|queue/data)")
"""Requests and answers, of a program or of a page."""
COOKIE = "gclip"


class Call(BaseModel):
    """The body of a program's request."""

    data: list[Any]


class Join(Call):
    """The body of a page's request, and of one by Gradio's clients."""

    fn_index: int
    session_hash: Annotated[str, Field(min_length=1, max_length=64)]


class Door:
    """ASGI middleware. ``inputs`` is the number of each endpoint's inputs, in the order of
    registration; ``key`` is the cookie of who has logged in, if that is asked."""

    def __init__(self, app: ASGIApp, inputs: Mapping[str, int], key: str = "") -> None:
        self.app, self.inputs, self.key = app, inputs, key
        self.places = WeakValueDictionary[str, asyncio.Semaphore]()
        """For the uploads of each address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if (scope.get("client") or ("", 0))[1]:  # not port 0, which Uvicorn gives a trusted proxy's
            own = [(k, v) for k, v in scope["headers"] if not k.startswith(b"x-forwarded-")]
            scope = {**scope, "headers": own}
        try:
            await self._serve(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:
            with suppress(RuntimeError):  # a response has begun: its reader has gone
                await refusal(error)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Checks the log-in, then the route, then the body."""
        root, path = scope.get("root_path", ""), scope["path"]
        if root and path.startswith(f"{root}/"):
            path = path.removeprefix(root)
        else:  # a proxy has taken it off, but Starlette finds files by the whole path
            scope = {**scope, "path": root + path}
        request, path = Request(scope), path.rstrip("/") or "/"
        method = {"HEAD": "GET"}.get(scope["method"], scope["method"])
        self._check_login(request, path)
        check_route(method, path)
        if path == f"{API}/info":  # else Gradio keeps the host of its first request
            scope = {**scope, "query_string": b"page="}
        if method == "POST" and path in ("/photos", f"{API}/upload"):
            await self._upload(request, receive, send)
        elif method == "POST" and (call := CALL.fullmatch(path)):
            body = await Request(scope, limited(receive, limits.MAX_BODY)).body()
            await self.app(scope, replay(self._checked(call[1], body), receive), send)
        elif method == "GET" and (stream := STREAM.fullmatch(path)):
            with TURNS.reader(stream[1] or request.query_params.get("session_hash", "")):
                await self.app(scope, receive, send)
        else:
            await self.app(scope, limited(receive, limits.MAX_BODY), send)

    def _check_login(self, request: Request, path: str) -> None:
        """Raises RefusedError for who has not logged in; the page leads to the log-in."""
        known = hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self.key.encode())
        if not self.key or known or FOR_ALL.fullmatch(path):
            return
        if (request.method, path) == ("GET", "/"):
            raise RefusedError(303, f"login?{request.url.query}".rstrip("?"))  # keeps the link
        raise RefusedError(401, "Log in first.")

    async def _upload(self, request: Request, receive: Receive, send: Send) -> None:
        if shutil.disk_usage(STORE.folder.parent).free < limits.MIN_FREE:
            raise RefusedError(507, "The server’s disk is full. Try again later.")
        free = asyncio.Semaphore(limits.MAX_UPLOADS)
        place = self.places.setdefault(address_of(request), free)
        async with place, asyncio.timeout(limits.UPLOAD_SECONDS):
            await self.app(request.scope, limited(receive, limits.MAX_FILE + 2**16), send)

    def _checked(self, name: str | None, body: bytes) -> bytes:
        """The body of a request for an endpoint, which Gradio finds by its name or number.

        Gradio would answer others with an error of its own, or with a trace in the log.
        """
        try:
            asked = (Call if name else Join).model_validate_json(body)
        except ValidationError:
            raise RefusedError(400, f"Send JSON with a list “data”; see {API}/info.") from None
        if isinstance(asked, Join):
            name = dict(enumerate(self.inputs)).get(asked.fn_index)
        if name not in self.inputs:
            raise RefusedError(404, f"There is no such endpoint. See {API}/info.")
        if len(asked.data) != self.inputs[name]:
            raise RefusedError(400, f"Send a list of {self.inputs[name]} values as “data”.")
        asked.data = without_files(asked.data)
        return asked.model_dump_json().encode()


def check_route(method: str, path: str) -> None:
    """Raises RefusedError for a route that is closed, and for a file that is not an answer's."""
    if not re.fullmatch(OPEN.get(method, "(?!)"), path):
        raise RefusedError(404, "Not found. Check the address.")
    if path.startswith(f"{API}/file="):
        file = Path(path.removeprefix(f"{API}/file="))
        if STORE.path(file.parent.name) != file:
            raise RefusedError(404, "Not found. Only the files of answers are served.")


def without_files(value: Any) -> Any:
    """JSON in which Gradio finds no file, which it would open, or fetch from another server."""
    if isinstance(value, dict):
        return {key: without_files(inside) for key, inside in value.items() if key != "meta"}
    return [without_files(inside) for inside in value] if isinstance(value, list) else value


def limited(receive: Receive, most: int) -> Receive:
    """Receives at most ``most`` bytes, and waits for none of them longer than IDLE_SECONDS."""
    size, is_done = 0, False

    async def part() -> Message:
        nonlocal size, is_done
        if is_done:  # now it waits for the end of the connection
            return await receive()
        async with asyncio.timeout(limits.IDLE_SECONDS):
            message = await receive()
        size += len(message.get("body", b""))
        is_done = not message.get("more_body", False)
        if size > most:
            raise RefusedError(413, f"Too large. Send at most {most >> 10:,} kB.")
        return message

    return part


def replay(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already, then what follows."""
    messages = iter([{"type": "http.request", "body": body}])

    async def part() -> Message:
        return next(messages, None) or await receive()

    return part


class RefusedError(Exception):
    """A status and a sentence, or with 303 where to go instead. No HTTPException, which a route
    would turn into another form."""


def refusal(error: Exception) -> Response:
    """An error as a sentence, in the form that Gradio's clients show, too."""
    if isinstance(error, RefusedError):
        status, text = error.args
    elif isinstance(error, TimeoutError):
        status, text = 408, "This took too long to arrive. Try again."
    else:
        status, text = 500, sentence(error)
    if status == 303:
        return RedirectResponse(text, status)
    return JSONResponse({"error": text, "detail": text}, status)
