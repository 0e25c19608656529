"""The way of one request is short: how many files and calls of ours a warm switch passes."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from demo import launch
from demo.look import Studio

ROOT = str(Path(__file__).parents[2])
OURS = (f"{ROOT}/demo/", f"{ROOT}/gclip_core/")
MOST_FILES, MOST_CALLS = 15, 300


class Page:
    """The built page, asked as a browser asks it: by the function of a tab and raw values."""

    def __init__(self, studio: Studio) -> None:
        demo = launch.build(studio)
        functions = {function.api_name: function for function in demo.fns.values()}
        self.show = functions["show_light"]
        self.names = [part.elem_id or part.label for part in self.show.inputs]
        self.values = [getattr(part, "value", None) for part in self.show.inputs]

    def ask(self, **changes: Any) -> dict:
        for name, value in changes.items():
            self.values[self.names.index(name)] = value
        return self.show.fn(*self.values)


@pytest.fixture(scope="module")
def page() -> Page:
    studio = Studio()
    made = Page(studio)
    made.ask(words="dog, person, grass", amf=False)
    return made


def way(page: Page, **changes: Any) -> Counter[str]:
    """How many calls of ours a request makes, by file."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            calls[frame.f_code.co_filename.removeprefix(ROOT)] += 1

    sys.setprofile(count)
    try:
        answer = page.ask(**changes)
    finally:
        sys.setprofile(None)
    assert len(answer) > 3, "a card for each of the three, and the lines"
    return calls


@pytest.mark.parametrize("plant", [False, True])
def test_a_switch_seen_before_passes_few_files_and_calls(page: Page, plant: bool) -> None:
    for cs in (True, False, True):
        page.ask(cs=cs, plant=plant)
    calls = way(page, cs=False)
    assert len(calls) <= MOST_FILES, calls
    assert calls.total() <= MOST_CALLS, calls
