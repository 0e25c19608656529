"""What one visitor may ask of the page: every limit is one comparison with one sentence.

:class:`Limits` comes before Gradio and is the only code that reads Gradio's own record of its
queue. The core checks the pixels of a picture, and ``settings`` the words, by the numbers here.
"""

import asyncio
import itertools
import logging
import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

import orjson
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gclip_core.errors import GclipError

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

MAX_FILE = 64 * 2**20
"""Bytes of an uploaded file."""
MAX_PIXELS = 64_000_000
"""Of a picture, by its header, before it is decoded; it is then scaled to WORKED_PIXELS."""
WORKED_PIXELS = 4_000_000
MAX_CLASSES = 200
MAX_CHARACTERS = 4_000
MAX_COST = 100_000
"""Patches × windows × methods. With all methods counted, an encoding has at most 8,000 patches:
100 MB with the built-in model."""
ATTENTION_PATCHES = 700
"""A finer grid is pooled before its attention is sent to the browser."""
BLOCK_PATCHES = 200
"""The same for the small maps of the blocks."""

BACKBONES = 3
ENCODINGS = 12
"""Kept in memory, 100 MB each at the most; with them as many pictures, 16 MB each at the most."""
MASKS = 40
"""Kept in memory, 15 MB each at the most."""

MAX_HEAD = 16 * 2**10
"""Bytes of a request's address and headers."""
MAX_BODY = 64 * 2**10
"""Bytes of a request that sends no picture."""
MAX_TOOL_BODY = 8 * 2**20
"""Bytes of a request to the Model Context Protocol, which may have a picture in it."""
MAX_TOOLS = 8
"""Such requests at once."""
MAX_UPLOADING = 512 * 2**20
"""Bytes of all uploads that are under way; Gradio may keep them in memory."""
MAX_BRACKETS = 1_000
"""Of a body of JSON: this bounds its depth, and what it needs in memory."""
MAX_QUEUE = 200
"""Requests that wait; one is computed at a time."""
MAX_OF_SESSION = 8
"""Requests of one session that wait, or whose answer is not read yet."""
MAX_SESSIONS = 200
"""Sessions whose state is kept."""
MAX_STORED, LEAST_STORED = 2 * 2**30, 64 * 2**10
"""Bytes of all visitors' files, of which a smaller one counts the least."""
STORED_SECONDS = 60
"""Between two looks at them, besides those at an upload."""
MIN_FREE = 2**30
"""Bytes of the disk that an upload leaves free."""
BODY_SECONDS = 60
"""A body may take."""
UNREAD_SECONDS = 10
"""Requests and answers that nobody reads are dropped after this."""
FILE_AGE = 3_600, 86_400
"""Seconds between two looks at visitors' files, and their age when they are deleted."""

API = "/gradio_api"
JOIN, UPLOAD, TOOLS = f"{API}/queue/join", f"{API}/upload", f"{API}/mcp"
POSTS = re.compile(rf"({API}/(queue/join|call/(v2/)?\w+|upload|cancel|reset|mcp)|/login)/?")
CLOSED = re.compile(
    rf"/monitoring|/svelte|{API}/(deep_link|upload_progress|custom_component|dev/|proxy|stream|runs"
    r"|run-history|openapi|profiling|vibe|mcp/.)"
)
"""Routes of Gradio that print, store or never end, and that the page does not need."""
READ = re.compile(rf"{API}/(?:queue/data|call/(?:v2/)?\w+/([0-9a-f]+))/?")
FILE = re.compile(rf"{API}/file[=/](.*)", re.DOTALL)
DIGEST = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


def check_cost(patches: int, windows: int, methods: int = 1) -> None:
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


