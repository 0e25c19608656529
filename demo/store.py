"""Visitors' files on this server. A photo of the page is a cache: its browser sends it again.

Without its limits, uploads could fill the disk (``full_disk`` and ``small_files`` of
``tests.load``).
"""

import atexit
import os
import secrets
import shutil
import tempfile
import time
from collections import Counter, OrderedDict
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from threading import RLock, Thread
from typing import Any

from demo import pictures

MAX_STORED = 2**30  # bytes of all photos, and of all files of programs
LEAST_STORED = 128 * 2**10  # bytes that a smaller file counts as
MAX_OF_ADDRESS = 200  # photos: a class of thirty shares an address
MAX_AGE = 23 * 3600  # seconds; with the next look, at most a day
TIDY_SECONDS = 3600  # between two looks for old files, if nobody uploads any
LOOK_SECONDS = 60  # between two looks at the files of programs
LOOK_UPLOADS = 8  # or after this many uploads, of at most 64 MB each
PREFIX, PARENT = "gclip-", "GRADIO_TEMP_DIR"


class Store:
    """Photos by name: each is checked, upright, and scaled to what the page works at."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(32)
        self.lock = RLock()
        self.photos = OrderedDict[str, tuple[str, int, float]]()
        """The address, bytes and time of each, the one that was used least recently first."""
        self.looked, self.uploads = 0.0, 0

    @cached_property
    def folder(self) -> Path:
        """A folder of this process, which is deleted when it ends."""
        parent = Path(os.environ.get(PARENT) or tempfile.gettempdir()).resolve()
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{PREFIX}*"):  # of servers that were killed
            if _lock(old):  # thousands of files take a while
                Thread(target=shutil.rmtree, args=(old, True), daemon=True).start()
        made = Path(tempfile.mkdtemp(dir=parent))
        _lock(made)
        folder = made.rename(made.with_name(PREFIX + made.name))
        atexit.register(shutil.rmtree, folder, True)
        Thread(target=self._tidy, daemon=True).start()
        return folder

    def _tidy(self) -> None:
        while True:
            time.sleep(TIDY_SECONDS)
            self._delete_excess()
            self.delete_old_files()

    @property
    def files(self) -> Path:
        """The folder of programs' uploads and of the files of answers, which Gradio serves."""
        return Path(os.environ.get(PARENT) or Path(tempfile.gettempdir(), "gradio")).resolve()

    def add(self, data: bytes, address: str) -> str:
        """Stores a photo and returns its name, a digest that only this server can make.

        Raises ImageError if it is not a photo, or too large, and OSError if it cannot be stored.
        """
        name = blake2b(data, digest_size=16, key=self.key).hexdigest()
        if self.path(name) is None:
            self.folder.mkdir(0o700, exist_ok=True)  # somebody may have tidied up
            unfinished = self.folder / f"{name}-{secrets.token_hex(4)}"
            try:
                picture = pictures.opened(data)
                # Without loss, since JPEG would change masks; run lengths (3) are quickest.
                picture.save(unfinished, "png", compress_level=1, compress_type=3)
                size = max(unfinished.stat().st_size, LEAST_STORED)
                with self.lock:
                    unfinished.rename(self.folder / name)
                    self.photos[name] = address, size, time.time()
                    self._delete_excess()
            finally:
                unfinished.unlink(missing_ok=True)
        return name

    def path(self, name: str) -> Path | None:
        """The file of a photo that is still here."""
        with self.lock:
            if name not in self.photos or not (self.folder / name).is_file():
                return None
            self.photos.move_to_end(name)
        return self.folder / name

    def delete(self, name: str) -> None:
        """Deletes a photo, if it is here."""
        with self.lock:
            if self.photos.pop(name, None):
                (self.folder / name).unlink(missing_ok=True)

    def _delete_excess(self) -> None:
        with self.lock:
            while excess := self._excess():
                self.delete(excess)

    def _excess(self) -> str | None:
        """The next photo to delete: an old one, or the oldest of the address that stores most."""
        sizes, counts, now = Counter[str](), Counter[str](), time.time()
        for address, size, _ in self.photos.values():
            sizes[address] += size
            counts[address] += 1
        most = max(sizes, key=sizes.__getitem__) if sizes.total() > MAX_STORED else None
        for name, (address, _, when) in self.photos.items():
            if address == most or counts[address] > MAX_OF_ADDRESS or now - when > MAX_AGE:
                return name
        return None

    # --- files of programs ------------------------------------------------------------------------

    def is_own(self, path: str) -> bool:
        """Whether a path leads to one of ``files``."""
        with suppress(OSError, ValueError):
            file = Path("/", path).resolve(strict=True)
            return file.is_file() and file.parent.parent == self.files
        return False

    def names_own_files(self, values: Any) -> bool:
        """Whether all files that a request names are of ``files``; Gradio would open or fetch
        others. Their URLs, which are not needed, are taken out."""
        unchecked = [values]
        while unchecked:
            value = unchecked.pop()
            if isinstance(value, list):
                unchecked += value
            elif isinstance(value, dict):
                unchecked += value.values()
                if "path" in value or "url" in value:
                    path = value.get("path")
                    if not isinstance(path, str) or not self.is_own(path.split("file=")[-1]):
                        return False
                    value |= {"path": path.split("file=")[-1], "url": None}
        return True

    def delete_old_files(self) -> None:
        """Deletes files of programs that are older than a day, and the oldest above MAX_STORED.

        Looks at them once in LOOK_SECONDS, or LOOK_UPLOADS: there may be many thousands.
        """
        with self.lock:
            self.uploads += 1
            if self.uploads < LOOK_UPLOADS and time.monotonic() < self.looked + LOOK_SECONDS:
                return
            self.looked, self.uploads = time.monotonic(), 0
        files, stored, now = list[tuple[float, int, Path]](), 0, time.time()
        for file in self.files.rglob("*"):
            with suppress(OSError):  # somebody deleted it
                if file.is_file():
                    files.append((file.stat().st_mtime, file.stat().st_size, file))
        for when, size, file in sorted(files, reverse=True):
            stored += max(size, LEAST_STORED)
            is_broken = file.parent == self.files and now - when > LOOK_SECONDS
            if is_broken or stored > MAX_STORED or now - when > MAX_AGE:
                with suppress(OSError):
                    file.unlink()
                    if file.parent != self.files:
                        file.parent.rmdir()


def _lock(folder: Path) -> bool:
    """Locks a folder until this process ends; False if it is no folder, or another process has
    locked it."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has no such locks, and keeps old folders

        fcntl.flock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


STORE = Store()
