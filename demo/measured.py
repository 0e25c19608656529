"""What was measured of the built-in model on many photos; see `assets/built-in/README.md`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gclip_core import assets


@dataclass(frozen=True)
class Measured:
    """Means over ``photos``, in percent.

    ``miou`` is by method: the names of METHODS, "AMF" and "CS". ``planted`` is mIoU with a planted
    channel, under "neither" switch, "AMF", "CS" and "both". ``words`` are ClearCLIP's IoU by word,
    where the word covers a twentieth of a photo, and the number of these photos.
    """

    photos: int
    miou: Mapping[str, float]
    planted: Mapping[str, float]
    words: Mapping[str, tuple[float, int]]


@cache
def measured() -> Measured:
    """The figures over all photos of the set, as ``python -m training.measure`` wrote them."""
    file = json.loads(assets.path("built-in", "measured.json").read_text("utf-8"))
    every = file["all"]
    words = every["words of ClearCLIP"]["a twentieth"]
    return Measured(
        photos=every["photos"],
        miou={name: scores["there"] for name, scores in every["methods"].items()},
        planted=file["planted"]["all"],
        words={word: (iou, photos) for word, (iou, photos) in words.items()},
    )
