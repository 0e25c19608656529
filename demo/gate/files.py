"""Visitors' files: what is stored, served and opened.

Without it, clients could fill the disk or delete the photos of others (``full_disk`` and
``small_files`` of ``tests.load``), and read or fetch whatever a path names.
"""

import asyncio
import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from demo.gate import API

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

MAX_FILE = 64 * 2**20  # bytes of an upload
MAX_UPLOADING = 256 * 2**20  # bytes of all uploads in progress; Gradio may keep them in memory
MAX_STORED = 2 * 2**30  # bytes of all files, including uploads in progress
LEAST_STORED = 128 * 2**10  # bytes that a smaller file counts as
MIN_FREE = 2**30  # bytes of free disk space to keep
MAX_AGE = 86_400  # seconds after which a file is deleted
SCAN_SECONDS = 60  # between two scans for old files
ABORTED_SECONDS = 60  # after which what an aborted upload left is deleted
FOLDER, PREFIX = "GRADIO_TEMP_DIR", "gclip-uploads-"
GONE = "This photo is no longer on the server. Upload it again."
DIGEST = re.compile(r"[0-9a-f]{64}")
DELETE_SCRIPT = "import shutil, sys; [shutil.rmtree(path, True) for path in sys.argv[1:]]"


def own_folder() -> Path:
    """Makes a folder for the files of this process, and deletes those of processes that ended.

    Gradio names files by their content, so two pages in one folder would delete each other's. A
    lock tells other processes that this one is running.
    """
    parent = Path(os.environ.get(FOLDER) or tempfile.gettempdir()).resolve()
    parent.mkdir(parents=True, exist_ok=True)
    delete(*filter(lock, parent.glob(f"{PREFIX}*")))
    made = Path(tempfile.mkdtemp(dir=parent))
    lock(made)
    folder = made.rename(made.with_name(PREFIX + made.name))
    os.environ[FOLDER] = str(folder)
    atexit.register(delete, folder)
    return folder


def lock(folder: Path) -> bool:
    """Lock a folder until this process ends; False if another process has locked it."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has no such locks

        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def delete(*folders: Path) -> None:
    """Deletes in a separate process: 20,000 files take half a minute on some disks."""
    if folders:
        subprocess.Popen([sys.executable, "-ISc", DELETE_SCRIPT, *folders], start_new_session=True)


class Files:
    """Visitors' files, each in a folder of ``uploads`` named by a digest, and those that ship."""

    def __init__(self, page: "gr.Blocks", uploads: Path, shipped: Sequence[Path] = ()) -> None:
        self.page, self.uploads = page, uploads.resolve()
        self.shipped = [folder.resolve() for folder in shipped]
        self.started = time.time()
        self.owners: dict[str, str] = {}  # by digest: the visitor who uploaded it
        self.uploading = self.stored = 0  # bytes
        self.scanning = asyncio.Lock()

    def is_own(self, path: Any) -> bool:
        """Whether a path leads to one of these files."""
        if not isinstance(path, str) or not Path(path).is_absolute():
            return False
        try:
            file = Path(path).resolve(strict=True)
        except (OSError, ValueError):  # missing, or not a valid path
            return False
        if file.is_relative_to(self.uploads):
            return bool(DIGEST.fullmatch(file.parent.name))
        return file.is_file() and any(file.is_relative_to(folder) for folder in self.shipped)

    def check_paths(self, values: dict[str, Any]) -> None:
        """Refuses other files that a request names: Gradio would open or fetch them."""
        unchecked: list[Any] = [values]
        while unchecked:
            value = unchecked.pop()
            if isinstance(value, list):
                unchecked += value
            elif isinstance(value, dict):
                unchecked += value.values()
                path = value.get("path")
                if isinstance(path, str):  # the URL of an upload ends in its path
                    path = path.partition(f"{API}/file=")[2] or path
                if path is not None and not self.is_own(path):
                    raise HTTPException(422, GONE)
                if path is not None:
                    value |= {"path": path, "url": None}

    @asynccontextmanager
    async def counting(self, receive: Receive) -> AsyncIterator[Receive]:
        """Counts the bytes of a request until it is stored and answered."""
        size = 0

        async def part() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            self.uploading += len(message.get("body", b""))
            if size > MAX_FILE + 2**16:
                raise HTTPException(
                    413, f"The file is too large. Send at most {MAX_FILE >> 20} MB."
                )
            await self._check_room()
            return message

        await self._check_room()
        try:
            yield part
        finally:
            self.uploading -= size
            self.stored += max(size, LEAST_STORED)

    async def _check_room(self) -> None:
        if self.uploading > MAX_UPLOADING:
            raise HTTPException(503, "Too many uploads at the moment. Try again soon.")
        if self.stored + self.uploading > MAX_STORED:
            await self.make_room()
        if shutil.disk_usage(self.uploads).free < MIN_FREE:
            raise HTTPException(507, "The server’s disk is full. Try again later.")

    async def make_room(self, *, scan: bool = False) -> None:
        """Deletes files if there is no room; with ``scan``, look for old ones in any case."""
        async with self.scanning:
            if scan or self.stored + self.uploading > MAX_STORED:
                before = self.stored
                total = await asyncio.to_thread(self.delete_old_and_excess)
                self.stored += total - before  # uploads may have added to it meanwhile

    def delete_old_and_excess(self) -> int:
        """Deletes old files and, if there is no room, those of the visitors who store the most.

        A visitor's files with the largest product of size and age go first. Returns the bytes that
        are left.
        """
        now, sizes = time.time(), Counter[str]()
        files = defaultdict[str, list[tuple[float, int, Path]]](list)
        for place, _, names in os.walk(self.uploads):
            folder = Path(place)
            if not names and folder != self.uploads:
                with suppress(OSError):  # another request may delete it or write its file
                    if now - folder.stat().st_mtime > ABORTED_SECONDS:
                        folder.rmdir()
            for file in map(folder.joinpath, names):
                with suppress(FileNotFoundError):
                    status = file.stat()
                    size, age = max(status.st_size, LEAST_STORED), now - status.st_mtime
                    if status.st_mtime <= self.started:  # one of the page's own
                        continue
                    if age > (ABORTED_SECONDS if folder == self.uploads else MAX_AGE):
                        self._delete(file)
                    else:
                        visitor = self.owners.get(folder.name, "")
                        files[visitor].append((size * age, size, file))
                        sizes[visitor] += size
        total = sizes.total()
        if total + self.uploading > MAX_STORED:
            for of_visitor in files.values():
                of_visitor.sort()
            while total > 0.8 * MAX_STORED:
                visitor = max(sizes, key=sizes.__getitem__)
                _, size, file = files[visitor].pop()
                self._delete(file)
                sizes[visitor] -= size
                total -= size
        return total

    def _delete(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        self.owners.pop(file.parent.name, None)
        self.page.upload_file_set.discard(str(file))  # Gradio's own list, which only grows
