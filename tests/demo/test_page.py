"""What an event of the page returns, without a browser."""

import json
from dataclasses import replace
from typing import Any

import pytest

from demo.engine import Engine
from demo.page import Page, own_address
from demo.settings import Settings
from demo.widgets.values import Json
from gclip_core.errors import GclipError
from tests.models import loaded

SMALL = Settings(example="teddy", words="teddy bear", short_side=64, templates="plain")


def outcome_of_learn(page: Page) -> Json:
    """How a visit of *Learn* went."""
    (event,) = [fn for fn in page.blocks.fns.values() if fn.api_name == "show_learn"]
    outcome, *_ = event.outputs
    return json.loads(event.fn(*(part.value for part in event.inputs))[outcome])


def test_a_lesson_that_fails_is_reported_in_its_tab() -> None:
    def fail(*_: Any) -> None:
        raise GclipError("The lesson cannot be made.")

    page = Page(Engine(loaded()), SMALL)
    page.sections["learn"] = replace(page.sections["learn"], compute=fail)
    outcome = outcome_of_learn(page)
    assert (outcome["tab"], outcome["state"]) == ("learn", "old")
    assert ["problem", "The lesson cannot be made."] in outcome["lines"]["lines"]


def test_a_lesson_has_no_status_but_the_visitor_s_link() -> None:
    page = Page(Engine(loaded()), SMALL)
    lesson = page.sections["learn"]
    page.sections["learn"] = replace(lesson, compute=lambda *_: None, view=lambda _: {})
    outcome = outcome_of_learn(page)
    assert (outcome["state"], outcome["lines"]["lines"]) == ("fresh", [])
    assert "short=64" in outcome["query"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("gclip.example:7860/page", "gclip.example:7860/page"),
        ("[::1]:7860", "[::1]:7860"),
        ("<b>hi</b>", ""),
        ("a" * 101, ""),
        (None, ""),
        (7, ""),
    ],
)
def test_an_address_is_a_host_with_a_path_or_nothing(text: object, address: str) -> None:
    assert own_address(text) == address
