"""Learn, Compare and Export in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from demo.learn import lesson
from tests.browser.conftest import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


def arrive(page: Page, url: str, tab: str, ready: str) -> None:
    page.goto(f"{url}?tab={tab}")
    expect(page.locator(ready)).to_have_attribute("data-ready", "1")


def begin(page: Page, url: str) -> None:
    arrive(page, url, "learn", "#lesson .gw")
    page.get_by_role("button", name="Begin").click()


def test_a_step_tells_its_answer_after_the_guess(desktop: Page, url: str) -> None:
    begin(desktop, url)
    answer = desktop.locator("#lesson .answer")
    expect(answer).to_be_empty()
    desktop.locator("#lesson .options button").nth(1).click()
    expect(answer).to_contain_text("ClearCLIP")
    expect(desktop.locator("#lesson .right")).to_have_count(1)


def test_the_lesson_is_the_same_whatever_the_page_shows(desktop: Page, url: str) -> None:
    desktop.goto(f"{url}?tab=learn&example=coffee&words=cup&method=sclip")
    other = desktop.locator("#lesson .lesson").inner_text()
    arrive(desktop, url, "learn", "#lesson .gw")
    assert desktop.locator("#lesson .lesson").inner_text() == other


def test_the_last_step_shows_its_answer_and_takes_a_photo_with_amf_and_cs_on(
    desktop: Page, url: str
) -> None:
    desktop.goto(f"{url}?tab=learn&amf=0&cs=0")
    desktop.get_by_role("button", name="Begin").click()
    for _ in lesson.STEPS[1:]:
        desktop.get_by_role("button", name="Next").click()
    desktop.locator("#lesson .options button").first.click()
    expect(desktop.locator("#lesson .answer")).to_contain_text("%")
    with desktop.expect_file_chooser():
        desktop.get_by_role("button", name="Take your own photo").click()
    expect(desktop.locator("#amf input")).to_be_checked()
    expect(desktop.locator("#cs input")).to_be_checked()


def test_on_a_phone_a_small_mask_stands_beside_its_question(phone: Page, url: str) -> None:
    begin(phone, url)
    mask, question = (
        phone.locator(f"#lesson {one}").first.bounding_box() for one in ("img", ".question")
    )
    assert mask["x"] + mask["width"] <= question["x"]
    assert abs(mask["y"] - question["y"]) < 40


def test_compare_is_sorted_by_year_and_by_what_is_pressed(desktop: Page, url: str) -> None:
    arrive(desktop, url, "compare", "#methods .gw")
    rows = desktop.locator("#methods tbody tr:not([data-name=truth])")
    years = [int(row.locator("td").first.inner_text()) for row in rows.all()]
    assert years == sorted(years) and len(years) == 7
    desktop.locator("#methods thead button", has_text="mIoU").click()
    cells = rows.locator("td[data-column='score mIoU']").all_inner_texts()
    scores = list(map(float, cells))
    assert scores == sorted(scores, reverse=True)


def test_a_press_on_a_row_opens_its_mask_beside_the_other(desktop: Page, url: str) -> None:
    arrive(desktop, url, "compare", "#methods .gw")
    desktop.locator("#methods tr[data-name=naclip] .open").click()
    expect(desktop.locator("#pair-canvas")).to_contain_text("NACLIP")
    expect(desktop.locator("#methods tr.chosen[data-name=naclip]")).to_be_visible()


def test_one_press_makes_a_share_card(desktop: Page, url: str) -> None:
    desktop.goto(f"{url}?tab=export")
    expect(desktop.locator("#link textarea")).to_have_value(re.compile("example="))
    desktop.locator("#make-card").click()
    expect(desktop.locator("#card-files")).to_contain_text("gclip")
    expect(desktop.locator("#card img")).to_be_visible()
