"""Every tab for everybody: accessibility, widths, zoom, and the content of the first screen."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.benchmarks.page import FIRST_SCREEN
from tests.browser.conftest import DESKTOP, PHONE, TABS, turn_to

AT_NIGHT = {"__theme": "dark"}
"""The page without a link."""
WIDTHS = (320, 640, 768, 1024, 1920, 2560)
"""In CSS pixels, besides 390 and 1280; 640 is a window of 1280 at 200 %."""
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
LIMITS = {1280: (140, 42), 390: (72, 33)}
"""Words and controls in the first screen, by width."""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_first_screen(visitor: Callable[..., Page], size: dict[str, int]) -> None:
    """It shows a mask at once, with words and a sentence, and little else to read and press.

    The mask is at least 660 pixels wide on a laptop, fully visible, and has the photo's shape.
    """
    page = visitor(size, **AT_NIGHT)
    expect(page.locator("#norms img")).to_be_visible()
    assert len(page.locator("#canvas .entry").all()) >= 3
    assert page.locator("#canvas .sentence").inner_text()
    read, press = page.evaluate(FIRST_SCREEN)
    words, controls = LIMITS[size["width"]]
    assert read <= words
    assert press <= controls
    stage = page.locator("#canvas .stage").bounding_box() or {}
    ratio = page.locator("#canvas img").evaluate("one => one.naturalWidth / one.naturalHeight")
    assert stage["width"] / stage["height"] == pytest.approx(ratio, rel=0.01)
    assert stage["y"] + stage["height"] <= size["height"]
    assert stage["width"] >= (660 if size == DESKTOP else 350)
    assert stage["y"] <= 380


@pytest.mark.long
def test_barriers(visitor: Callable[..., Page]) -> None:
    """axe finds no violation of WCAG 2.1 A and AA on any tab, and no tab scrolls sideways.

    In dark mode only the colours differ, and they do not depend on the width.
    """
    page = visitor(**AT_NIGHT)
    # parts that wait for an answer are dimmed for a moment
    still = "* { transition: none !important; } .pending > * { opacity: 1 !important; }"
    page.add_style_tag(content=still)
    for size, theme, rules in (
        (DESKTOP, "dark", CONTRAST),
        (DESKTOP, "light", WCAG),
        (PHONE, "light", WCAG),
    ):
        page.set_viewport_size(size)
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
        for tab in TABS:
            turn_to(page, tab)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
            where = None if tab == TABS[0] else "#tabs"  # the parts beside the tabs stay the same
            found = Axe().run(page, where, {"runOnly": rules, "resultTypes": ["violations"]})
            nodes = [
                f"{tab}: {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
                for rule in found.response["violations"]
                for node in rule["nodes"]
            ]
            assert not nodes, "\n".join((f"{size}, {theme}", *nodes))


@pytest.mark.long
def test_widths(visitor: Callable[..., Page]) -> None:
    """No tab is wider than the window, from 320 to 2560 pixels and at 200 %."""
    page = visitor(**AT_NIGHT)
    for tab in TABS:
        turn_to(page, tab)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("html")).to_have_js_property("clientWidth", width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{tab} at {width}: {wide}"
        page.set_viewport_size(DESKTOP)
