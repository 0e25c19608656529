"""Learn: the lesson of ``lesson.toml``, on one photo and the built-in model, for everybody."""

import json
import tomllib
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from demo import widgets
from demo.controls import Answer, Controls, Tab, in_browser
from demo.drawing import render
from demo.look import Look, Mask, Request, Studio
from demo.settings import Settings
from demo.widgets.blobs import STORE, Blob
from demo.widgets.values import Json
from demo.wording import percent
from evaluation.photos import star_photos
from gclip_core import amf, assets, cs
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers, named
from gclip_core.registry import BUILT_IN
from gclip_core.types import Method

LESSON = Path(__file__).with_name("lesson.toml").read_text("utf-8")
PAGES = tomllib.loads(LESSON)["page"]
"""The cover, the steps, and the summary, before they are filled."""
NEAR = 2
"""Points of mIoU; less is little change."""
CHANGES = (f"Gains over {NEAR} points", f"Loses over {NEAR} points", "Changes by less")
PHOTO = THING = "dog"
SIDE = 480
BRIGHT = 8
"""Times uniform attention is full brightness."""
STATES = ("clip", "clearclip", "amf", "cs", "amf_cs")
STATES += tuple(f"fault_{name}" for name in STATES)
"""The masks of the lesson: ClearCLIP's, with what is switched on; CLIP's where "clip" is named."""
WORDS = ", ".join("; ".join(synonyms) for synonyms in star_photos()[PHOTO].words)
REQUEST = Request(Settings(backbone=BUILT_IN, example=PHOTO, words=WORDS))
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
    """Every page; a number stays with its %."""
    filled = tomllib.loads(Template(LESSON).substitute(measure(look)).replace(" %", "\u00a0%"))
    return {"kind": "lesson", "pages": [_page(look, page) for page in filled["page"]]}


def state(look: Look, name: str) -> tuple[Look, Method]:
    """The look and the method of one of the STATES."""
    on = name.split("_")
    at = look.changed(plant="fault" in on)
    return at, METHODS["clip"] if "clip" in on else at.ablation("amf" in on, "cs" in on)


def mask(look: Look, name: str) -> Mask:
    """The mask of one of the STATES."""
    at, method = state(look, name)
    return at.mask(method)


def attention(look: Look, name: str) -> tuple[NDArray[np.float32], float]:
    """Where the patches of THING look in a state: (h, w), sum 1; and the share on THING."""
    at, method = state(look, name)
    matrix = amf.patch_attention(at.segmenter.last_attention(at.trunk(method), method)[1:])
    truth = look.picture.truth
    labels = cs.majority_labels(torch.from_numpy(truth.labels), look.grid).flatten()
    thing = labels == [THING in names for names in truth.names].index(True)
    weights = matrix[thing].mean(0)
    return weights.reshape(look.grid).numpy(), float(weights[thing].sum())


@cache
def stored(*path: str) -> dict[str, Any]:
    """Stored numbers: another transformer's on this photo, or the built-in's on many photos."""
    return json.loads(assets.path(*path).read_text("utf-8"))


def measure(look: Look) -> dict[str, Any]:
    """The values for the names in the texts."""
    settings, measured = look.settings, stored("built-in", "measured.json")
    fault = block_numbers(settings.planted_blocks(look.bare.backbone.n_blocks))
    looks = (*STATES[:3], "fault_clearclip")
    every = measured["shipped photos: neither, AMF, CS, both"]["as it is"]
    gains = [every[name][1] - every[name][0] for name in star_photos()]
    return {
        **stored("learn", "stripes.json"),
        **{name: percent(mask(look, name).miou or 0.0) for name in STATES},
        **{f"on_{name}": percent(attention(look, name)[1]) for name in looks},
        **{f"card_{name}": measured["methods"][name]["there"] for name in STATES[:2]},
        **dict(zip(("mean", "mean_amf"), every["mean of all"], strict=False)),
        "photos": len(gains),
        "rise": sum(gain > 0 for gain in gains),
        "fall": sum(gain < 0 for gain in gains),
        "amf_blocks": named(block_numbers(look.fused_blocks)),
        "fault_blocks": named(fault),
        "fault_block": fault[0],
        "channel": settings.plant_channel,
        "gain": f"{settings.plant_gain:g}",
        "threshold": f"{settings.channel_threshold:g}",
        "thing": THING,
    }


def right(look: Look, page: Json) -> int:
    """The index of a step's right option."""
    decides = page.get("right", 0)
    if isinstance(decides, int):
        return decides
    before, after = (mask(look, name).miou or 0.0 for name in decides)
    return 2 if 100 * abs(after - before) < NEAR else int(after < before)


def _page(look: Look, page: Json) -> Json:
    figures = {
        when: [_figure(look, one) for one in page.get(when, ())] for when in ("before", "after")
    }
    return {"options": CHANGES, **page, **figures, "right": right(look, page)}


def _figure(look: Look, figure: Json) -> Json:
    """With a picture by its name among what the browser fetches, or norms in medians."""
    kind, of = figure["kind"], figure.get("of")
    if kind == "norms":
        shown = stored("learn", "stripes.json")["norms"]
        if of == "fault":  # the first block that the simulation changes
            blocks = look.changed(plant=True).suppression.norms_before
            shown = blocks[look.settings.planted_blocks(len(blocks))[0]]
        medians = np.asarray(shown) / np.median(shown)
        return {**figure, "norms": medians.round(3).tolist()}

    def draw() -> Blob:
        if kind == "matrix":
            return Blob(assets.path("learn", f"stripes-{of}.webp").read_bytes(), "image/webp")
        picture = render.fit(look.picture.image, SIDE)
        if kind == "mask":
            shown = mask(look, of)
            picture = render.overlay(look.picture.image, shown.labels, shown.names, max_side=SIDE)
        if kind == "look":
            weights = attention(look, of)[0]
            light = np.sqrt(np.clip(weights * weights.size / BRIGHT, 0, 1))
            bright = Image.fromarray((255 * light).astype(np.uint8)).resize(picture.size)
            picture = Image.composite(picture, Image.new("RGB", picture.size), bright)
        return Blob(render.saved(picture, "WEBP", quality=84), "image/webp")

    if "rows" in figure:
        return figure
    key = ("lesson", look.bare.backbone.digest, kind, of)
    return {**figure, "picture": STORE.offer(key, draw)}
