"""What one visitor may ask of the page: every limit is one comparison with one sentence.

:class:`Limits` comes before Gradio. The core checks the pixels of a picture, and ``settings`` the
words, by the numbers here. This is the only code that reads Gradio's own records, which a new
version may change: ``_queue`` with ``pending_event_ids_session``, ``pending_messages_per_session``,
``event_ids_to_events`` and ``clean_events``; ``state_holder``; ``upload_file_set``.
"""

import asyncio
import ctypes
import inspect
import itertools
import logging
import re
import shutil
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import walk
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gclip_core.errors import GclipError

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

# What is computed, and kept in memory.
MAX_PIXELS = 64_000_000  # of a picture, by its header, before it is decoded
WORKED_PIXELS = 4_000_000  # to which it is then scaled
MAX_PHRASES = 200  # classes and synonyms: each is embedded in up to 80 sentences
MAX_CHARACTERS = 4_000
MAX_COST = 100_000  # patches × windows × methods: an encoding has at most 8,000 patches, 100 MB
ATTENTION_PATCHES = 700  # a finer grid is pooled before its attention is sent to the browser
BLOCK_PATCHES = 200  # the same for the small maps of the blocks
BACKBONES = 3
ENCODINGS = 12  # and as many pictures of at most 16 MB
MASKS = 40  # of at most 15 MB

# Requests.
MAX_HEAD = 16 * 2**10  # bytes of an address and its headers, one of which may be the address again
MAX_LINK = 6_000  # bytes of a link's settings; a longer one leaves out the words
MAX_BODY = 64 * 2**10  # bytes of a request that sends no picture
MAX_BRACKETS = 300  # lists and objects of such a body; this bounds its depth and its memory
MAX_TOOL_BODY = 8 * 2**20  # bytes of a call of a tool, which may have a picture in it
MAX_TOOLS = 8  # such calls at once
BODY_SECONDS = 60  # that a body may take
MAX_QUEUE = 200  # requests that wait; one is computed at a time
MAX_NAME = 64  # characters of a session's name
MAX_OF_SESSION = 8  # requests of one session that wait, or whose answer is not read yet
MAX_OF_PROGRAMS = 100  # the same of all programs, which ask without a session
UNREAD_SECONDS = 10  # after which what nobody reads is dropped
MAX_SESSIONS = 200  # whose state is kept

# Files.
MAX_FILE = 64 * 2**20  # bytes of an upload
MAX_UPLOADING = 512 * 2**20  # bytes of all that are under way; Gradio may keep them in memory
MAX_STORED = 2 * 2**30  # bytes of all visitors' files
LEAST_STORED = 64 * 2**10  # a smaller file counts as so many bytes
STORED_SECONDS = 60  # between two looks at them, besides those at an upload
MIN_FREE = 2**30  # bytes of the disk that an upload leaves free
FILE_AGE = 3_600, 86_400  # seconds between two looks at their age, and when they are deleted

API = "/gradio_api"
JOIN, UPLOAD, TOOLS = f"{API}/queue/join", f"{API}/upload", f"{API}/mcp"
PROGRESS = f"{API}/upload_progress"
POSTS = re.compile(rf"({API}/(queue/join|call/(v2/)?\w+|upload|cancel|reset|mcp)|/login)/?")
GETS = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\d+)?)/?"
    r"|/(health|logout)/?|/(static|assets)/.*"
    rf"|{API}/(info|app_id|user|token|login_check|startup-events|theme\.css|queue/data)/?"
    rf"|{API}/(heartbeat|file|call)/.*|{API}/file=.*|{PROGRESS}/?"
)
"""Routes that the page and programs need; others of Gradio print, store or never end."""
CALL = re.compile(rf"{API}/call/(?:v2/)?(\w+)/?")
READ = re.compile(rf"{API}/(?:queue/data|call/(?:v2/)?\w+/([0-9a-f]+))/?")
FILE = re.compile(rf"{API}/file[=/](.*)")
DIGEST = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


def check_cost(patches: int, windows: int, methods: int) -> None:
    """Judge what so many windows, of so many patches each, cost under so many methods.

    Raises:
        GclipError: more than the page computes for one request.
    """
    cost = patches * windows * methods
    if cost > MAX_COST:
        raise GclipError(
            f"Patches × windows × methods may come to {MAX_COST:,} here, but {patches:,} × "
            f"{windows:,} × {methods} is {cost:,}. Take a smaller size, a smaller window or a "
            "longer stride."
        )


def waiting(page: "gr.Blocks") -> int:
    """How many requests wait for their turn."""
    return len(page._queue)


# --- files ---------------------------------------------------------------------------------------


