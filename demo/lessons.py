"""Learn: four steps on one photo. Each asks for a guess, measures, and links to its masks."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import gradio as gr
import numpy as np

from demo import address, plots
from demo.backbones import DAMAGED
from demo.drawing import WHITE, classes, painted
from demo.files import item
from demo.scene import Photo, Scene
from demo.segment import HARDLY
from demo.settings import Settings
from demo.terms import explained
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


OFF = {"amf": False, "cs": False}
AMF = {"amf": True, "cs": False}
LESSONS = {
    "patches": Lesson(
        "A word for every patch",
        "CLIP was trained on photos with captions, never on masks (the small model here was). Its "
        "last block gives each patch a vector, and each word has one, too: the word with the "
        "nearest vector colours the patch. "
        f"With one word, everything is “{WORD}”.",
        "Now other words that fit this photo compete as its **background**. What happens?",
        "Where one of them fits best, the photo is left uncoloured.",
        OFF | {"words": WORD, "background": False},
        OFF | {"words": WORD},
    ),
    "fusion": Lesson(
        "AMF: look further",
        "Patches also attend to each other. In large models, such as the paper’s CLIP or DINOv2, "
        "nearly all attend to a few **global tokens**, the bright columns. Attention map fusion "
        "averages the last block’s attention with that of the first blocks that have such tokens.",
        f"With “{PHOTO.names[1]}” for the leaves, the score starts lower. What does **AMF** do to "
        "the mask?",
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
        "undamaged model. AMF, CS and the rest of GCLIP are 60 lines of code: "
        "`gclip_core/minimal.py`. Now try your own photo.",
        AMF | {"backbone": DAMAGED},
        {"amf": True, "cs": True, "backbone": DAMAGED},
    ),
}
"""Steps by name."""


INTRO = explained(
    "<p>Two minutes, four steps on one photo: guess, then see. Scores are the <dfn>mIoU</dfn>.</p>"
    f"<ol>{''.join(f'<li>{lesson.title}</li>' for lesson in LESSONS.values())}</ol>"
    '<button class="link again" type="button">Start again</button>'
)
"""What to do, as HTML."""


@cache
def colours() -> tuple[str, ...]:
    """The colours of the words, as the page draws them, the same in all steps."""
    return scene_of(AMF).colours


def scene_of(settings: dict[str, Any]) -> Scene:
    """The photo with the settings of a step; all others have their defaults."""
    return Scene(Photo.of(str(PHOTO.path)), Settings(**settings)).with_words()


def link(name: str) -> str:
    """The address of what a step shows, as a query string."""
    return address.link(scene_of(LESSONS[name].after))


def is_switch(name: str) -> bool:
    """Whether a step switches one of the ideas, so that Swipe compares its masks."""
    before, after = LESSONS[name].before, LESSONS[name].after
    return any(before[idea] != after[idea] for idea in ("amf", "cs") if idea in before)


def picture(settings: dict[str, Any], caption: str) -> dict[str, Any]:
    """The mask of a step, small, with its score."""
    scene = scene_of(settings)
    mask = scene.mask()
    image = painted(scene, mask, 420, colours())
    caption = f"{caption} · mIoU {percent(scene.miou(mask))}"
    return item(image, caption, "The photo with its mask", "jpeg")


def changes(lesson: Lesson) -> dict[str, Any]:
    """The photo in grey, with the new words of pixels that have changed; white is no word."""
    masks = (scene_of(settings).mask() for settings in (lesson.before, lesson.after))
    old, new = (mask.labels.numpy() for mask in masks)
    differ, photo = old != new, PHOTO.image()
    labels = np.where(differ, np.where(new < 0, len(colours()), new), -1)
    grey = photo.resize(plots.small(photo.size, 420)).convert("L").convert("RGB")
    image = palette.painted(grey, labels, (*colours(), WHITE))
    caption = f"Changed: {percent(float(differ.mean()))} of the pixels"
    if (new[differ] < 0).any():
        caption += "; white: no word"
    return item(image, caption, "The pixels whose word has changed", "jpeg")


def other(lesson: Lesson) -> dict[str, Any]:
    """The picture of the step, or its photo."""
    if not lesson.drawn:
        return item(PHOTO.image().resize((420, 280)), "The photo", "", "jpeg")
    image = gr.FileData(path=str(assets.path("learn", lesson.drawn))).model_dump()
    return {"image": image, "caption": "Global tokens: bright columns (DINOv2)", "alt": ""}


def before(name: str) -> dict[str, Any]:
    """The mask that a step starts with."""
    lesson = LESSONS[name]
    return strip(lesson, [picture(lesson.before, "Before"), other(lesson)])


def strip(lesson: Lesson, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Pictures two by two, with the colours of the words of the step."""
    names = scene_of(lesson.after).names
    words = [entry for entry in classes(scene_of(AMF)) if entry["name"] in names]
    return {"items": items, "classes": words, "columns": 2, "pressable": False}


def guessed(name: str, guess: int) -> tuple[str, dict[str, Any]]:
    """The answer to a guess, with figures, and the masks before and after."""
    lesson = LESSONS[name]
    first, last = (
        scene.miou(scene.mask()) for scene in map(scene_of, (lesson.before, lesson.after))
    )
    gain = last - first
    right = 2 if abs(gain) < HARDLY else int(gain < 0)
    is_near = guess == 2 and abs(gain) < LITTLE
    kind, word = "no", "✗ No."
    if guess == right or is_near:
        kind, word = "yes", "✓ Yes." if guess == right else "Nearly."
    goes = f"mIoU goes from {percent(first)} to **{percent(last)}**"
    text = f'<b class="{kind}">{word}</b> {OPTIONS[right]}: {goes}. {lesson.reason}'
    items = [picture(lesson.before, "Before"), picture(lesson.after, "After")]
    return text, strip(lesson, [*items, changes(lesson), other(lesson)])
