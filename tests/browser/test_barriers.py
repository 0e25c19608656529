"""No barrier, by axe: every part that opens, on a desktop and a phone, light and dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from demo import wording
from demo.document import BROWSER
from demo.tabs.learn.pages import PAGES
from tests.browser.conftest import (
    DESKTOP,
    DONE,
    PHONE,
    SETTLED,
    SHEET,
    arrive,
    barriers,
    turn_to,
    visitor,
)


@pytest.fixture(scope="module")
def kept(url: str, browser: BrowserContext) -> Iterator[Page]:
    for page in visitor(browser, DESKTOP):
        arrive(page, url)
        yield page


@pytest.fixture
def opened(kept: Page) -> Page:
    """The page on Side by side, as a desktop shows it."""
    kept.set_viewport_size(DESKTOP)
    turn_to(kept, "Side by side")
    expect(kept.locator(DONE)).to_be_visible()
    return kept


def expect_none(page: Page, place: str) -> None:
    """Nothing at a place bars the way, in either width and theme."""
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        page.evaluate(SETTLED, size["width"])
        for dark in (True, False):
            assert barriers(page, dark, place) == [], (size, dark)


def test_of_every_step_of_the_lesson_asked_and_answered(opened: Page) -> None:
    turn_to(opened, "Learn")
    expect(opened.locator("#lesson h2")).to_contain_text(PAGES[0]["title"])
    expect_none(opened, "#lesson")
    opened.get_by_role("button", name="Begin").click()
    for page in PAGES[1:]:
        expect(opened.locator("#lesson h2")).to_contain_text(page["title"])
        options = opened.locator("#lesson .options button")
        if "question" in page:
            assert barriers(opened, False, "#lesson") == [], "asked"
            options.first.click()
        expect_none(opened, "#lesson")
        if page is not PAGES[-1]:
            opened.get_by_role("button", name="Next").click()


def test_of_the_figure_its_files_and_the_share_picture(opened: Page) -> None:
    turn_to(opened, "Export")
    expect(opened.locator("#figures").get_by_role("img")).to_have_count(2)
    expect_none(opened, "#result")


def test_of_the_share_button_before_and_after_the_sheet(opened: Page) -> None:
    opened.evaluate(f"() => {{ {SHEET} window.refused = true; }}")
    button = opened.locator("#share button").first
    expect(button).to_have_text(BROWSER["share"]["picture"])
    expect_none(opened, "#share")
    button.click()
    expect(button).to_have_text("Ready: press again")
    expect_none(opened, "#share")


def test_of_what_differs_from_a_mask_and_of_the_masks(opened: Page) -> None:
    turn_to(opened, "Compare")
    opened.wait_for_selector("#methods .gw[data-ready='1']")
    expect_none(opened, "#result")
    opened.locator("#methods").get_by_role("button", name="Masks", exact=True).click()
    expect_none(opened, "#methods")


def test_of_masks_by_block_and_matrices_on_their_tab(opened: Page) -> None:
    turn_to(opened, "Attention")
    opened.wait_for_selector("#live-attention .gw[data-ready='1']")
    opened.locator("#block-strip").get_by_role("button", name="Masks by block").click()
    expect(opened.locator("#block-strip .gw-by-block")).to_be_visible()
    opened.locator("#live-attention").get_by_role("button", name="Show as matrix").click()
    expect_none(opened, "#result")


def test_of_a_cut_out_and_of_the_reasons_of_a_pinned_patch(opened: Page) -> None:
    opened.locator("#side-canvas .gw-stage").click()
    opened.locator("#side-canvas .gw-more summary").click()
    expect(opened.locator("#side-canvas .gw-columns")).to_be_visible()
    opened.locator("#side-canvas .gw-legend .gw-aside").first.click()
    expect(opened.locator("#side-canvas .gw-cut-picture")).to_be_visible()
    expect_none(opened, "#side-canvas")
    opened.keyboard.press("Escape")


def test_of_a_simulated_fault_and_its_repair(opened: Page) -> None:
    opened.locator("#reasons").get_by_role("button", name=wording.SEE_REPAIR).click()
    expect(opened.locator("#side-canvas .gw-bars")).to_be_visible()
    expect_none(opened, "#result")
    opened.locator("#side-canvas .gw-simulated button").click()
    expect(opened.locator("#side-canvas .gw-simulated")).to_have_count(0)


def test_of_the_machine_with_masks_by_block_and_formulas(opened: Page) -> None:
    opened.locator("#machine button").click()
    opened.wait_for_selector("#machine .gw[data-ready='1']")
    for name in ("Masks by block", "Show formulas"):
        opened.locator("#machine").get_by_role("button", name=name).click()
    expect(opened.locator("#machine .gw-by-block")).to_be_visible()
    expect_none(opened, "#machine")
    opened.locator("#machine").get_by_role("button", name="Close").click()
