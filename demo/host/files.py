"""The folder of uploaded files, and the check of a path before it is opened."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from gclip_core.errors import ImageError

FOLDER = "GRADIO_TEMP_DIR"


def own_folder() -> None:
    """Give this process a folder for temporary files, unless the environment names one.

    Gradio names a file by its content and deletes its files when it ends: of two pages that share
    a folder, the first to end would delete the other's pictures.

    Raises:
        OSError: no folder can be made.
    """
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="gclip-")
        atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)


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
    """Path of a file of these bytes that a visitor may fetch; its folder is their digest."""
    return save_bytes_to_cache(data, name, get_upload_folder())
