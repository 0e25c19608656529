"""The lesson: seen on a phone, the same for everybody, and no fault of the page stays unseen."""

import re

from PIL import Image
from playwright.sync_api import Page, expect

from demo.document import BROWSER
from demo.tabs.learn.pages import PAGES
from gclip_core import assets
from tests.browser.conftest import DONE, SETTLED, arrive, give, turn_to

READY = "#lesson .gw[data-ready='1']"


def test_the_lesson_is_the_same_whatever_the_page_shows_and_ends_with_a_photo_and_both_switches_on(
    stays: Page, desktop: Page, url: str
) -> None:
    stays.bring_to_front()  # one behind is drawn once a second
    turn_to(stays, "Learn")
    stays.wait_for_selector(READY)
    text = stays.locator("#lesson .lesson").inner_text()
    turn_to(stays, "Side by side")
    desktop.bring_to_front()
    desktop.goto(f"{url}?tab=learn&example=coffee&words=cup&method=sclip&amf=0&cs=0")
    desktop.wait_for_selector(READY)
    expect(desktop.locator("#lesson .lesson")).to_have_text(text, use_inner_text=True)
    desktop.get_by_role("button", name="Begin").click()
    for _ in PAGES[2:]:
        desktop.get_by_role("button", name="Next").click()
    expect(desktop.locator("#lesson table")).to_contain_text("SCLIP")
    give(desktop, Image.open(assets.path("photos", "astronaut.jpg")))  # suggests its own words
    expect(desktop.locator("#words textarea")).to_have_value(re.compile("person"))
    with desktop.expect_file_chooser():
        desktop.get_by_role("button", name="Take your own photo").click()
    expect(desktop.locator("#amf input")).to_be_checked()
    expect(desktop.locator("#cs input")).to_be_checked()


def test_who_asks_in_the_lesson_what_cs_repairs_sees_it(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="learn")
    desktop.locator("#reasons .gw-link").click()
    expect(desktop.get_by_role("tab", name="Side by side")).to_have_attribute(
        "aria-selected", "true"
    )
    expect(desktop.locator("#side-canvas")).to_contain_text("Simulation")


def test_on_a_phone_a_step_is_in_view_and_a_guess_moves_nothing(phone: Page, url: str) -> None:
    phone.goto(f"{url}?tab=learn")
    phone.wait_for_selector(DONE)  # what comes late would move the step
    phone.get_by_role("button", name="Begin").click()
    heading, answer = phone.locator("#lesson h2"), phone.locator("#lesson .answer")
    mask, question = (
        phone.locator(f"#lesson {part}").first.bounding_box()
        for part in (".figures img", ".question")
    )
    assert mask["x"] + mask["width"] <= question["x"], "a small mask stands beside its question"
    assert abs(mask["y"] - question["y"]) < 40
    for page in PAGES[1:-1]:
        expect(heading).to_contain_text(page["title"])
        expect(heading).to_be_focused()
        expect(heading).to_be_in_viewport(ratio=1)
        expect(answer).to_be_empty()
        # Who presses an option sees it first.
        phone.locator("#lesson .options button").first.scroll_into_view_if_needed()
        before = phone.evaluate("scrollY")
        phone.evaluate("document.querySelector('#lesson .options button').click()")
        expect(answer).not_to_be_empty()
        expect(phone.locator("#lesson .right")).to_have_count(1)
        assert abs(phone.evaluate("scrollY") - before) < 2
        phone.get_by_role("button", name="Next").click()
    expect(heading).to_be_in_viewport(ratio=1)


def test_on_a_phone_learn_is_seen_and_each_step_shows_what_it_says(phone: Page, url: str) -> None:
    arrive(phone, url)
    learn_tab = phone.get_by_role("tab", name="Learn")
    learn_tab.scroll_into_view_if_needed()
    box = learn_tab.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390, "without the menu of other tabs"
    learn_tab.click()
    phone.wait_for_selector(READY)
    phone.wait_for_selector(DONE)
    phone.get_by_role("button", name="Begin").click()
    figures = phone.locator("#lesson .figures figure")
    for page in PAGES[1:-1]:
        expect(figures).to_have_count(len(page["before"]))
        phone.locator("#lesson .options button").first.click()
        expect(figures).to_have_count(len(page["before"] + page["after"]))
        for picture in phone.locator("#lesson .figures img").all():
            picture.scroll_into_view_if_needed()
            assert picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)")
        phone.get_by_role("button", name="Next").click()
    table = phone.locator("#lesson table")
    assert table.evaluate("table => table.getBoundingClientRect().right") < 390
    assert phone.evaluate(SETTLED, 390) <= 390


def test_a_fault_of_the_other_tabs_is_named_in_the_lesson_and_ends_there(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url, plant=1)
    expect(desktop.locator("#side-canvas")).to_contain_text("Simulation")
    turn_to(desktop, "Learn")
    desktop.wait_for_selector(READY)
    simulated = desktop.locator("#lesson .gw-simulated")
    expect(simulated).to_contain_text(BROWSER["elsewhere"])
    desktop.get_by_role("button", name="Begin").click()
    simulated.get_by_role("button", name="End it").click()
    expect(simulated).to_have_count(0)
    expect(desktop.locator("#lesson h2")).to_contain_text(PAGES[1]["title"])
    turn_to(desktop, "Side by side")
    desktop.wait_for_selector(DONE)
    expect(desktop.locator("#side-canvas .gw-stage")).to_be_visible()
    expect(desktop.locator("#side-canvas")).not_to_contain_text("Simulation")
