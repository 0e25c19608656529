"""Every tab for everybody: barriers, widths, zoom, and how much stands in the first screen."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, TABS, turn_to

WIDTHS = (320, 390, 640, 768, 1024, 1280, 1920, 2560)
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
CONTROLS = "button, input, textarea, select, a[href], [tabindex='0'], [role=tab]"
TEXTS = "xpath=//body//*[text()[normalize-space()]][not(contains(@class, 'live'))]"
SEEN = (
    "all => all.filter(e => e.checkVisibility()).map(e => [e, e.getBoundingClientRect()])"
    ".filter(([e, box]) => box.top < innerHeight && box.left < innerWidth)"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_barriers(visitor: Callable[..., Page], size: dict[str, int], theme: str) -> None:
    """axe finds no barrier of WCAG 2.1 A and AA on any tab."""
    page = visitor(size, example="flower", __theme=theme)
    page.add_style_tag(content="* { transition: none !important; }")
    for tab in TABS:
        turn_to(page, tab)
        found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
        nodes = [
            f"{tab}: {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for rule in found.response["violations"]
            for node in rule["nodes"]
        ]
        assert not nodes, "\n".join(nodes)


def test_widths(visitor: Callable[..., Page]) -> None:
    """No tab is wider than the window, from 320 to 2560 pixels."""
    page = visitor(example="jockey")
    for tab in TABS:
        turn_to(page, tab)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("html")).to_have_js_property("clientWidth", width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{tab} at {width}: {wide}"
        page.set_viewport_size(DESKTOP)


def test_zoom(visitor: Callable[..., Page]) -> None:
    """At 200 % all tabs and the mask are there, without scrolling sideways."""
    page = visitor({"width": 640, "height": 450}, {"device_scale_factor": 2}, example="flower")
    for tab in TABS:
        turn_to(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 640


@pytest.mark.parametrize(
    ("size", "words", "controls"), [(DESKTOP, 150, 45), (PHONE, 90, 30)], ids=["desktop", "phone"]
)
def test_first_screen(
    visitor: Callable[..., Page], size: dict[str, int], words: int, controls: int
) -> None:
    """The first screen has the product, and little else to read and to press."""
    page = visitor(size)

    texts = page.locator(TEXTS).evaluate_all(f"{SEEN}.map(([e]) => e.innerText)")
    assert sum(len(text.split()) for text in texts) <= words
    assert page.locator(CONTROLS).evaluate_all(f"{SEEN}.length") <= controls
