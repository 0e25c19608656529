"""Photos, scenes and a visitor for tests of the page, all with the built-in model."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo.answer import Seen, answer
from demo.scene import Photo, Scene
from demo.settings import Settings
from evaluation.photos import shipped_photos

DOG, FLOWER = (str(shipped_photos()[name].path) for name in ("dog", "flower"))
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
OTHER = {
    "words": "dog, sky",
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


def small_dog(folder: Path, name: str = "photo.png", size: tuple[int, int] = (240, 160)) -> str:
    """A small photo of a dog, which is no example."""
    path = folder / name
    Image.open(DOG).resize(size).save(path)
    return str(path)


def scene(path: str = DOG, **settings: Any) -> Scene:
    return Scene(Photo.of(path), Settings(**settings)).with_words()


def numbers(packed: dict[str, Any]) -> np.ndarray:
    """Arrays as a browser fetches them."""
    data = gzip.decompress(Path(packed["file"]["path"]).read_bytes())
    return np.frombuffer(data, np.uint8).reshape(packed["shape"])


class Session:
    """The state of one page: the values of its answers. Settings are as a browser sends them."""

    def __init__(self, path: str | None = DOG, tab: str = "segment", **settings: Any) -> None:
        self.path, self.tab, self.seen = path, tab, Seen()
        self.settings = Settings().model_dump() | settings

    def ask(self, **changes: Any) -> dict[str, Any]:
        """The outputs of one answer, after changes of settings, ``path`` or ``tab``."""
        for name in ("path", "tab"):
            setattr(self, name, changes.pop(name, getattr(self, name)))
        self.settings |= changes
        outputs: dict[str, Any] = {}
        for part in answer(self.seen, self.tab, self.path, *self.settings.values()):
            self.seen = part.pop("seen", self.seen)
            outputs |= part
        if "filled" in outputs:
            _, outputs["words"], _ = json.loads(outputs["filled"])
            self.settings["words"] = outputs["words"]
        return outputs
