"""The pages of the lesson: the words of ``lesson.toml``, filled with what is measured."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from demo.host.blob_store import LazyBlob
from demo.measured import measured
from demo.tabs.learn.numbers import STATES, THING, Numbers, global_tokens, of_many
from demo.widgets.values import Json
from demo.wording import percent
from gclip_core.numbering import block_numbers, named

LESSON = Path(__file__).with_name("lesson.toml").read_text("utf-8")
PAGES = tomllib.loads(LESSON)["page"]
"""The cover, the steps, and the summary, before they are filled."""
FINDINGS = tomllib.loads(LESSON)["finding"]
"""Sentences that what is measured decides, before they are filled."""


@dataclass(frozen=True, eq=False)
class LessonContent:
    """What the lesson measures, and its ``figures``, which come later, by their kind and state."""

    numbers: Numbers
    figures: Mapping[tuple[str, str], LazyBlob]


def view(content: LessonContent) -> dict[str, Any]:
    """Every page of the lesson; a number stays with its %."""
    facts = _facts(content.numbers)
    findings = {name: _finding(facts, name) for name in FINDINGS}
    filled = _values(content.numbers)
    sentences = {
        name: Template(FINDINGS[name]["words"][index]).substitute(filled)
        for name, index in findings.items()
    }
    text = Template(LESSON).substitute(filled | sentences).replace(" %", "\u00a0%")
    pages = [_page_view(content, page, findings) for page in tomllib.loads(text)["page"]]
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
    """What is put in the place of the names in the texts."""
    tokens, many = global_tokens(), of_many()
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


def _page_view(content: LessonContent, page: Json, findings: Mapping[str, int]) -> Json:
    figures = {
        when: [_figure_view(content, figure) for figure in page.get(when, ())]
        for when in ("before", "after")
    }
    right = page.get("right", 0)
    if isinstance(right, str):
        right = findings[right]
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
