"""Learn: four steps on one photo. Each asks for a guess, measures, and links to its masks.

Their texts are in the page's HTML.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from demo.backbones import DAMAGED
from demo.canvas import HARDLY, score_name
from demo.drawing import WHITE, classes, item, painted, small
from demo.photo import OPENING, Photo
from demo.scene import SWITCHES, Scene
from demo.settings import Settings
from evaluation import photos
from gclip_core import assets
from gclip_core.pixels import palette
from gclip_core.result import percent

PHOTO = photos.shipped_photos()[OPENING]
"""The photo of all steps; each must hold on it with these weights."""
WIDTH = 420
"""Of the pictures, in pixels."""
LITTLE = 0.05
"""A guess that hardly anything changes is nearly right if the mIoU changes by less."""


class Lesson(NamedTuple):
    """Settings before and after a step; ``file`` is one of assets/learn."""

    before: dict[str, Any]
    after: dict[str, Any]
    file: str = ""


NEITHER = {"amf": False, "cs": False, "words": ", ".join(PHOTO.names)}
AMF = NEITHER | {"amf": True}
ONE_WORD = NEITHER | {"words": PHOTO.names[0]}
LESSONS = {
    "patches": Lesson(ONE_WORD | {"background": False}, ONE_WORD),
    "fusion": Lesson(NEITHER, AMF, "global-tokens.webp"),
    "outlier": Lesson(AMF, AMF | {"backbone": DAMAGED}),
    "suppression": Lesson(AMF | {"backbone": DAMAGED}, AMF | {"cs": True, "backbone": DAMAGED}),
}
"""Steps by name."""


def scene_of(settings: dict[str, Any]) -> Scene:
    """The photo with the settings of a step; all others have their defaults."""
    return Scene(Photo.of_example(PHOTO.name), Settings(**settings)).with_words()


@cache
def step(name: str) -> dict[str, Any]:
    """A step: the masks before a guess and after it, and the right guess, by its number."""
    lesson = LESSONS[name]
    before, after = scene_of(lesson.before), scene_of(lesson.after)
    first, last = (scene.miou(scene.mask()) for scene in (before, after))
    gain, shown, beside = last - first, picture(before, "Before"), other(lesson)
    return {
        "before": [shown, beside],
        "after": [shown, picture(after, "After"), changes(before, after), beside],
        "classes": classes(after),
        "right": 2 if abs(gain) < HARDLY else int(gain < 0),
        "isLittle": abs(gain) < LITTLE,
        "told": f"{score_name(after, after.mask())} goes from {percent(first)} to {percent(last)}",
    }


def picture(scene: Scene, when: str) -> dict[str, Any]:
    """The mask of a scene, small, with its score."""
    mask = scene.mask()
    caption = f"{when} · {score_name(scene, mask)} {percent(scene.miou(mask))}"
    return item(painted(scene, mask, WIDTH), caption, "The photo with its mask", "jpeg")


def changes(before: Scene, after: Scene) -> dict[str, Any]:
    """The photo in grey, with the new words of pixels that have changed; white is no word."""
    old, new = (scene.mask().labels.numpy() for scene in (before, after))
    differ = old != new
    labels = np.where(differ, np.where(new < 0, len(after.colours), new), -1)
    grey = small(after.photo.picture, WIDTH).convert("L").convert("RGB")
    image = palette.painted(grey, labels, (*after.colours, WHITE))
    caption = f"Changed: {percent(float(differ.mean()))} of the pixels"
    if (new[differ] < 0).any():
        caption += "; white: no word"
    return item(image, caption, "The pixels whose word has changed", "jpeg")


def other(lesson: Lesson) -> dict[str, Any]:
    """The picture of the step, or its photo."""
    if not lesson.file:
        return item(small(PHOTO.image(), WIDTH), "The photo", "The photo", "jpeg")
    caption = "Global tokens: bright columns (DINOv2)"
    return item(Image.open(assets.path("learn", lesson.file)), caption, caption, "webp")


def offers() -> list[dict[str, Any]]:
    """By step: the masks to which it links, and whether a switch leads from those before it."""
    return [
        {
            "settings": Settings(**lesson.after).model_dump(exclude_defaults=True),
            "isSwitch": any(lesson.before[idea] != lesson.after[idea] for idea in SWITCHES),
        }
        for lesson in LESSONS.values()
    ]
