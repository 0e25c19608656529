"""Visitors' files on this server: photos, uploads of programs, and files of their answers.

A photo of the page is a cache: its browser sends it again.
"""

import atexit
import os
import secrets
import shutil
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from threading import RLock, Thread

from demo import limits

PREFIX, PARENT = "gclip-", "GRADIO_TEMP_DIR"


class Store:
    """Files by digests that only this server can make, each in a folder of its own."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(32)
        self.lock = RLock()
        self.files = OrderedDict[str, tuple[Path, str, int, float]]()
        """Path, address, bytes and time of each, the one that was used least recently first."""
        self.on_delete: Callable[[str], None] = lambda _: None
        """Called with the digest of each file that is deleted."""

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
                        self.files[digest] = path, address, size, time.time()
                    self._delete_excess()
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return digest

    def path(self, digest: str) -> Path | None:
        """The file of a digest, if it is still here."""
        with self.lock:
            if digest not in self.files:
                return None
            self.files.move_to_end(digest)
            path = self.files[digest][0]
            if path.is_file():
                return path
            self.delete(digest)
        return None

    def delete(self, digest: str) -> None:
        """Deletes a file, if it is here."""
        with self.lock:
            if self.files.pop(digest, None):
                shutil.rmtree(self.folder / digest, ignore_errors=True)
                self.on_delete(digest)

    def _delete_excess(self) -> None:
        with self.lock:
            while excess := self._excess():
                self.delete(excess)

    def _excess(self) -> str | None:
        """The next file to delete: an old one, or the oldest of the address that stores most."""
        sizes, counts, now = Counter[str](), Counter[str](), time.time()
        for _, address, size, _ in self.files.values():
            sizes[address] += size
            counts[address] += 1
        most = max(sizes, key=sizes.__getitem__) if sizes.total() > limits.MAX_STORED else None
        for digest, (_, address, _, when) in self.files.items():
            is_old, is_full = now - when > limits.MAX_AGE, counts[address] > limits.MAX_OF_ADDRESS
            if is_old or is_full or address == most:
                return digest
        return None


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