class Files:
    """Visitors' files, each in a folder of ``uploads`` with a digest's name; those that ship."""

    def __init__(self, page: "gr.Blocks", uploads: Path, shipped: Sequence[Path] = ()) -> None:
        self.page, self.uploads = page, uploads.resolve()
        self.shipped = [folder.resolve() for folder in shipped]
        self.started = time.time()

    def is_own(self, path: Any) -> bool:
        """Whether a path is that of such a file."""
        if not isinstance(path, str) or not Path(path).is_absolute():
            return False
        try:
            file = Path(path).resolve(strict=True)
        except (OSError, ValueError):  # there is none, or it cannot be a path
            return False
        if file.is_relative_to(self.uploads):
            return bool(DIGEST.fullmatch(file.parent.name))
        return file.is_file() and any(file.is_relative_to(folder) for folder in self.shipped)

    def check(self, values: dict[str, Any]) -> None:
        """Refuse other files in the values of a request: Gradio would fetch what one names."""
        left: list[Any] = [values]
        while left:
            value = left.pop()
            if isinstance(value, list):
                left += value
            elif isinstance(value, dict):
                left += value.values()
                path = value.get("path")
                if isinstance(path, str):  # the address of an upload is its path
                    path = path.partition(f"{API}/file=")[2] or path
                if path is not None and not self.is_own(path):
                    text = "This picture is no longer here: upload it again, or reload the page."
                    raise HTTPException(422, text)
                if path is not None:
                    value |= {"path": path, "url": None}

    def make_room(self) -> int:
        """Delete files of visitors if they have more than MAX_STORED bytes, until a tenth is free.

        The first to go are those with the largest product of bytes and age, so that a stranger's
        flood of large files leaves the photos of others. Returns the bytes of what is left.
        """
        now, files = time.time(), list[tuple[float, int, Path]]()
        for place, folders, names in walk(self.uploads):
            folder = Path(place)
            if folder != self.uploads and not folders and not names:
                with suppress(OSError):  # another request deletes it, or writes its file
                    if now - folder.stat().st_mtime > STORED_SECONDS:
                        folder.rmdir()
            for file in (folder / name for name in names):
                with suppress(FileNotFoundError):
                    status = file.stat()  # what is older than the page is its own
                    if S_ISREG(status.st_mode) and status.st_mtime > self.started:
                        size = max(status.st_size, LEAST_STORED)
                        files.append((size * (now - status.st_mtime), size, file))
        total = sum(size for _, size, _ in files)
        if total > MAX_STORED:
            for _, size, file in sorted(files, reverse=True):
                if total <= 0.9 * MAX_STORED:
                    break
                file.unlink(missing_ok=True)
                self.page.upload_file_set.discard(str(file))
                total -= size
        return total


# --- sessions ------------------------------------------------------------------------------------


class Sessions:
    """Whose requests wait, and who reads the answers, by Gradio's own record of its queue."""

    def __init__(self, page: "gr.Blocks") -> None:
        self.page = page
        self.joining, self.readers = list[str | None](), list[str]()  # a name for each request
        self.unread: dict[str, int] = {}  # seconds without a reader

    @contextmanager
    def join(self, session: Any) -> Iterator[None]:
        """Count a request until it is in the queue; a program's has no session.

        Raises:
            HTTPException: too many requests wait, or no session can have that name.
        """
        pending = self.page._queue.pending_event_ids_session
        if session is None:  # Gradio names one by its only request
            count, most = sum(name in ids for name, ids in pending.items()), MAX_OF_PROGRAMS
        elif isinstance(session, str) and len(session) <= MAX_NAME:
            count, most = len(pending.get(session, ())), MAX_OF_SESSION
            self.unread[session] = 0
        else:
            raise HTTPException(400, f"A session is a text of at most {MAX_NAME} characters.")
        if count + self.joining.count(session) >= most:
            raise HTTPException(429, "Too many requests of this page wait. Try again soon.")
        self.joining.append(session)
        try:
            yield
        finally:
            self.joining.remove(session)

    @contextmanager
    def read(self, request: str | None, query: str) -> Iterator[None]:
        """Count a reader: of a program's request, or of the session in a query."""
        event = self.page._queue.event_ids_to_events.get(request or "")
        named = request or QueryParams(query).get("session_hash", "")
        session = event.session_hash if event else named
        self.readers.append(session)
        try:
            yield
        finally:
            self.readers.remove(session)

    async def drop_unread(self) -> None:
        """Drop what waits or was answered for sessions that had no reader for too long."""
        queue = self.page._queue
        names = {*queue.pending_event_ids_session, *queue.pending_messages_per_session}
        unread = names.difference(self.readers)
        self.unread = {name: self.unread.get(name, 0) + 1 for name in unread}
        for name in unread:
            if self.unread[name] > UNREAD_SECONDS:
                await queue.clean_events(session_hash=name)
                queue.pending_event_ids_session.pop(name, None)
                queue.pending_messages_per_session.pop(name, None)

    def drop_copies(self) -> None:
        """Drop the components that Gradio makes for a session at every answer, and never drops."""
        for state in self.page.state_holder.session_data.values():
            components = state.blocks_config.blocks
            for number in components.keys() - self.page.blocks.keys():
                del components[number]
                state.config_values.pop(number, None)


