"""The door of the server: which routes are open, and how large and slow a request may be.

What a reverse proxy does is left to it: idle connections, slow readers, and the number of
connections of an address.
"""

import asyncio
import logging
import os
import re
import shutil
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.limits import (
    IDLE_SECONDS,
    MAX_BODY,
    MAX_BRACKETS,
    MAX_FILE,
    MAX_UPLOADS,
    MIN_FREE,
    TURNS,
    UPLOAD_SECONDS,
    address_of,
)
from demo.store import STORE

API = "/gradio_api"
OPEN = {
    "GET": rf"/|/(web|photos)/.*|/(health|login|config)|{API}/(info|app_id|startup-events)"
    rf"|{API}/(heartbeat|file)/.*|{API}/file=.*|{API}/queue/data|{API}/call/\w+/\w+",
    "POST": rf"/photos|/login|{API}/(queue/join|cancel|reset|upload|call/\w+)",
    "DELETE": r"/photos/\w+",
    "OPTIONS": r".*",  # browsers ask before they call from another page
}
"""The routes that the page and programs need; the others of Gradio stay closed."""
CALL = re.compile(rf"{API}/call/(\w+)")
STREAM = re.compile(rf"{API}/(?:queue/data|call/\w+/(\w+))")
"""Answers, of a page or of a program's request."""

PRIVATE_NETWORKS = "127.0.0.0/8,::1,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16"

logger = logging.getLogger(__name__)


class Door:
    """ASGI middleware: which routes are open, and how large and slow a request may be.

    ``inputs`` is the number of each endpoint's inputs, in the order of registration.
    """

    def __init__(self, app: ASGIApp, inputs: Mapping[str, int]) -> None:
        self.app, self.inputs = app, inputs
        self.places = WeakValueDictionary[str, asyncio.Semaphore]()
        """For the uploads of each address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if (scope.get("client") or ("", 0))[1]:  # not port 0, which Uvicorn gives a trusted proxy's
            own = [(k, v) for k, v in scope["headers"] if not k.startswith(b"x-forwarded-")]
            scope = {**scope, "headers": own}
        begun = False

        async def noting_start(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._serve(scope, receive, noting_start)
        except ClientDisconnect:
            pass
        except Exception as error:
            if begun:  # the reader has gone
                with suppress(Exception):
                    await send({"type": "http.response.body"})
            else:
                await refusal(error)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, path, root = Request(scope), scope["path"], scope.get("root_path", "")
        path = (path.removeprefix(root) if root and path.startswith(f"{root}/") else path) or "/"
        path = path.rstrip("/") or "/"
        method = {"HEAD": "GET"}.get(scope["method"], scope["method"])
        if not re.fullmatch(OPEN.get(method, "(?!)"), path):
            raise RefusedError(404, "Not found. Check the address.")
        if path.startswith(f"{API}/file") and not STORE.is_own(path[len(f"{API}/file=") :]):
            raise RefusedError(404, "Not found. Only the files of answers are served.")
        if method == "POST" and path in ("/photos", f"{API}/upload"):
            await self._upload(request, receive, send)
        elif method == "POST" and path != "/login":
            values = self._checked(path, await read_object(limited(receive, MAX_BODY)))
            await self.app(scope, replay(orjson.dumps(values), receive), send)
        elif method == "GET" and (stream := STREAM.fullmatch(path)):
            with TURNS.reader(stream[1] or request.query_params.get("session_hash", "")):
                await self.app(scope, receive, send)
        else:
            await self.app(scope, limited(receive, MAX_BODY), send)

    async def _upload(self, request: Request, receive: Receive, send: Send) -> None:
        if shutil.disk_usage(STORE.folder.parent).free < MIN_FREE:
            raise RefusedError(507, "The server’s disk is full. Try again later.")
        address = address_of(request.client.host if request.client else "")
        place = self.places.setdefault(address, asyncio.Semaphore(MAX_UPLOADS))
        async with place, asyncio.timeout(UPLOAD_SECONDS):
            await self.app(request.scope, limited(receive, MAX_FILE + 2**16), send)
        await asyncio.to_thread(STORE.delete_old_files)

    def _checked(self, path: str, values: dict[str, Any]) -> dict[str, Any]:
        """What Gradio would answer with an error of its own, or with a trace in the log."""
        if not STORE.names_own_files(values):
            raise RefusedError(404, "This picture is not on the server. Upload it.")
        if call := CALL.fullmatch(path):
            name = call[1]
        elif path.endswith("/join"):
            number, names = values.get("fn_index"), [*self.inputs]
            is_here = isinstance(number, int) and 0 <= number < len(names)
            name = names[number] if is_here else ""
        else:
            return values
        if name not in self.inputs:
            raise RefusedError(404, f"There is no such endpoint. See {API}/info.")
        data, session = values.get("data"), values.get("session_hash")
        if not isinstance(data, list) or len(data) != self.inputs[name]:
            raise RefusedError(400, f"Send a list of {self.inputs[name]} values as “data”.")
        if call:  # a program reads by the name of its request
            return {"data": data}
        if not isinstance(session, str) or not 0 < len(session) <= 64:
            raise RefusedError(400, "“session_hash” is a text of at most 64 characters.")
        return values


def limited(receive: Receive, most: int) -> Receive:
    """Receives at most ``most`` bytes, and waits for none of them longer than IDLE_SECONDS."""
    size, is_done = 0, False

    async def part() -> Message:
        nonlocal size, is_done
        if is_done:  # now it waits for the end of the connection
            return await receive()
        async with asyncio.timeout(IDLE_SECONDS):
            message = await receive()
        size += len(message.get("body", b""))
        is_done = not message.get("more_body", False)
        if size > most:
            raise RefusedError(413, f"Too large. Send at most {most >> 10:,} kB.")
        return message

    return part


async def read_object(receive: Receive) -> dict[str, Any]:
    """The JSON object of a body."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The request ended early.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
        raise RefusedError(400, f"Too many lists and objects. Send at most {MAX_BRACKETS:,}.")
    with suppress(ValueError):
        values = orjson.loads(bytes(body))
        if isinstance(values, dict):
            return values
    raise RefusedError(400, "The body is not a JSON object. Send one.")


def replay(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already, then what follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def part() -> Message:
        return messages.pop() if messages else await receive()

    return part


class RefusedError(Exception):
    """Not an HTTPException, which a route would turn into a response of another form."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def refusal(error: Exception) -> JSONResponse:
    """An error as a sentence, in the form that Gradio's clients show, too."""
    if isinstance(error, RefusedError):
        status, text = error.status, error.text
    elif isinstance(error, TimeoutError):
        status, text = 408, "This took too long to arrive. Try again."
    else:
        status, text = 500, "The request failed. Check its values, or try again later."
        log_place(error)
    return JSONResponse({"error": text, "detail": text}, status)


def log_place(error: Exception) -> None:
    """Logs where an error was raised, without its text, which may quote a visitor."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s in %s, %s", type(error).__name__, Path(place.filename).name, place.lineno)


def set_up_process() -> None:
    """Lets it open as many files as it may; on a Space, addresses are those that the proxy names.

    Uvicorn takes the last address in the header that it does not trust: a visitor cannot forge it.
    """
    with suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource  # noqa: PLC0415

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if "SPACE_ID" in os.environ:
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS)
