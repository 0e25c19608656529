"""Every tab for everybody: accessibility, widths, zoom, and the content of the first screen."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.benchmarks.page import FIRST_SCREEN
from tests.browser.conftest import DESKTOP, PHONE, TABS, Visit, turn_to

WIDTHS = (320, 390, 640, 768, 1024, 1280, 1920, 2560)
"""In CSS pixels; 640 is a window of 1280 at 200 %."""
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
LIMITS = {1280: (140, 42), 390: (70, 33)}
"""Words and controls in the first screen, by width."""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_first_screen(visitor: Visit, size: dict[str, int]) -> None:
    """It shows a mask at once, with words and a sentence, and little else to read and press.

    The mask is at least 660 pixels wide on a laptop, fully visible, and has the photo's shape.
    """
    page = visitor(size, __theme="dark")
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
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_barriers(visitor: Visit, theme: str) -> None:
    """axe finds no violation of WCAG 2.1 A and AA on any tab, and none is wider than the window,
    from 320 to 2560 pixels and at 200 %."""
    page, options = visitor(__theme=theme), {"runOnly": WCAG, "resultTypes": ["violations"]}
    page.locator("#settings > summary").click()
    for tab in TABS:
        turn_to(page, tab)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("html")).to_have_js_property("clientWidth", width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{tab} at {width}: {wide}"
            if width in LIMITS:
                nodes = [
                    f"{tab}: {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
                    for rule in Axe().run(page, options=options).response["violations"]
                    for node in rule["nodes"]
                ]
                assert not nodes, "\n".join((f"{width}, {theme}", *nodes))