# --- requests ------------------------------------------------------------------------------------


class Limits:
    """ASGI middleware before Gradio. With ``tools`` the Model Context Protocol has a route."""

    def __init__(self, app: ASGIApp, page: "gr.Blocks", files: Files, tools: bool = False) -> None:
        self.app, self.page, self.files, self.tools = app, page, files, tools
        self.sessions, self.tool_slots = Sessions(page), asyncio.Semaphore(MAX_TOOLS)
        self.uploading = 0  # bytes that are on their way
        self.stored, self.looking = 0, asyncio.Lock()  # bytes, at most; taken while they are summed
        self.sweeper: asyncio.Task | None = None

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

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            check_head(scope)
            if scope["method"] == "POST" and POSTS.fullmatch(path):
                await self._post(path, scope, receive, answer)
            elif scope["method"] in ("GET", "HEAD") and GETS.fullmatch(path):
                await self._get(path, scope, receive, answer)
            elif scope["method"] == "OPTIONS":  # what pages of other origins may do
                await self.app(scope, receive, answer)
            else:
                raise HTTPException(404, "There is nothing here.")
        except Exception as error:
            if begun:  # Gradio breaks off the answers of a session that was dropped
                with suppress(Exception):
                    await send({"type": "http.response.body"})
            else:
                await refusal(path, error)(scope, receive, send)

    async def _get(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if (file := FILE.fullmatch(path)) and not self.files.is_own(file[1]):
            raise HTTPException(404, "Only uploads and the page's own files are here.")
        if path.startswith(PROGRESS):  # Gradio would remember every name of an upload for ever
            done = PlainTextResponse('data: {"msg": "done"}\n\n', media_type="text/event-stream")
            await done(scope, receive, send)
        elif read := READ.fullmatch(path):
            with self.sessions.read(read[1], scope["query_string"].decode("latin-1")):
                await self.app(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if path.startswith(UPLOAD):
            await self._upload(scope, receive, send)
        elif path.startswith(TOOLS):
            await self._call_tool(scope, receive, send)
        elif path.startswith("/login"):  # a form
            body = await read_body(receive, MAX_BODY)
            await self.app(scope, with_body(body, receive), send)
        else:
            values = await self._read_values(receive, MAX_BODY)
            receive = with_body(orjson.dumps(values), receive)  # Gradio reads what was checked
            if path.startswith(JOIN) or "/call/" in path:
                event = asked_event(self.page, path, values)
                check_inputs(event, inputs_of(event, path, values))
                with self.sessions.join(values.get("session_hash")):
                    await self.app(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._make_room(MAX_STORED)
        if shutil.disk_usage(self.files.uploads).free < MIN_FREE:
            raise HTTPException(507, "The disk of this page is full. Try again later.")
        scope = {**scope, "query_string": b""}  # Gradio would keep a name in it for ever
        with self._counting(receive) as part:
            async with asyncio.timeout(BODY_SECONDS):
                await self.app(scope, part, send)

    async def _call_tool(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.tools:
            raise HTTPException(404, "Tools are called on a page that was started with --mcp.")
        with self._counting(receive) as part:
            call = await self._read_values(part, MAX_TOOL_BODY)
            if self.tool_slots.locked():
                raise HTTPException(429, "Too many tools are called now. Try again soon.")
            if isinstance(call.get("params"), dict):
                # Without it Gradio writes the mask and its description into one text.
                call["params"].setdefault("_meta", {"progressToken": 0})
            async with self.tool_slots:
                await self.app(scope, with_body(orjson.dumps(call), receive), send)

    @contextmanager
    def _counting(self, receive: Receive) -> Iterator[Receive]:
        """What receives a picture and counts its bytes, until it is stored or answered.

        Raises:
            HTTPException: it is too large, or too many are on their way.
        """
        size = 0

        async def part() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            self.uploading += len(message.get("body", b""))
            if size > MAX_FILE + MAX_BODY:
                raise HTTPException(413, f"A picture has at most {MAX_FILE:,} bytes here.")
            if self.uploading > MAX_UPLOADING:
                raise HTTPException(503, "Too many pictures are uploaded now. Try again soon.")
            return message

        try:
            yield part
        finally:
            self.uploading -= size
            self.stored += max(size, LEAST_STORED)

    async def _make_room(self, least: int = 0) -> None:
        """Look at all files, if they may have more than ``least`` bytes; one look at a time."""
        async with self.looking:
            if self.stored >= least:
                before = self.stored  # more may be stored meanwhile
                self.stored += await asyncio.to_thread(self.files.make_room) - before

    async def _read_values(self, receive: Receive, most: int) -> dict[str, Any]:
        """The JSON object of a body, whose files are here."""
        body = await read_body(receive, most)
        if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            raise HTTPException(400, f"At most {MAX_BRACKETS:,} lists and objects fit here.")
        try:
            values = orjson.loads(body)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise HTTPException(400, "A JSON object was expected, but something else came.")
        self.files.check(values)
        return values

    async def _sweep(self) -> None:
        """Counts its own seconds, not those of the clock: a busy machine delays readers, too."""
        for second in itertools.count(1):
            await asyncio.sleep(1)
            try:
                await self.sessions.drop_unread()
                if second % STORED_SECONDS == 0:
                    self.sessions.drop_copies()
                    await asyncio.to_thread(give_back_memory)
                    await self._make_room()  # answers write files, too
            except Exception:  # else nothing is dropped until the next request
                logger.exception("what nobody reads could not be dropped")


def give_back_memory() -> None:
    """Give freed memory back to the system: glibc keeps the gaps of arrays (25 ms for 600 MB)."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def log_place(error: Exception) -> None:
    """Log where an error was raised, without its text, in which may be what a visitor sent."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s in %s, %s", type(error).__name__, Path(place.filename).name, place.lineno)


def route(scope: Scope) -> str:
    """The path that Gradio looks up: without the prefix under which a proxy serves the page."""
    path, prefix = scope["path"], scope.get("root_path", "")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def asked_event(page: "gr.Blocks", path: str, request: dict[str, Any]) -> Any:
    """The event of Gradio that a request asks for: a program names it, the page has its number.

    Raises:
        HTTPException: there is none.
    """
    if called := CALL.fullmatch(path):
        public = (f for f in page.fns.values() if f.api_visibility == "public")
        event = next((f for f in public if f.api_name == called[1]), None)
    else:
        index = request.get("fn_index")
        event = page.fns.get(index) if isinstance(index, int) else None
    if event is None:
        raise HTTPException(404, f"There is no such event: load the page, or {API}/info, again.")
    return event


def inputs_of(event: Any, path: str, request: dict[str, Any]) -> Any:
    """The inputs of a request in their order; ``/call/v2/`` has them by name.

    Raises:
        HTTPException: the event has no input of such a name.
    """
    if not path.startswith(f"{API}/call/v2/"):
        return request.get("data")
    names = inspect.signature(event.fn).parameters
    if unknown := request.keys() - names.keys():
        raise HTTPException(400, f"There is no input “{unknown.pop()[:40]}”: {API}/info has all.")
    return [request.get(name) for name in names]


def check_inputs(event: Any, data: Any) -> None:
    """Refuse inputs for which Gradio would log a trace: a wrong number, or what is no picture."""
    if not isinstance(data, list) or len(data) != len(event.inputs):
        came = len(data) if isinstance(data, list) else "none"
        raise HTTPException(400, f"{len(event.inputs)} values were expected, but {came} came.")
    for component, value in zip(event.inputs, data, strict=True):
        if component.data_model and value is not None:
            try:
                component.data_model.model_validate(value, context={"validate_meta": True})
            except ValidationError:
                raise HTTPException(422, "This is no picture: upload one.") from None


def check_head(scope: Scope) -> None:
    size = len(scope["raw_path"] or b"") + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
        raise HTTPException(431, f"An address has at most {MAX_HEAD:,} bytes with its headers.")


async def read_body(receive: Receive, most: int) -> bytes:
    body, more = bytearray(), True
    async with asyncio.timeout(BODY_SECONDS):
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "The request ended early.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most:
                raise HTTPException(413, f"A request has at most {most:,} bytes here.")
    return bytes(body)


def with_body(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read already, then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def refusal(path: str, error: Exception) -> JSONResponse | PlainTextResponse:
    """A sentence in the form in which Gradio's clients show it."""
    if isinstance(error, HTTPException):
        status, text = error.status_code, error.detail
    elif isinstance(error, TimeoutError):
        status, text = 408, f"A request may take {BODY_SECONDS} s, but this took longer."
    else:
        status, text = 500, "This request failed. Check what was sent, or try again later."
        log_place(error)
    if path.startswith(UPLOAD):
        return PlainTextResponse(text, status)
    wrong = {"__type__": "validate", "is_valid": False, "message": text, "parameter_name": "image"}
    return JSONResponse({"error": text, "detail": [wrong] if status == 422 else text}, status)