class Limits:
    """ASGI middleware before Gradio: bounds requests, and drops what nobody reads.

    Visitors' files are in ``uploads``, those that ship in ``shipped``. With ``tools`` the route of
    the Model Context Protocol is open.
    """

    def __init__(
        self,
        app: ASGIApp,
        page: "gr.Blocks",
        uploads: Path,
        shipped: Sequence[Path] = (),
        tools: bool = False,
    ) -> None:
        self.app, self.page, self.tools = app, page, tools
        self.uploads, self.shipped = uploads.resolve(), [path.resolve() for path in shipped]
        self.started = time.time()
        self.readers, self.joining = Counter[str](), Counter[str]()
        self.unread = Counter[str]()  # seconds without a reader
        self.uploading = self.calls = 0
        self.sweeper: asyncio.Task | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.sweeper is None or self.sweeper.done():
            self.sweeper = asyncio.create_task(self._sweep())
        path, begun = _route(scope), False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            self._check_address(path, scope)
            if path.startswith(UPLOAD):
                await self._upload(scope, receive, answer)
            elif scope["method"] == "POST":
                await self._post(path, scope, receive, answer)
            elif read := READ.fullmatch(path):
                await self._read(read[1], scope, receive, answer)
            else:
                await self.app(scope, receive, answer)
        except Exception as error:
            if begun:  # Gradio breaks off the answers of a session that was dropped
                with suppress(Exception):
                    await send({"type": "http.response.body"})
                return
            status, text = 400, "This request could not be read."
            if isinstance(error, HTTPException):
                status, text = error.status_code, error.detail
            elif isinstance(error, TimeoutError):
                status, text = 408, f"A request may take {BODY_SECONDS} s, but this took longer."
            else:
                logger.warning("a request could not be read: %s", type(error).__name__)
            await _refusal(path, status, text)(scope, receive, send)

    def _check_address(self, path: str, scope: Scope) -> None:
        size = len(scope["raw_path"] or b"") + len(scope["query_string"])
        if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
            raise HTTPException(431, f"An address has at most {MAX_HEAD:,} bytes with its headers.")
        posted, tools = scope["method"] == "POST", path.startswith(TOOLS)
        if CLOSED.match(path) or (posted and not POSTS.fullmatch(path)):
            raise HTTPException(404, "There is nothing here.")
        if tools and not (self.tools and posted):
            raise HTTPException(405, "Tools are called by POST, on a page with --mcp.")
        if (file := FILE.fullmatch(path)) and not self._is_own(file[1]):
            raise HTTPException(404, "Only uploaded pictures and the page's own files are here.")

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a file as it arrives."""
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

        await asyncio.to_thread(self._make_room)
        scope = {**scope, "query_string": b""}  # a name there would be remembered for ever
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await self.app(scope, part, send)
        finally:
            self.uploading -= size

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body within its bounds, check it, and hand it on."""
        tools, session = path.startswith(TOOLS), None
        if tools and self.calls >= MAX_TOOLS:
            raise HTTPException(429, "Too many tools are called now. Try again soon.")
        self.calls += tools
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(receive, MAX_TOOL_BODY if tools else MAX_BODY)
            if not path.startswith("/login"):  # a form
                values = self._read_json(body)
                if path.startswith(JOIN) or "/call/" in path:
                    session = self._join(values.get("session_hash"))
                if tools and isinstance(values.get("params"), dict):
                    # Without it Gradio writes the mask and its description into one text.
                    values["params"].setdefault("_meta", {"progressToken": 0})
                body = orjson.dumps(values)  # Gradio reads what was checked
            messages = [{"type": "http.request", "body": body, "more_body": False}]

            async def replay() -> Message:
                return messages.pop() if messages else await receive()

            await self.app(scope, replay, send)
        finally:
            self.calls -= tools
            if session is not None:
                self.joining -= Counter([session])

    def _join(self, session: Any) -> str | None:
        """Count a request of a session before it joins the queue."""
        if session is None:  # Gradio makes one up
            return None
        if not isinstance(session, str) or len(session) > 64:
            raise HTTPException(400, "A session is a text of at most 64 characters.")
        unread = self.page._queue.pending_event_ids_session.get(session, ())
        if len(unread) + self.joining[session] >= MAX_OF_SESSION:
            raise HTTPException(429, "Too many requests of this page wait. Try again soon.")
        self.joining[session] += 1
        self.unread[session] = 0
        return session

    async def _read(self, event: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Note that a session reads its answers."""
        joined = self.page._queue.event_ids_to_events.get(event or "")
        query = QueryParams(scope["query_string"]).get("session_hash", "")
        session = joined.session_hash if joined else event or query
        self.readers[session] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.readers -= Counter([session])

    async def _sweep(self) -> None:
        """Every second, drop what waits or was answered for sessions without a reader.

        Rounds are counted, not the clock: while the machine is too busy for them, nobody can read.
        """
        queue = self.page._queue
        for round in itertools.count(1):
            await asyncio.sleep(1)
            if round % STORED_SECONDS == 0:  # answers write files, too
                with suppress(HTTPException):
                    await asyncio.to_thread(self._make_room)
            joined = {*queue.pending_event_ids_session, *queue.pending_messages_per_session}
            waiting = joined - self.readers.keys()
            self.unread = Counter({session: self.unread[session] + 1 for session in waiting})
            for session in waiting:
                if self.unread[session] > UNREAD_SECONDS:
                    await queue.clean_events(session_hash=session)
                    queue.pending_event_ids_session.pop(session, None)
                    queue.pending_messages_per_session.pop(session, None)

    def _read_json(self, body: bytes) -> dict[str, Any]:
        """A JSON object whose files are here: Gradio would fetch what an address names."""
        if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            raise HTTPException(400, f"At most {MAX_BRACKETS:,} lists and objects fit here.")
        try:
            values = orjson.loads(body)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise HTTPException(400, "A JSON object was expected, but something else came.")
        containers: list[Any] = [values]
        for container in containers:
            if isinstance(container, dict) and container.get("path") is not None:
                path = container["path"]
                if isinstance(path, str):  # the address of an upload is its path
                    path = path.partition(f"{API}/file=")[2] or path
                if not self._is_own(path):
                    raise HTTPException(422, "This picture is not here: upload it again.")
                container |= {"path": path, "url": None}
            inside = container.values() if isinstance(container, dict) else container
            containers += [value for value in inside if isinstance(value, dict | list)]
        return values

    def _is_own(self, path: Any) -> bool:
        """Whether a path is that of a visitor's file, below its digest, or of one that ships."""
        try:
            whole = Path(path).resolve(strict=True)
            if whole.is_relative_to(self.uploads):
                own = bool(DIGEST.fullmatch(whole.parent.name))
            else:
                own = any(whole.is_relative_to(folder) for folder in self.shipped)
            return own and Path(path).is_absolute()
        except (OSError, ValueError, TypeError):  # no path, or none of a file
            return False

    def _make_room(self) -> None:
        """Delete the oldest files of visitors over MAX_STORED; refuse an upload on a full disk."""
        files, now = list[tuple[float, int, Path]](), time.time()
        for file in self.uploads.rglob("*"):
            with suppress(FileNotFoundError):  # another request deleted it
                status = file.stat()
                if S_ISDIR(status.st_mode):
                    continue
                if file.parent == self.uploads and now - status.st_mtime > 2 * BODY_SECONDS:
                    file.unlink()  # of an upload that broke off
                elif status.st_mtime > self.started:  # older ones are the page's own
                    files.append((status.st_mtime, max(status.st_size, LEAST_STORED), file))
        total = sum(size for _, size, _ in files)
        for _, size, file in sorted(files):
            if total <= MAX_STORED:
                break
            file.unlink(missing_ok=True)
            self.page.upload_file_set.discard(str(file))
            total -= size
        if shutil.disk_usage(self.uploads).free < MIN_FREE:
            raise HTTPException(507, "The disk of this page is full. Try again later.")


def _route(scope: Scope) -> str:
    """The path that Gradio looks up: without the prefix under which a proxy serves the page."""
    path, prefix = scope["path"], scope.get("root_path", "")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


async def _read_body(receive: Receive, most: int) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request ended early.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            raise HTTPException(413, f"A request has at most {most:,} bytes here.")
    return bytes(body)


def _refusal(path: str, status: int, text: str) -> JSONResponse | PlainTextResponse:
    """A sentence in the form in which Gradio's clients show it."""
    if path.startswith(UPLOAD):
        return PlainTextResponse(text, status)
    wrong = {"__type__": "validate", "is_valid": False, "message": text, "parameter_name": "image"}
    return JSONResponse({"error": text, "detail": [wrong] if status == 422 else text}, status)
