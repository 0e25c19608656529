"""Learn: the lesson of ``lesson.toml``, on one photo and the built-in model, for everybody."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from demo import widgets
from demo.controls import Answer, Controls, Tab, in_browser
from demo.drawing import render
from demo.look import Look, Mask, Request, Studio
from demo.settings import Settings
from demo.widgets.blobs import STORE, Blob
from demo.widgets.values import Json
from demo.wording import percent
from evaluation.photos import star_photos
from gclip_core import assets
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers, named
from gclip_core.registry import BUILT_IN

PAGES = tomllib.loads(Path(__file__).with_name("lesson.toml").read_text("utf-8"))["page"]
"""The cover, then the steps."""
CHANGES = ("The mask gets better", "The mask gets worse", "It hardly changes")
PHOTO = "dog"
LEFT_OUT = "dog"
"""The word that the last step leaves out."""
NEAR = 0.005
"""Of mIoU: less is "hardly any change"."""
SIDE = 480
STATES: dict[str, set[str]] = {
    "clip": {"clip"},
    "clearclip": set(),
    "amf": {"amf"},
    "planted": {"plant"},
    "cs": {"plant", "cs"},
    "left_out": {"left_out"},
}
"""The masks of the lesson: ClearCLIP's, with what is switched on; CLIP's under "clip"."""


def _words(left_out: str) -> str:
    classes = [one for one in star_photos()[PHOTO].words if left_out not in one]
    return ", ".join("; ".join(synonyms) for synonyms in classes)


REQUEST = Request(Settings(backbone=BUILT_IN, example=PHOTO, words=_words("")))
"""The lesson's photo, words and model, whatever the page shows; ``look`` is always at these."""


def build(studio: Studio, controls: Controls) -> Tab:
    """The lesson; its last button opens the file chooser with AMF and CS on."""
    shown = widgets.lesson(elem_id="lesson")

    def show(look: Look) -> Answer:
        return {shown: value(look)}

    both = [controls["amf"], controls["cs"]]
    own_photo = shown.submit(**in_browser("() => [true, true]", outputs=both))
    return Tab(outputs=[shown], show=show, changes=[own_photo], own=REQUEST)


def value(look: Look) -> Json:
    """The cover and every step."""
    numbers = measure(look)
    return {"kind": "lesson", "pages": [_page(look, page, numbers) for page in PAGES]}


def mask(look: Look, name: str) -> Mask:
    """The mask of one of the STATES."""
    state = STATES[name]
    words = _words(LEFT_OUT if "left_out" in state else "")
    at = look.changed(plant="plant" in state, words=words)
    if "clip" in state:
        return at.mask(METHODS["clip"])
    return at.mask(at.ablation("amf" in state, "cs" in state))


@cache
def stripes() -> dict[str, Any]:
    """Stored numbers of another transformer on this photo: blocks, global tokens, norms."""
    return json.loads(assets.path("learn", "stripes.json").read_text("utf-8"))


def measure(look: Look) -> dict[str, str]:
    """The values for the braces of the texts."""
    masks, theirs, settings = {name: mask(look, name) for name in STATES}, stripes(), look.settings
    planted = block_numbers(settings.planted_blocks(look.bare.backbone.n_blocks))
    missing = masks["clearclip"].names.index(LEFT_OUT)
    left = masks["left_out"].labels[masks["clearclip"].labels == missing]
    counts = np.bincount(left[left >= 0].astype(int), minlength=1)
    return {
        **{name: percent(one.miou or 0.0) for name, one in masks.items()},
        "amf_blocks": named(block_numbers(look.fused_blocks)),
        "planted_blocks": named(planted),
        "planted_block": str(planted[0]),
        "channel": str(settings.plant_channel),
        "gain": f"{settings.plant_gain:g}",
        **{name: str(theirs[name]) for name in ("early", "late", "tokens", "patches", "norms_of")},
        "theirs": "DINOv2’s ViT-S/14, fine-tuned for saliency",
        "ratio": f"{theirs['ratio']:.1f}",
        "missing": LEFT_OUT,
        "taker": masks["left_out"].names[int(counts.argmax())],
        "share": percent(counts.max() / max(left.size, 1)),
    }


def right(look: Look, page: Json) -> int:
    """The index of a step's right option."""
    decides = page.get("right", 0)
    if isinstance(decides, int):
        return decides
    before, after = (mask(look, name).miou or 0.0 for name in decides)
    return 2 if abs(after - before) < NEAR else int(after < before)


def _page(look: Look, page: Json, numbers: dict[str, str]) -> Json:
    texts = ("title", "text", "question", "answer")
    options = page.get("options", CHANGES if "question" in page else ())
    return {
        **{name: page.get(name, "").format_map(numbers) for name in texts},
        "options": [one.format_map(numbers) for one in options],
        "right": right(look, page),
        **{
            when: [_figure(look, one, numbers) for one in page.get(when, ())]
            for when in ("before", "after")
        },
    }


def _figure(look: Look, figure: Json, numbers: dict[str, str]) -> Json:
    """A picture by its name among what the browser fetches, or norms to draw."""
    kind, of, caption = figure["kind"], figure.get("of"), figure["caption"].format_map(numbers)
    if kind == "norms":
        shown = stripes()["norms"]
        if of == "planted":  # the first block that the simulation changes
            planted = look.changed(plant=True).suppression.norms_before
            first = look.settings.planted_blocks(len(planted))[0]
            shown = [round(float(norm), 4) for norm in planted[first]]
        return {"norms": shown, "caption": caption}

    def draw() -> Blob:
        if kind == "matrix":
            return Blob(assets.path("learn", f"stripes-{of}.webp").read_bytes(), "image/webp")
        picture = render.fit(look.picture.image, SIDE)
        if kind == "mask":
            shown = mask(look, of)
            picture = render.overlay(look.picture.image, shown.labels, shown.names, max_side=SIDE)
        return Blob(render.saved(picture, "WEBP", quality=84), "image/webp")

    key = ("lesson", look.bare.backbone.digest, kind, of)
    return {"picture": STORE.offer(key, draw), "caption": caption}
