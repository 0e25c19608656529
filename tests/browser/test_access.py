"""Every tab for everybody: accessibility, widths and zoom."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import TABS, Visit, turn_to

WIDTHS = (320, 390, 640, 768, 1024, 1280, 1920, 2560)
"""In CSS pixels; 640 is a window of 1280 at 200 %."""
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@pytest.mark.long
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_barriers(visitor: Visit, theme: str) -> None:
    """axe finds no violation of WCAG 2.1 A and AA on any tab, and none is wider than the window,
    from 320 to 2560 pixels and at 200 %. AMF is off, so the maps that it would use are faint."""
    page, options = visitor(__theme=theme, amf=0), {"runOnly": WCAG, "resultTypes": ["violations"]}
    page.locator("#settings > summary").click()
    for tab in TABS:
        turn_to(page, tab)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator("html")).to_have_js_property("clientWidth", width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{tab} at {width}: {wide}"
            if width in (390, 1280):
                found = Axe().run(page, options=options)
                assert not found.violations_count, f"{tab}, {width}: {found.generate_report()}"


def test_tabs_by_keys(flower: Page) -> None:
    """Arrow keys, Home and End open tabs, in a circle."""
    tabs = flower.get_by_role("tab")
    first, last = tabs.first, tabs.last
    first.focus()
    for key, tab in (("End", last), ("ArrowRight", first), ("ArrowLeft", last), ("Home", first)):
        flower.keyboard.press(key)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
