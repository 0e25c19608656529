"""Images and arrays as files, which a browser fetches by URL when it needs them.

The URL contains a digest of the content, so a browser need not fetch it twice.
"""

import gzip
import io
import os
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from numpy.typing import NDArray
from PIL import Image

from demo.gate.files import DIGEST
from demo.scene import Photo

SHOWN_SIDE = 1280
"""Longest side of a mask in the browser, in pixels; a photo's is at most twice as long."""


def saved(data: bytes, name: str) -> str:
    """Writes a file that Gradio serves, and returns its path."""
    path = Path(get_upload_folder(), sha256(data).hexdigest(), name)
    while True:
        with suppress(FileNotFoundError):  # an upload may delete it, or its folder, at any time
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as unfinished:
                    unfinished.write(data)
                Path(unfinished.name).rename(path)  # whole: a browser may read at any time
            os.utime(path)  # the oldest files are deleted first
            return str(path)


def reference(path: str) -> str:
    """The folder name of an upload, a seeded digest of its content; empty for other files."""
    folder = Path(path).parent
    return folder.name if folder.parent == Path(get_upload_folder()) else ""


def upload(reference: str) -> str | None:
    """The path of an upload; None if it was deleted or ``reference`` is no digest."""
    if not DIGEST.fullmatch(reference):
        return None
    with suppress(OSError):  # it may be deleted at any time
        files = Path(get_upload_folder(), reference).iterdir()
        return next((str(file) for file in files if not file.name.startswith(".")), None)
    return None


def image_bytes(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=88)
    return buffer.getvalue()


def picture_file(image: Image.Image, kind: str = "png") -> dict[str, Any]:
    path = saved(image_bytes(image, kind), f"picture.{kind}")
    return gr.FileData(path=path).model_dump()


def packed(numbers: NDArray[np.uint8]) -> dict[str, Any]:
    """An array with its shape, as gzip: browsers may add noise to pixels that scripts read."""
    path = saved(gzip.compress(np.ascontiguousarray(numbers), 6, mtime=0), "numbers.gz")
    return {"shape": list(numbers.shape), "file": gr.FileData(path=path).model_dump()}


def photo_file(photo: Photo) -> dict[str, Any]:
    """The photo as it was segmented; the visitor's own file if a browser shows it the same way."""
    with Image.open(photo.path) as file:
        if file.format == "JPEG" and max(file.size) <= 2 * SHOWN_SIDE:
            return gr.FileData(path=photo.path).model_dump()
    return gr.FileData(path=saved(_shown(photo), "picture.jpeg")).model_dump()


@lru_cache(12)
def _shown(photo: Photo) -> bytes:
    shown = photo.picture.copy()
    shown.thumbnail((2 * SHOWN_SIDE, 2 * SHOWN_SIDE))
    return image_bytes(shown, "jpeg")


def item(
    image: Image.Image | None, caption: str, alt: str = "", kind: str = "png"
) -> dict[str, Any]:
    """An item of a strip: a picture, or a chip if there is none."""
    return {"image": image and picture_file(image, kind), "alt": alt or caption, "caption": caption}
