"""The middleware in front of Gradio: which routes are open, and how large a request may be.

Without it, bodies could fill the memory (``large_bodies`` and ``slow_uploads`` of ``tests.load``),
and Gradio's other routes would print tracebacks, store names forever or never end
(``test_closed_routes``).
"""

import asyncio
import inspect
import itertools
import re
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.gate import API
from demo.gate.files import DIGEST, SCAN_SECONDS, Files
from demo.gate.process import Connections, give_back_memory, log_place
from demo.gate.sessions import Sessions

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

MAX_BODY = 64 * 2**10  # bytes of a request without an upload
MAX_BRACKETS = 300  # lists and objects in such a body; this bounds its depth and its memory
BODY_SECONDS = 60  # for receiving a body
JOIN, UPLOAD = f"{API}/queue/join", f"{API}/upload"
PROGRESS = f"{API}/upload_progress"
POSTS = re.compile(rf"{API}/(queue/join|call/(v2/)?\w+|upload|cancel|reset)/?|/login")
GETS = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\d+)?)/?"
    r"|/(health|logout)/?|/(static|assets|web)/.*"
    rf"|{API}/(info|app_id|user|token|login_check|startup-events|theme\.css|queue/data)/?"
    rf"|{API}/(heartbeat|file|call)/.*|{API}/file=.*|{PROGRESS}/?"
)
"""Routes that the page and API clients need; the others of Gradio stay closed."""
CALL = re.compile(rf"{API}/call/(?:v2/)?(\w+)/?")
READ = re.compile(rf"{API}/(?:queue/data|call/(?:v2/)?\w+/([0-9a-f]+))/?")
FILE = re.compile(rf"{API}/file[=/](.*)")


