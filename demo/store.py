"""Visitors' files on this server: photos, uploads of programs, and files of their answers.

A photo of the page is a cache: its browser sends it again.
"""

import atexit
import os
import secrets
import shutil
import tempfile
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from threading import RLock, Thread
from typing import NamedTuple

from demo import limits

PREFIX, PARENT = "gclip-", "GRADIO_TEMP_DIR"
MARK = ".gclip-page"
"""A file that marks a folder as one of a server, which has locked it while it runs."""


class File(NamedTuple):
    path: Path
    address: str
    size: int
    time: float


class Store:
    """Files by digests that only this server can make, each in a folder of its own."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(32)
        self.lock = RLock()
        self.files = OrderedDict[str, File]()
        """By digest, the one that was used least recently first."""
        self.on_delete: Callable[[str], None] = lambda _: None
        """Called with the digest of each file that is deleted."""

    @cached_property
    def folder(self) -> Path:
        """A folder of this process, which is deleted when it ends."""
        parent = Path(os.environ.get(PARENT) or tempfile.gettempdir()).resolve()
        parent.mkdir(parents=True, exist_ok=True)
        killed = [*parent.glob(f"{PREFIX}*")]  # perhaps: thousands of files take a while
        Thread(target=_delete_unlocked, args=killed, daemon=True).start()
        made = Path(tempfile.mkdtemp(dir=parent))
        (made / MARK).touch()
        _lock(made / MARK)
        folder = made.rename(made.with_name(PREFIX + made.name))
        atexit.register(shutil.rmtree, folder, True)
        Thread(target=self._tidy, daemon=True).start()
        return folder

    def _tidy(self) -> None:
        while True:
            time.sleep(limits.LOOK_SECONDS)
            self._delete_excess()

    def add(
        self, data: bytes, address: str, file: str, convert: Callable[[bytes], bytes] = bytes
    ) -> str:
        """Stores a file as ``convert`` returns it, by the digest of what was sent.

        Raises what ``convert`` raises, and OSError if the file cannot be stored.
        """
        digest = blake2b(data, digest_size=16, key=self.key, person=file.encode()).hexdigest()
        if self.path(digest) is None:
            self.folder.mkdir(0o700, exist_ok=True)  # somebody may have tidied up
            unfinished = Path(tempfile.mkdtemp(dir=self.folder))
            try:
                size = (unfinished / file).write_bytes(convert(data))
                with self.lock:
                    if digest not in self.files:
                        path = unfinished.rename(self.folder / digest) / file
                        size = max(size, limits.LEAST_STORED)
                        self.files[digest] = File(path, address, size, time.time())
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            self._delete_excess()
        return digest

    def path(self, digest: str) -> Path | None:
        """The file of a digest, if it is still here."""
        with self.lock:
            if digest not in self.files:
                return None
            self.files.move_to_end(digest)
            path = self.files[digest].path
            if path.is_file():
                return path
            self.delete(digest)
        return None

    def delete(self, digest: str) -> None:
        """Deletes a file, if it is here."""
        gone = self.folder / secrets.token_hex()  # meanwhile, the same file may come again
        with self.lock:
            if self.files.pop(digest, None) is None:
                return
            with suppress(FileNotFoundError):
                (self.folder / digest).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        self.on_delete(digest)

    def _delete_excess(self) -> None:
        for digest in self._excess():
            self.delete(digest)

    def _excess(self) -> Iterator[str]:
        """Old files, those above the limit of an address, and those of whichever stores most."""
        with self.lock:
            files = [*self.files.items()]
        kept, now = defaultdict[str, deque[tuple[str, int]]](deque), time.time()
        for digest, file in files:
            if now - file.time > limits.MAX_AGE:
                yield digest
            else:
                kept[file.address].append((digest, file.size))
        for some in kept.values():
            while len(some) > limits.MAX_OF_ADDRESS:
                yield some.popleft()[0]
        sizes = {address: sum(size for _, size in some) for address, some in kept.items()}
        while sum(sizes.values()) > limits.MAX_STORED:
            most = max(sizes, key=sizes.__getitem__)
            digest, size = kept[most].popleft()
            sizes[most] -= size
            yield digest


def _delete_unlocked(*folders: Path) -> None:
    """Deletes the folders of servers that were killed, and no other folder with such a name."""
    for folder in folders:
        if (lock := _lock(folder / MARK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(file: Path) -> int | None:
    """Locks a file until the descriptor that it returns is closed, or the process ends; None if
    there is none, or another process has locked it."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has no such locks, and keeps old folders

        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


STORE = Store()
