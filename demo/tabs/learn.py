"""Learn: the lesson of ``lesson.toml``, on one photo and the built-in model, for everybody."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from demo import widgets
from demo.answer import Answer, resolve
from demo.controls import Controls, Tab, in_browser
from demo.drawing import render
from demo.engine import Engine, Mask
from demo.host.blob_store import Blob, Later
from demo.request import Question, Request
from demo.settings import Settings
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
LOOKS = ("clip", "clearclip", "amf", "fault_clearclip")
"""States of which the texts name where patches look."""
WORDS = ", ".join("; ".join(synonyms) for synonyms in star_photos()[PHOTO].words)
REQUEST = Request(Settings(backbone=BUILT_IN, example=PHOTO, words=WORDS, refine="none"))
"""The lesson's photo, words and model, whatever the page shows."""


@dataclass(frozen=True, eq=False)
class Value:
    """What the lesson measures on its photo.

    ``miou`` is that of each of the STATES, ``on_thing`` the share of attention that patches of
    THING leave on it, of LOOKS. ``fault_norms`` (D,) are of the first of ``fault_blocks`` (0-based)
    with its planted ``channel``. ``figures`` come later, by their kind and state.
    """

    miou: Mapping[str, float]
    on_thing: Mapping[str, float]
    fused_blocks: Sequence[int]
    fault_blocks: Sequence[int]
    fault_norms: NDArray[np.float32]
    settings: Settings
    figures: Mapping[tuple[str, str], Later]


def build(engine: Engine, controls: Controls) -> Tab:
    """The lesson; its last button opens the file chooser with AMF and CS on."""
    lesson = widgets.lesson(elem_id="lesson")
    both = [controls["amf"], controls["cs"]]
    own_photo = lesson.submit(**in_browser("() => [true, true]", outputs=both))
    return Tab({"lesson": lesson}, [own_photo])


def compute(engine: Engine, answer: Answer) -> Value:
    """What the lesson measures; ``answer`` is that of REQUEST."""
    clean, faulty = answer.question, _faulty(engine)
    n_blocks = answer.report.n_blocks
    fault_blocks = clean.settings.planted_blocks(n_blocks)
    masks = {name: state_mask(engine, clean, faulty, name) for name in STATES}
    norms = faulty.scene.segmenter.backbone.norms
    return Value(
        miou={name: mask.miou or 0.0 for name, mask in masks.items()},
        on_thing={name: looks(engine, clean, faulty, name)[1] for name in LOOKS},
        fused_blocks=answer.gclip.fusion.blocks,
        fault_blocks=fault_blocks,
        fault_norms=norms[fault_blocks[0]].numpy(),
        settings=clean.settings,
        figures=_figures(engine, clean),
    )


def _faulty(engine: Engine) -> Question:
    """The lesson's question with a planted fault."""
    return resolve(engine, REQUEST.changed(plant=True))


def state(clean: Question, faulty: Question, name: str) -> tuple[Question, Method]:
    """The question and the method of one of the STATES."""
    on = name.split("_")
    question = faulty if "fault" in on else clean
    if "clip" in on:
        return question, METHODS["clip"]
    return question, question.switched["amf" in on, "cs" in on]


def state_mask(engine: Engine, clean: Question, faulty: Question, name: str) -> Mask:
    """The mask of one of the STATES."""
    return engine.segment(*state(clean, faulty, name))


def looks(
    engine: Engine, clean: Question, faulty: Question, name: str
) -> tuple[NDArray[np.float32], float]:
    """Where the patches of THING look in a state: (h, w), sum 1; and the share on THING."""
    question, method = state(clean, faulty, name)
    scene, truth = question.scene, clean.scene.picture.truth
    trunk = engine.trunk(scene, method)
    matrix = amf.patch_attention(scene.segmenter.last_attention(trunk, method)[1:])
    labels = cs.majority_labels(torch.from_numpy(truth.labels), trunk.grid).flatten()
    thing = labels == [THING in names for names in truth.names].index(True)
    weights = matrix[thing].mean(0)
    return weights.reshape(trunk.grid).numpy(), float(weights[thing].sum())


@cache
def stored(*path: str) -> dict[str, Any]:
    """Stored numbers: another transformer's on this photo, or the built-in's on many photos."""
    return json.loads(assets.path(*path).read_text("utf-8"))


