"""What an event of the page returns, without a browser."""

from dataclasses import replace
from typing import Any

from demo.engine import Engine
from demo.page import Page
from demo.settings import Settings
from demo.widgets.values import Json
from gclip_core.errors import GclipError
from tests.models import loaded

SMALL = Settings(example="teddy", words="teddy bear", short_side=64, templates="plain")


def status_of_learn(page: Page) -> Json:
    """The status lines after a visit of *Learn*."""
    (event,) = [fn for fn in page.blocks.fns.values() if fn.api_name == "show_learn"]
    (lines,) = [part for part in event.outputs if part.elem_id == "says"]
    return event.fn(*(part.value for part in event.inputs))[lines]


def test_a_lesson_that_fails_is_reported_in_its_tab() -> None:
    def fail(*_: Any) -> None:
        raise GclipError("The lesson cannot be made.")

    page = Page(Engine(loaded()), SMALL)
    page.sections["learn"] = replace(page.sections["learn"], compute=fail)
    status = status_of_learn(page)
    assert status["state"] == "old"
    assert ("problem", "The lesson cannot be made.") in status["lines"]


def test_a_lesson_has_no_status_but_the_visitor_s_link() -> None:
    page = Page(Engine(loaded()), SMALL)
    lesson = page.sections["learn"]
    page.sections["learn"] = replace(lesson, compute=lambda *_: None, view=lambda _: {})
    status = status_of_learn(page)
    assert (status["state"], status["lines"]) == ("fresh", [])
    assert "short=64" in status["query"]
