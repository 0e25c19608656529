"""Photos, scenes and pieces for tests of the page, all with the built-in model."""

import gzip
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo.answer import answered
from demo.photo import Photo
from demo.scene import Scene
from demo.settings import Settings
from evaluation.photos import shipped_photos
from tests.demo.visitor import merge

DOG, FLOWER = shipped_photos()["dog"].path, shipped_photos()["flower"].path
SMALL = {"short_side": 112, "refine": "none"}
"""Settings with which all methods are fast."""
USUAL = {
    "words": "dachshund, grass",
    "backbone": "built-in-damaged",
    "method": "gclip",
    "refine": "none",
    "short_side": 112,
    "amf_blocks": "auto",
    "cs_blocks": "auto",
}
"""Settings with which every other setting has an effect."""
SHOWN = b64encode(np.linspace(-0.1, 0.1, 256).astype(np.float16).tobytes()).decode()
OTHER = {
    "words": "dog, sky",
    "shown": f"grass,{SHOWN}",
    "marks": "0.25,0.5,sky;0.5,0.5,0.75,1,;0.9,0.1,thing",
    "nearest": False,
    "background": False,
    "background_weight": 0.9,
    "amf": False,
    "cs": False,
    "backbone": "built-in",
    "method": "sclip",
    "refine": "pamr",
    "threshold": 0.6,
    "short_side": 160,
    "templates": "plain",
    "logit_scale": 9.0,
    "amf_blocks": "5 6",
    "n_fused": 4,
    "global_threshold": 2.0,
    "cs_blocks": "11",
    "channel_threshold": 900.0,
    "block": 3,
    "head": 1,
    "enlarged": "sclip",
}
"""A value other than the default for every setting."""


def small_dog(folder: Path, name: str = "photo.png", size: tuple[int, int] = (240, 160)) -> Path:
    """A small photo of a dog, which is no example."""
    path = folder / name
    Image.open(DOG).resize(size).save(path)
    return path


def photo_of(path: Path) -> Photo:
    """A file that is no example."""
    return Photo(sha256(path.read_bytes()).hexdigest(), path)


def scene(path: Path | str = "dog", **settings: Any) -> Scene:
    """A scene of a file, or of the example of that name."""
    photo = Photo.of_example(path) if isinstance(path, str) else photo_of(path)
    return Scene(photo, Settings(**settings)).with_words()


def numbers(packed: dict[str, Any]) -> np.ndarray:
    """An array as the browser unpacks it."""
    data = gzip.decompress(b64decode(packed["url"].partition(",")[2]))
    return np.frombuffer(data, np.uint8).reshape(packed["shape"])


def piece(current: Scene, name: str) -> Any:
    """A piece, with all of its values if it follows switches."""
    pieces = dict[str, Any]()
    for new in answered(current, [name]):
        merge(pieces, new)
    return pieces[name]
