"""Visitors' files: what is stored, served and opened.

Without it strangers fill the disk (``full_disk`` of ``tests.load``), and read or fetch whatever a
path names (``test_other_files``, ``test_no_address_is_fetched``).
"""

import asyncio
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import walk
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from demo.gate import API

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

MAX_FILE = 64 * 2**20  # bytes of an upload
MAX_UPLOADING = 512 * 2**20  # bytes of all that are under way; Gradio may keep them in memory
MAX_STORED = 2 * 2**30  # bytes of all visitors' files
LEAST_STORED = 64 * 2**10  # a smaller file counts as so many bytes
STORED_SECONDS = 60  # between two looks at them, besides those at an upload
MIN_FREE = 2**30  # bytes of the disk that an upload leaves free
FILE_AGE = 3_600, 86_400  # seconds between two looks at their age, and when they are deleted
DIGEST = re.compile(r"[0-9a-f]{64}")


class Files:
    """Visitors' files, each in a folder of ``uploads`` with a digest's name; those that ship."""

    def __init__(self, page: "gr.Blocks", uploads: Path, shipped: Sequence[Path] = ()) -> None:
        self.page, self.uploads = page, uploads.resolve()
        self.shipped = [folder.resolve() for folder in shipped]
        self.started = time.time()
        self.uploading = 0  # bytes that are on their way
        self.stored, self.looking = 0, asyncio.Lock()  # bytes, at most; taken while they are summed

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

    async def check_room(self) -> None:
        """Make room for an upload.

        Raises:
            HTTPException: the disk is full.
        """
        await self.make_room(MAX_STORED)
        if shutil.disk_usage(self.uploads).free < MIN_FREE:
            raise HTTPException(507, "The disk of this page is full. Try again later.")

    @contextmanager
    def counting(self, receive: Receive) -> Iterator[Receive]:
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
            if size > MAX_FILE + 2**16:
                raise HTTPException(413, f"A picture has at most {MAX_FILE:,} bytes here.")
            if self.uploading > MAX_UPLOADING:
                raise HTTPException(503, "Too many pictures are uploaded now. Try again soon.")
            return message

        try:
            yield part
        finally:
            self.uploading -= size
            self.stored += max(size, LEAST_STORED)

    async def make_room(self, least: int = 0) -> None:
        """Look at all files, if they may have more than ``least`` bytes; one look at a time."""
        async with self.looking:
            if self.stored >= least:
                before = self.stored
                total = await asyncio.to_thread(self.delete_most)
                self.stored += total - before  # it has grown by uploads meanwhile

    def delete_most(self) -> int:
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
