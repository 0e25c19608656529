"""Learn: the lesson of ``lesson.toml``, on one photo and the built-in model, for everybody."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from demo import widgets
from demo.answer import Answer, resolve
from demo.controls import Controls, Tab, in_browser, unplant
from demo.drawing import render
from demo.engine import Engine
from demo.host.blob_store import Blob, Later
from demo.measured import measured
from demo.request import Question
from demo.tabs import learn_numbers
from demo.tabs.learn_numbers import REQUEST, STATES, THING, Numbers
from demo.widgets.values import Json
from demo.wording import percent
from gclip_core import assets
from gclip_core.numbering import block_numbers, named

LESSON = Path(__file__).with_name("lesson.toml").read_text("utf-8")
PAGES = tomllib.loads(LESSON)["page"]
"""The cover, the steps, and the summary, before they are filled."""
FINDINGS = tomllib.loads(LESSON)["finding"]
"""Sentences that what is measured decides, before they are filled."""
SIDE = 480
LETTERS = 1.9
"""A picture is a third as wide on a phone: its words stay legible."""
BRIGHT = 5
"""Times uniform attention is full brightness."""
DRAWN = ("photo", "mask", "look", "matrix", "tokens")
"""Kinds of figures that are pictures."""


@dataclass(frozen=True, eq=False)
class LessonContent:
    """What the lesson measures, and its ``figures``, which come later, by their kind and state."""

    numbers: Numbers
    figures: Mapping[tuple[str, str], Later]


def build(engine: Engine, controls: Controls) -> Tab:
    """The lesson; its last button opens the file chooser with AMF and CS on. A fault that was
    planted in another tab is named, and ends with a press."""
    lesson = widgets.lesson(elem_id="lesson")
    both = [controls["amf"], controls["cs"]]
    own_photo = widgets.on_own_photo(lesson)(**in_browser("() => [true, true]", outputs=both))
    ended = widgets.on_end_simulation(lesson)(**unplant(controls))
    return Tab({"lesson": lesson}, [own_photo, ended])


def compute(engine: Engine, answer: Answer) -> LessonContent:
    """What the lesson measures; ``answer`` is that of REQUEST."""
    return LessonContent(learn_numbers.compute(engine, answer), _figures(engine, answer.question))


# --- figures --------------------------------------------------------------------------------------


def _figures(engine: Engine, question: Question) -> dict[tuple[str, str], Later]:
    """The pictures of all steps, by kind and state, each drawn when it is first fetched."""
    figures = {}
    for page in PAGES:
        for figure in (*page.get("before", ()), *page.get("after", ())):
            kind, of = figure["kind"], figure.get("of", "")
            if kind in DRAWN:
                key = ("lesson", question.scene.clean.backbone.digest, kind, of)
                figures[kind, of] = engine.blobs.later(key, partial(_draw, engine, kind, of))
    return figures


def _draw(engine: Engine, kind: str, of: str) -> Blob:
    """A figure as a WebP."""
    if kind == "matrix":
        return Blob(assets.path("learn", f"attention-{of}.webp").read_bytes(), "image/webp")
    clean = resolve(engine, REQUEST)
    image = clean.scene.picture.image
    picture = render.fit(image, SIDE)
    if kind == "mask":
        faulty = learn_numbers.with_fault(engine)
        shown = learn_numbers.state_mask(engine, clean, faulty, of)
        picture = render.overlay(image, shown.labels, shown.names, max_side=SIDE, letters=LETTERS)
    if kind == "look":
        faulty = learn_numbers.with_fault(engine)
        weights, _ = learn_numbers.looks(engine, clean, faulty, of)
        light = np.sqrt(np.clip(weights * weights.size / BRIGHT, 0, 1))
        bright = Image.fromarray((255 * light).astype(np.uint8)).resize(picture.size)
        picture = Image.composite(picture, Image.new("RGB", picture.size), bright)
    if kind == "tokens":
        _outline_tokens(picture)
    return Blob(render.saved(picture, "WEBP", quality=84), "image/webp")


def _outline_tokens(picture: Image.Image) -> None:
    """Draw a frame around each global token of the other transformer."""
    tokens, draw = learn_numbers.global_tokens(), ImageDraw.Draw(picture)
    rows, columns = tokens["grid"]
    height, width = picture.height / rows, picture.width / columns
    for token in tokens["tokens"]:
        row, column = divmod(token, columns)
        box = (column * width, row * height, (column + 1) * width, (row + 1) * height)
        draw.rectangle(box, outline="black", width=6)
        left, top, right, bottom = box
        draw.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline="cyan", width=4)


# --- words ----------------------------------------------------------------------------------------


def view(content: LessonContent) -> dict[str, Any]:
    """Every page of the lesson; a number stays with its %."""
    facts = _facts(content.numbers)
    chosen = {name: _finding(facts, name) for name in FINDINGS}
    filled = _values(content.numbers)
    sentences = {
        name: Template(FINDINGS[name]["words"][index]).substitute(filled)
        for name, index in chosen.items()
    }
    text = Template(LESSON).substitute(filled | sentences).replace(" %", "\u00a0%")
    pages = [_page_view(content, page, chosen) for page in tomllib.loads(text)["page"]]
    return {"lesson": {"kind": "lesson", "pages": pages}}


def _facts(numbers: Numbers) -> dict[str, float]:
    """What findings compare, by the names in ``lesson.toml``."""
    largest = max(numbers.variation.values())
    alike = {f"out_{name}": across for name, (_, across) in numbers.alike.items()}
    return {
        **{f"on_{name}": share for name, share in numbers.on_thing.items()},
        **{f"variation_{name}": value / largest for name, value in numbers.variation.items()},
        **alike,
        "distance": numbers.distance,
        "even": numbers.even,
        "none": 0,
        "own_tokens": sum(numbers.own_tokens[:-1]),
        "abnormal": len(numbers.abnormal),
    }


def _finding(facts: Mapping[str, float], name: str) -> int:
    """The index of the words that are true: 0 where the second value of a finding is larger than
    the first, 1 where it is smaller, 2 where it is near."""
    finding = FINDINGS[name]
    before, after = (facts[of] for of in finding["of"])
    if abs(after - before) < finding["near"]:
        return 2
    return int(after < before)


def _values(numbers: Numbers) -> dict[str, Any]:
    """What the names in the texts stand for."""
    tokens, many = learn_numbers.global_tokens(), learn_numbers.of_many()
    word, before, after = numbers.spread
    fault, settings = block_numbers(numbers.fault_blocks), numbers.settings
    variation = numbers.variation["amf"] / numbers.variation["clearclip"] - 1
    return {
        **{name: percent(miou) for name, miou in numbers.miou.items()},
        **{f"many_{name}": f"{many[name]} %" if name in many else "–" for name in STATES},
        **{f"on_{name}": percent(share) for name, share in numbers.on_thing.items()},
        **{f"in_{name}": f"{inside:.2f}" for name, (inside, _) in numbers.alike.items()},
        **{f"out_{name}": f"{across:.2f}" for name, (_, across) in numbers.alike.items()},
        "photos": measured().photos,
        "variation": percent(abs(variation)),
        "gained": numbers.gained,
        "distance": f"{numbers.distance:.1f}",
        "even": f"{numbers.even:.1f}",
        "same": percent(numbers.same),
        "spread_word": word,
        "spread_before": percent(before),
        "spread_after": percent(after),
        "tokens": len(tokens["tokens"]),
        "patches": np.prod(tokens["grid"]),
        "early": tokens["early"],
        "late": tokens["late"],
        "global": f"{tokens['threshold']:g}",
        "amf_blocks": named(block_numbers(numbers.fused_blocks)),
        "fault_blocks": named(fault),
        "fault_block": fault[0],
        "channel": settings.plant_channel,
        "gain": f"{settings.plant_gain:g}",
        "threshold": f"{settings.channel_threshold:g}",
        "thing": THING,
    }


def _page_view(content: LessonContent, page: Json, chosen: Mapping[str, int]) -> Json:
    figures = {
        when: [_figure_view(content, figure) for figure in page.get(when, ())]
        for when in ("before", "after")
    }
    right = page.get("right", 0)
    if isinstance(right, str):
        right = chosen[right]
    return {"options": [], **page, **figures, "right": right}


def _figure_view(content: LessonContent, figure: Json) -> Json:
    """With a picture that comes later, norms in medians, or a table, whose caption has the %."""
    kind, of = figure["kind"], figure.get("of", "")
    if kind == "table":
        rows = [[cell.removesuffix("\u00a0%") for cell in row] for row in figure["rows"]]
        return {**figure, "rows": rows}
    if kind == "norms":
        norms = content.numbers.fault_norms
        return {**figure, "norms": (norms / np.median(norms)).round(3).tolist()}
    return {**figure, "picture": content.figures[kind, of]}