def _figures(engine: Engine, question: Question) -> dict[tuple[str, str], Later]:
    """What is drawn of the steps' figures, by kind and state, each when it is first fetched."""
    figures = {}
    for page in PAGES:
        for figure in (*page.get("before", ()), *page.get("after", ())):
            kind, of = figure["kind"], figure.get("of", "")
            if kind in ("photo", "mask", "look", "matrix"):
                key = ("lesson", question.scene.clean.backbone.digest, kind, of)
                figures[kind, of] = engine.blobs.later(key, partial(_draw, engine, kind, of))
    return figures


def _draw(engine: Engine, kind: str, of: str) -> Blob:
    """A figure as a WebP."""
    if kind == "matrix":
        return Blob(assets.path("learn", f"stripes-{of}.webp").read_bytes(), "image/webp")
    clean = resolve(engine, REQUEST)
    image = clean.scene.picture.image
    picture = render.fit(image, SIDE)
    if kind == "mask":
        shown = state_mask(engine, clean, _faulty(engine), of)
        picture = render.overlay(image, shown.labels, shown.names, max_side=SIDE)
    if kind == "look":
        weights, _ = looks(engine, clean, _faulty(engine), of)
        light = np.sqrt(np.clip(weights * weights.size / BRIGHT, 0, 1))
        bright = Image.fromarray((255 * light).astype(np.uint8)).resize(picture.size)
        picture = Image.composite(picture, Image.new("RGB", picture.size), bright)
    return Blob(render.saved(picture, "WEBP", quality=84), "image/webp")


def view(value: Value) -> dict[str, Any]:
    """Every page of the lesson; a number stays with its %."""
    text = Template(LESSON).substitute(numbers(value)).replace(" %", "\u00a0%")
    pages = [_page_view(value, page) for page in tomllib.loads(text)["page"]]
    return {"lesson": {"kind": "lesson", "pages": pages}}


def numbers(value: Value) -> dict[str, Any]:
    """The values for the names in the texts."""
    settings, measured = value.settings, stored("built-in", "measured.json")
    fault = block_numbers(value.fault_blocks)
    every = measured["shipped photos: neither, AMF, CS, both"]["as it is"]
    gains = [every[name][1] - every[name][0] for name in star_photos()]
    return {
        **stored("learn", "stripes.json"),
        **{name: percent(miou) for name, miou in value.miou.items()},
        **{f"on_{name}": percent(share) for name, share in value.on_thing.items()},
        **{f"card_{name}": measured["methods"][name]["there"] for name in STATES[:2]},
        **dict(zip(("mean", "mean_amf"), every["mean of all"], strict=False)),
        "photos": len(gains),
        "rise": sum(gain > 0 for gain in gains),
        "fall": sum(gain < 0 for gain in gains),
        "amf_blocks": named(block_numbers(value.fused_blocks)),
        "fault_blocks": named(fault),
        "fault_block": fault[0],
        "channel": settings.plant_channel,
        "gain": f"{settings.plant_gain:g}",
        "threshold": f"{settings.channel_threshold:g}",
        "thing": THING,
    }


def right(miou: Mapping[str, float], page: Json) -> int:
    """The index of a step's right option."""
    decides = page.get("right", 0)
    if isinstance(decides, int):
        return decides
    before, after = (miou[name] for name in decides)
    return 2 if 100 * abs(after - before) < NEAR else int(after < before)


def _page_view(value: Value, page: Json) -> Json:
    figures = {
        when: [_figure_view(value, figure) for figure in page.get(when, ())]
        for when in ("before", "after")
    }
    return {"options": CHANGES, **page, **figures, "right": right(value.miou, page)}


def _figure_view(value: Value, figure: Json) -> Json:
    """With a picture that comes later, or norms in medians; a table as it is."""
    kind, of = figure["kind"], figure.get("of", "")
    if kind == "norms":
        norms = stored("learn", "stripes.json")["norms"] if of == "theirs" else value.fault_norms
        medians = np.asarray(norms) / np.median(norms)
        return {**figure, "norms": medians.round(3).tolist()}
    if (kind, of) not in value.figures:
        return figure
    return {**figure, "picture": value.figures[kind, of]}
