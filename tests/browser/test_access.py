"""Every tab for everybody: barriers, widths, zoom, and how much stands in the first screen."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.benchmarks.page import FIRST_SCREEN
from tests.browser.conftest import DESKTOP, PHONE, TABS, opened, turn_to

WIDTHS = (320, 640, 768, 1024, 1920, 2560)
"""In pixels of CSS, beside 390 and 1280; 640 is a window of 1280 at 200 %."""
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
LIMITS = {1280: (150, 45), 390: (90, 30)}
"""Words and controls in the first screen, by its width."""


@pytest.fixture(
    scope="module",
    params=[(size, theme) for size in (DESKTOP, PHONE) for theme in ("light", "dark")],
    ids=["desktop-light", "desktop-dark", "phone-light", "phone-dark"],
)
def opening(profile: BrowserContext, url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """What a visitor without a link sees."""
    size, theme = request.param
    with opened(profile, url, size, __theme=theme) as page:
        page.add_style_tag(content="* { transition: none !important; }")
        yield page


def test_first_screen(opening: Page) -> None:
    """It has a mask at once, with its words and a sentence, and little else to read and press."""
    words, controls = LIMITS[opening.viewport_size["width"]]
    expect(opening.locator("#norms img")).to_be_visible()
    assert len(opening.locator("#canvas .entry").all()) >= 3
    assert opening.locator("#canvas .sentence").inner_text()
    read, press = opening.evaluate(FIRST_SCREEN)
    assert read <= words
    assert press <= controls


def test_large_mask(opening: Page) -> None:
    """The mask is wide, 660 pixels on a laptop, seen whole, and has the photo's shape."""
    size = opening.viewport_size
    stage = opening.locator("#canvas .stage").bounding_box() or {}
    ratio = opening.locator("#canvas img").evaluate("one => one.naturalWidth / one.naturalHeight")
    assert stage["width"] / stage["height"] == pytest.approx(ratio, rel=0.01)
    assert stage["y"] + stage["height"] <= size["height"]
    assert stage["width"] >= (660 if size == DESKTOP else 350)


def test_barriers(opening: Page) -> None:
    """axe finds no barrier of WCAG 2.1 A and AA on any tab, and none scrolls sideways."""
    for tab in TABS:
        turn_to(opening, tab)
        assert opening.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
        where = None if tab == TABS[0] else "#tabs"  # what is beside the tabs stays the same
        options = {"runOnly": WCAG, "resultTypes": ["violations"]}
        found = Axe().run(opening, where, options)
        nodes = [
            f"{tab}: {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for rule in found.response["violations"]
            for node in rule["nodes"]
        ]
        assert not nodes, "\n".join(nodes)


def test_widths(shared: Page) -> None:
    """No tab is wider than the window, from 320 to 2560 pixels and at 200 %."""
    for tab in TABS:
        turn_to(shared, tab)
        for width in WIDTHS:
            shared.set_viewport_size({"width": width, "height": 900})
            expect(shared.locator("html")).to_have_js_property("clientWidth", width)
            wide = shared.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{tab} at {width}: {wide}"
        shared.set_viewport_size(DESKTOP)
