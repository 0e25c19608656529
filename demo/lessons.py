"""Learn: four steps on one photo. Each asks for a guess, measures, and links to its masks."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from demo import drawing
from demo.backbones import DAMAGED
from demo.drawing import WHITE, classes, item, painted
from demo.scene import Photo, Scene
from demo.segment import HARDLY
from demo.settings import Settings
from evaluation import photos
from gclip_core import assets
from gclip_core.pixels import palette
from gclip_core.result import percent

PHOTO = photos.shipped_photos()["raccoon"]
"""The photo of all steps; each must hold on it with these weights."""
WORD = PHOTO.names[0]
LITTLE = 0.05
"""A guess that hardly anything changes is nearly right if the mIoU changes by less."""
OPTIONS = ("The mask gets better", "It gets worse", "Hardly anything changes")


@dataclass(frozen=True)
class Lesson:
    """A step: its question, and settings before and after. ``drawn`` is a file of assets/learn."""

    title: str
    text: str
    question: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    drawn: str = ""


OFF = {"amf": False, "cs": False, "words": ", ".join(PHOTO.names)}
AMF = OFF | {"amf": True}
LESSONS = {
    "patches": Lesson(
        "A word for every patch",
        "CLIP was trained on photos with captions, never on masks (the small model here was). It "
        "cuts a photo into patches, small squares, and gives each a vector; each word has one, "
        "too. The word with the nearest vector colours the patch. "
        f"With one word, everything is “{WORD}”.",
        "Now everything that was not named competes as **background**. What happens?",
        "Where something that was not named fits best, the photo stays uncoloured.",
        OFF | {"words": WORD, "background": False},
        OFF | {"words": WORD},
    ),
    "fusion": Lesson(
        "AMF: look further",
        "Patches also attend to each other. In large models, such as the paper’s CLIP or DINOv2, "
        "nearly all attend to a few **global tokens**, the bright columns. Attention map fusion "
        "averages the last block’s attention with that of the first blocks that have such tokens.",
        f"A second word, “{PHOTO.names[1]}”, names the leaves. What does **AMF** do to the mask?",
        "This model has hardly any such tokens before its last block, so AMF fuses two middle "
        "blocks: in these, patches attend further, mostly to the same thing.",
        OFF,
        AMF,
        drawn="global-tokens.webp",
    ),
    "outlier": Lesson(
        "A channel that outweighs the others",
        "In some CLIP models, one FFN channel has far larger weights than the others. The "
        "built-in model has none, so here one is damaged on purpose.",
        "What does that **outlier** do to the mask?",
        "One channel outweighs all others in every patch, so the patches become alike: the mask of "
        f"the {WORD} loses its head.",
        AMF,
        AMF | {"backbone": DAMAGED},
    ),
    "suppression": Lesson(
        "CS: scale that channel down",
        "Channel suppression scales the outlier’s weights to the mean norm of the other channels. "
        "It needs no training.",
        "What does **CS** do to the damaged model’s mask?",
        f"With the outlier scaled down, the {WORD} has its head again, and the mIoU is that of the "
        "undamaged model. AMF, CS and the rest of GCLIP are 80 lines of code: "
        "gclip_core/minimal.py. Now try your own photo.",
        AMF | {"backbone": DAMAGED},
        AMF | {"cs": True, "backbone": DAMAGED},
    ),
}
"""Steps by name."""


def scene_of(settings: dict[str, Any]) -> Scene:
    """The photo with the settings of a step; all others have their defaults."""
    return Scene(Photo.of_example(PHOTO.name), Settings(**settings)).with_words()


def picture(settings: dict[str, Any], caption: str) -> dict[str, Any]:
    """The mask of a step, small, with its score."""
    scene = scene_of(settings)
    mask = scene.mask()
    image = painted(scene, mask, 420)
    caption = f"{caption} · mIoU {percent(scene.miou(mask))}"
    return item(image, caption, "The photo with its mask", "jpeg")


def changes(lesson: Lesson) -> dict[str, Any]:
    """The photo in grey, with the new words of pixels that have changed; white is no word."""
    before, after = scene_of(lesson.before), scene_of(lesson.after)
    old, new = (scene.mask().labels.numpy() for scene in (before, after))
    differ, photo = old != new, PHOTO.image()
    labels = np.where(differ, np.where(new < 0, len(after.colours), new), -1)
    grey = photo.resize(drawing.small(photo.size, 420)).convert("L").convert("RGB")
    image = palette.painted(grey, labels, (*after.colours, WHITE))
    caption = f"Changed: {percent(float(differ.mean()))} of the pixels"
    if (new[differ] < 0).any():
        caption += "; white: no word"
    return item(image, caption, "The pixels whose word has changed", "jpeg")


def other(lesson: Lesson) -> dict[str, Any]:
    """The picture of the step, or its photo."""
    if not lesson.drawn:
        return item(PHOTO.image().resize((420, 280)), "The photo", "", "jpeg")
    drawn = Image.open(assets.path("learn", lesson.drawn))
    return item(drawn, "Global tokens: bright columns (DINOv2)", "", "webp")


def strip(lesson: Lesson, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Pictures two by two, with the colours of the words of the step."""
    words = classes(scene_of(lesson.after))
    return {"items": items, "classes": words, "columns": 2, "pressable": False}


@cache
def step(name: str) -> dict[str, Any]:
    """A step: the masks before a guess and after it, and the outcome of each guess."""
    lesson = LESSONS[name]
    items = [picture(lesson.before, "Before"), picture(lesson.after, "After")]
    return {
        "before": strip(lesson, [items[0], other(lesson)]),
        "after": strip(lesson, [*items, changes(lesson), other(lesson)]),
        "outcomes": [outcome(lesson, guess) for guess in range(len(OPTIONS))],
    }


def outcome(lesson: Lesson, guess: int) -> dict[str, Any]:
    """The answer to a guess, with figures: the mIoU before and after."""
    first, last = (one.miou(one.mask()) for one in map(scene_of, (lesson.before, lesson.after)))
    gain = last - first
    right = 2 if abs(gain) < HARDLY else int(gain < 0)
    is_near = guess == 2 and abs(gain) < LITTLE
    word = "✓ Yes." if guess == right else "Nearly." if is_near else "✗ No."
    goes = f"mIoU goes from {percent(first)} to {percent(last)}"
    text = f"{OPTIONS[right]}: {goes}. {lesson.reason}"
    return {"word": word, "isRight": guess == right or is_near, "text": text}


def texts() -> list[dict[str, Any]]:
    """What the page shows of every step before it is computed."""
    return [
        {
            "name": name,
            "title": lesson.title,
            "text": lesson.text,
            "question": lesson.question,
            "settings": Settings(**lesson.after).model_dump(exclude_defaults=True),
            "isSwitch": any(lesson.before[idea] != lesson.after[idea] for idea in ("amf", "cs")),
        }
        for name, lesson in LESSONS.items()
    ]
