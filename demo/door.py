"""The door of the server: who comes in, and how large, slow and frequent requests may be.

What a reverse proxy does is left to it: idle connections, slow readers, and the number of
connections of an address.
"""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from weakref import WeakValueDictionary

from cachetools import TTLCache
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import limits
from demo.errors import RefusedError, refusal
from demo.login import check_login
from demo.routes import API, CALL, STREAM, check_route, checked
from demo.store import STORE
from demo.turns import TURNS, address_of


class Door:
    """ASGI middleware. ``inputs`` is the number of each endpoint's inputs, in the order of
    registration; ``key`` is the cookie of who has logged in, if that is asked."""

    def __init__(self, app: ASGIApp, inputs: Mapping[str, int], key: str = "") -> None:
        self.app, self.inputs, self.key = app, inputs, key
        self.places = WeakValueDictionary[str, asyncio.Semaphore]()
        """For the uploads of each address."""
        self.calls = TTLCache[str, Iterator[int]](10_000, limits.CALL_SECONDS)
        """Numbers of the requests of each address, but those to read, since the first."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # nothing here needs WebSockets
            return await send({"type": "websocket.close"})
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
        check_login(request, path, self.key)
        check_route(method, path)
        calls = self.calls.setdefault(address_of(request), count())
        if method != "GET" and next(calls) >= limits.MAX_CALLS:
            raise RefusedError(429, "This address sends many requests. Try again soon.")
        if path == f"{API}/info":  # else Gradio keeps the host of its first request
            scope = {**scope, "query_string": b"page="}
        if method == "POST" and path in ("/photos", f"{API}/upload"):
            await self._upload(request, receive, send)
        elif method == "POST" and (call := CALL.fullmatch(path)):
            body = await Request(scope, limited(receive, limits.MAX_BODY)).body()
            await self.app(scope, replay(checked(call[1], body, self.inputs), receive), send)
        elif method == "GET" and (stream := STREAM.fullmatch(path)):
            with TURNS.reader(stream[1] or request.query_params.get("session_hash", "")):
                await self.app(scope, receive, send)
        else:
            await self.app(scope, limited(receive, limits.MAX_BODY), send)

    async def _upload(self, request: Request, receive: Receive, send: Send) -> None:
        if shutil.disk_usage(STORE.folder.parent).free < limits.MIN_FREE:
            raise RefusedError(507, "The server’s disk is full. Try again later.")
        free = asyncio.Semaphore(limits.MAX_UPLOADS)
        place = self.places.setdefault(address_of(request), free)
        async with place, asyncio.timeout(limits.UPLOAD_SECONDS):
            await self.app(request.scope, limited(receive, limits.MAX_FILE + 2**16), send)


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
