"""The route that takes a visitor's picture, in the place of Gradio's.

Gradio's own keeps form fields in memory and the names of all uploads for ever, waits for a slow
visitor without end, leaves on the disk what it refuses, and has no bound on all uploads together.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from typing import BinaryIO

from gradio.utils import get_upload_folder
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive

from demo import problems
from demo.host.files import make_room
from demo.host.judge import API

PATH = f"{API}/upload"
MAX_FILE_BYTES = 64 * 2**20
MAX_FORM_BYTES = 64 * 2**10
"""Of what a form has beside its file."""
MAX_AT_ONCE = 4
SECONDS = 60
WAIT_SECONDS = 20
"""For a place; a whole class may upload at once. Who waits is not read from, so needs no memory."""
SPARE_BYTES = 256 * 2**20
"""Room that an upload leaves on the disk."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""Of a stored file; one with another suffix is stored without: a browser never shows it as a
page."""

_NO_FORM = "A form with one file was expected (multipart/form-data), but this could not be read."


class Uploads:
    """Stores one file a request, a few requests at a time, each within :data:`SECONDS`."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_AT_ONCE)

    def route(self) -> Route:
        """The route, to come before Gradio's of the same path."""
        return Route(PATH, self._answer, methods=["POST"])

    @asynccontextmanager
    async def place(self, nbytes: int) -> AsyncIterator[None]:
        """One of the places, while up to ``nbytes`` come and are stored.

        Raises:
            HTTPException: all are taken, the disk has too little room, or it takes too long.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            busy = "Too many pictures are uploaded at this moment. Try again in a minute."
            raise HTTPException(503, busy) from error
        try:
            await run_in_threadpool(_make_room, nbytes)
            async with asyncio.timeout(SECONDS):
                yield
        except TimeoutError as error:
            slow = f"An upload may take {SECONDS} s, but this took longer."
            raise HTTPException(408, slow) from error
        except OSError as error:
            raise HTTPException(507, problems.sentence(error)) from error
        finally:
            self._places.release()

    def store(self, file: BinaryIO, name: str) -> str:
        """The path of a file's copy in the folder of uploads, whose name is the content's digest.

        Raises:
            OSError: there is no room; nothing is left behind.
        """
        folder = (
            Path(get_upload_folder()).resolve() / hashlib.file_digest(file, "sha256").hexdigest()
        )
        suffix = PurePath(name).suffix.lower()
        path = folder / ("picture" + (suffix if suffix in SUFFIXES else ""))
        folder.mkdir(parents=True, exist_ok=True)
        file.seek(0)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
            try:
                shutil.copyfileobj(file, copy)
                copy.flush()
                Path(copy.name).replace(path)
            except OSError:
                Path(copy.name).unlink()
                raise
        return str(path)

    async def _answer(self, request: Request) -> Response:
        """The path of the stored file, as Gradio's clients expect it; or a sentence."""
        try:
            announced = _announced(request)
            async with self.place(announced):
                limited = Request(request.scope, _limited(request.receive))
                path = await self._take(limited)
        except HTTPException as refused:
            return PlainTextResponse(refused.detail, refused.status_code)
        except (MultiPartException, AssertionError, KeyError, ValueError):
            return PlainTextResponse(_NO_FORM, 400)
        return JSONResponse([path])

    async def _take(self, request: Request) -> str:
        """Store the file of a form."""
        async with request.form(
            max_files=1, max_fields=8, max_part_size=MAX_FORM_BYTES // 8
        ) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise HTTPException(400, _NO_FORM)
            if (files[0].size or 0) > MAX_FILE_BYTES:
                raise _too_large()
            return await run_in_threadpool(self.store, files[0].file, files[0].filename or "")


def _announced(request: Request) -> int:
    """The bytes that a request announces, by default the most that it may have."""
    length = request.headers.get("content-length", "")
    most = MAX_FILE_BYTES + MAX_FORM_BYTES
    announced = int(length[:20]) if length.isascii() and length.isdigit() else most
    if announced > most:
        raise _too_large()
    return announced


def _make_room(nbytes: int) -> None:
    """Make room for so many bytes, and check that the disk has it and some more."""
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    make_room(nbytes)
    for folder in (tempfile.gettempdir(), get_upload_folder()):
        if shutil.disk_usage(folder).free < nbytes + SPARE_BYTES:
            raise HTTPException(507, problems.NO_ROOM)


def _limited(receive: Receive) -> Receive:
    """The parts of a body, until there are too many bytes."""
    nbytes = 0

    async def limited() -> Message:
        nonlocal nbytes
        message = await receive()
        nbytes += len(message.get("body", b""))
        if nbytes > MAX_FILE_BYTES + MAX_FORM_BYTES:
            raise _too_large()
        return message

    return limited


def _too_large() -> HTTPException:
    most = f"{MAX_FILE_BYTES // 2**20} MB"
    return HTTPException(413, f"A picture of at most {most} was expected, but this one is larger.")