class Gate:
    """ASGI middleware for Gradio."""

    def __init__(self, app: ASGIApp, page: "gr.Blocks", files: Files) -> None:
        self.app, self.page, self.files = app, page, files
        self.sessions, self.connections = Sessions(page), Connections(page)
        self.sweeper: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.sweeper is None or self.sweeper.done():
            self.sweeper = asyncio.create_task(self._sweep())
        path, begun = route(scope), False

        async def noting_start(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if scope["method"] == "POST" and POSTS.fullmatch(path):
                await self._post(path, scope, receive, noting_start)
            elif scope["method"] in ("GET", "HEAD") and GETS.fullmatch(path):
                await self._get(path, scope, receive, noting_start)
            elif scope["method"] == "OPTIONS":  # CORS preflight
                await self.app(scope, receive, noting_start)
            else:
                raise HTTPException(404, "Not found. Check the address.")
        except Exception as error:
            if begun:  # Gradio aborts the responses of a dropped session
                with suppress(Exception):
                    await send({"type": "http.response.body"})
            else:
                await refusal(path, error)(scope, receive, send)

    async def _get(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if (file := FILE.fullmatch(path)) and not self.files.is_own(file[1]):
            raise HTTPException(404, "Not found. Only uploads and the page's own files are served.")
        if path.startswith(PROGRESS):  # Gradio would store the name of every upload forever
            done = PlainTextResponse('data: {"msg": "done"}\n\n', media_type="text/event-stream")
            await done(scope, receive, send)
            return
        read, query = READ.fullmatch(path), scope["query_string"].decode("latin-1")
        with self.sessions.read(read[1], query) if read else nullcontext():
            await self.app(scope, receive, send)

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if path.startswith(UPLOAD):
            await self._upload(scope, receive, send)
            return
        body, turn = await read_body(receive), nullcontext()
        if not path.startswith("/login"):  # a form
            values = json_object(body)
            self.files.check_paths(values)
            body = orjson.dumps(values)  # Gradio reads what was checked
            if path.startswith(JOIN) or "/call/" in path:
                event = requested_event(self.page, path, values)
                check_inputs(event, path, values)
                turn = self.sessions.join(values.get("session_hash"), str(event.concurrency_id))
        with turn:
            await self.app(scope, with_body(body, receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor = scope["client"][0] if scope.get("client") else ""

        async def noting_owner(message: Message) -> None:
            # Between slashes: a file may be named like a digest.
            for digest in re.findall(rf"/({DIGEST.pattern})/", message.get("body", b"").decode()):
                self.files.owners.setdefault(digest, visitor)
            await send(message)

        scope = {**scope, "query_string": b""}  # Gradio would store a name in it forever
        async with self.files.counting(one_part(scope, receive)) as part:
            async with asyncio.timeout(BODY_SECONDS):
                await self.app(scope, part, noting_owner)

    async def _sweep(self) -> None:
        """Cleans up every second, counted by rounds: a busy machine also delays readers."""
        for second in itertools.count(1):
            await asyncio.sleep(1)
            try:
                self.connections.close_idle()
                await self.sessions.drop_unread()
                if second % SCAN_SECONDS == 0:
                    await asyncio.to_thread(give_back_memory)
                    await self.files.make_room(scan=True)  # answers write files, too
            except Exception as error:  # otherwise nothing is dropped until the next request
                log_place(error)


def route(scope: Scope) -> str:
    """The path that Gradio looks up: without the prefix under which a proxy serves the page."""
    path, prefix = scope["path"], scope.get("root_path", "")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def requested_event(page: "gr.Blocks", path: str, request: dict[str, Any]) -> Any:
    """The Gradio event that a request calls: API clients send its name, the page its number."""
    if called := CALL.fullmatch(path):
        public = (f for f in page.fns.values() if f.api_visibility == "public")
        event = next((f for f in public if f.api_name == called[1]), None)
    else:
        index = request.get("fn_index")
        event = page.fns.get(index) if isinstance(index, int) else None
    if event is None or event.fn is None:  # JavaScript alone
        raise HTTPException(404, f"There is no such event. Reload the page, or see {API}/info.")
    return event


def check_inputs(event: Any, path: str, request: dict[str, Any]) -> None:
    """Refuses inputs for which Gradio would log a traceback: wrong names or numbers, no image."""
    data = request.get("data")
    if path.startswith(f"{API}/call/v2/"):  # by name
        names = inspect.signature(event.fn).parameters
        if unknown := request.keys() - names.keys():
            raise HTTPException(400, f"There is no input “{unknown.pop()[:40]}”. See {API}/info.")
        data = [request.get(name) for name in names]
    if not isinstance(data, list) or len(data) != len(event.inputs):
        raise HTTPException(400, f"Send a list of {len(event.inputs)} values as “data”.")
    for component, value in zip(event.inputs, data, strict=True):
        if component.data_model and value is not None:
            try:
                component.data_model.model_validate(value, context={"validate_meta": True})
            except ValidationError:
                raise HTTPException(422, "This is not a picture. Upload one.") from None


async def read_body(receive: Receive) -> bytes:
    """The body of a request, of at most MAX_BODY bytes."""
    body, more = bytearray(), True
    async with asyncio.timeout(BODY_SECONDS):
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "The request ended early.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                raise HTTPException(413, f"The body is too large. Send at most {MAX_BODY:,} bytes.")
    return bytes(body)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body, with at most MAX_BRACKETS lists and objects."""
    if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
        raise HTTPException(400, f"Too many lists and objects. Send at most {MAX_BRACKETS:,}.")
    with suppress(ValueError):
        values = orjson.loads(body)
        if isinstance(values, dict):
            return values
    raise HTTPException(400, "The body is not a JSON object. Send one.")


def one_part(scope: Scope, receive: Receive) -> Receive:
    """Receive a form with a single part: Gradio keeps a file open for each part."""
    kind = parse_options_header(Headers(scope=scope).get("content-type"))[1]
    mark, seen, marks = b"--" + kind.get(b"boundary", b""), b"", 0

    async def part() -> Message:
        nonlocal seen, marks
        message = await receive()
        seen = seen[1 - len(mark) :] + message.get("body", b"")
        marks += seen.count(mark)
        if marks > 2:  # before and after the part
            raise HTTPException(413, "Upload one picture at a time.")
        return message

    return part


def with_body(body: bytes, receive: Receive) -> Receive:
    """A receiver that replays a body that was already read, then continues."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def refusal(path: str, error: Exception) -> JSONResponse | PlainTextResponse:
    """An error message in the form that Gradio's clients show."""
    if isinstance(error, HTTPException):
        status, text = error.status_code, error.detail
    elif isinstance(error, TimeoutError):
        status, text = 408, f"The request took longer than {BODY_SECONDS} s. Try again."
    else:
        status, text = 500, "The request failed. Check its values, or try again later."
        log_place(error)
    if path.startswith(UPLOAD):
        return PlainTextResponse(text, status)
    wrong = {"__type__": "validate", "is_valid": False, "message": text, "parameter_name": "image"}
    return JSONResponse({"error": text, "detail": [wrong] if status == 422 else text}, status)
