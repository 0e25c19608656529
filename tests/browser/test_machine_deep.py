"""The machine of a tower with 24 blocks in a browser: all of them are drawn, nothing is cut."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from demo.look import Request, Studio
from demo.settings import Settings
from demo.tabs import machine as views
from tests.browser.conftest import CHROMIUM, visitor
from tests.browser.test_machine import on_the_wall, read
from tests.models import tiny_backbone
from tests.visitor import served

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
QUERY = "?tab=learn&seed=2&amf=1&cs=0&plant=1"


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(tiny_backbone(layers=24, image=(96, 128)))


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    with served(studio) as address:
        yield address


@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_nothing_of_24_blocks_is_cut(
    url: str, browser: BrowserContext, studio: Studio, width: int
) -> None:
    settings = Settings(seed=2, amf=True, cs=False, plant=True)
    words = studio.picture(settings, "").words
    machine = views.see(studio.look(Request(settings.changed(words=words))))
    for page in visitor(browser, {"width": width, "height": 1080}):
        page.goto(url + QUERY)
        page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
        for number, tile in enumerate(machine.tiles, 1):
            assert read(page, f"score {number}") == pytest.approx(tile.score, rel=1e-5)
            assert read(page, f"ratio {number}") == pytest.approx(tile.ratio, rel=1e-5)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        texts = page.locator("#learn-machine svg text")
        edge = page.locator("#learn-machine .gm-box").bounding_box()
        assert edge is not None
        places = texts.evaluate_all("l => l.map(one => one.getBoundingClientRect().toJSON())")
        assert all(edge["x"] - 1 <= one["left"] for one in places)
        assert all(one["right"] <= edge["x"] + edge["width"] + 1 for one in places)
        if width == 1920:
            page.get_by_role("button", name="Full screen").last.click()
            page.wait_for_selector("#learn-machine .gm-wall")
            assert on_the_wall(page) == []
        if width == 390:  # too narrow for a wall: the step stays over the machine, not beside it
            page.get_by_role("button", name="Full screen").last.click()
            page.wait_for_function("document.fullscreenElement")
            step = page.locator("#learn-machine .gm-lesson").bounding_box()
            assert step is not None
            assert step["width"] > 0.8 * width
