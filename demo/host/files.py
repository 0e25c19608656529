"""The folder of visitors' files: its bounds, and the check of a path before it is opened."""

import atexit
import errno
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from gclip_core.errors import ImageError

FOLDER = "GRADIO_TEMP_DIR"
MAX_STORED = 4 * 2**30
"""Bytes of all files of visitors, uploads as well as what they export."""
MIN_COUNTED = 64 * 2**10
"""Bytes that a smaller file counts, which bounds the number of files."""
MAX_AGE, MIN_AGE = 86_400, 3_600
"""Seconds after which a file is deleted, and before which it is not deleted to make room."""


def own_folder() -> None:
    """Give this process a folder for temporary files, within the one that the environment names.

    Gradio names a file by its content: two pages that share a folder would delete each other's
    pictures. It is deleted when the process ends.

    Raises:
        OSError: no folder can be made.
    """
    parent = os.environ.get(FOLDER)
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="gclip-", dir=parent)
    atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)


def make_room(nbytes: int = 0) -> None:
    """Delete files of visitors over MAX_AGE, and the oldest until ``nbytes`` more fit.

    Gradio's own ``delete_cache`` has no bound, and a file that is stored during its round ends all
    its rounds.

    Raises:
        OSError: they fit only without files younger than MIN_AGE.
    """
    files: list[tuple[float, int, Path]] = []
    for folder, _, names in os.walk(get_upload_folder()):
        for file in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):
                status = file.stat()
                files.append((status.st_ctime, max(status.st_size, MIN_COUNTED), file))
    total, now = nbytes + sum(size for _, size, _ in files), time.time()
    for changed, size, file in sorted(files):
        if now - changed < (MAX_AGE if total <= MAX_STORED else MIN_AGE):
            break
        file.unlink(missing_ok=True)
        with suppress(OSError):  # it has other files
            file.parent.rmdir()
        total -= size
    if total > MAX_STORED:
        raise OSError(errno.EDQUOT, "the folder of visitors' files is full")


def is_uploaded(path: Any) -> bool:
    """Whether a value is a whole path inside the folder of uploads.

    An address with ``..`` in it would be one if it were read from this process's folder on.
    """
    try:
        folder = Path(get_upload_folder()).resolve()
        return Path(path).is_absolute() and Path(path).resolve().is_relative_to(folder)
    except (OSError, ValueError, RuntimeError, TypeError):  # not a path, or a circle of links
        return False


def path_of(file: Any) -> str:
    """Path of an uploaded file in a component's raw value; empty for none.

    Raises:
        ImageError: a path that no upload made, or no value of a file at all.
    """
    if isinstance(file, list):
        file = file[0] if file else None
    if file is None:
        return ""
    path = file.get("path") if isinstance(file, dict) else getattr(file, "path", "\0")
    if not path:
        return ""
    if not is_uploaded(path):
        raise ImageError("An uploaded file was expected, but the path of another file came.")
    return path


def saved_file(data: bytes, name: str) -> str:
    """Path of a file of these bytes that a visitor may fetch; its folder is their digest.

    Raises:
        OSError: there is no room.
    """
    make_room(len(data))
    return save_bytes_to_cache(data, name, get_upload_folder())
