"""The address: reload, Back, a second tab and a link restore the state; a lesson can be left."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from demo.scene import OPENING
from tests.browser.conftest import (
    DESKTOP,
    FLOWER,
    after,
    answers,
    give,
    is_settled,
    legend,
    load,
    picture,
    switch,
    turn_to,
    type_words,
    watched,
)
from tests.pictures import encoded

pytestmark = pytest.mark.long

NOT_THERE = "This link does not contain its photo. Upload it."


@pytest.fixture(scope="module")
def stranger(browser: Browser) -> Iterator[Page]:
    """Another person's browser."""
    with browser.new_context(viewport=DESKTOP) as context, context.new_page() as page:
        yield page


def photo(page: Page) -> str:
    """The path of the photo on the server."""
    return page.locator("#photo img").get_attribute("src").partition("/file=")[2]


def seen(page: Page) -> tuple[str, str, list[str]]:
    """The photo, the tab and the words, after the answer."""
    expect(page.locator(".pending, .stale")).to_have_count(0)
    tab = page.locator("[role=tab][aria-selected=true]").first.inner_text()
    return photo(page), tab, page.locator("#words textarea").input_value().split(", ")


def own(page: Page, width: int = 240) -> str:
    """Uploads a photo and returns its path."""
    after(page, lambda: give(page, encoded(picture(width=width), "PNG"), "mine.png"))
    expect(page).to_have_url(re.compile("example=own.*kept="))
    return photo(page)


def test_reload_shows_what_was_there(flower: Page) -> None:
    """A reload and a second tab restore an uploaded photo, words, a switch, the pinned patch and
    the tab."""
    mine = own(flower)
    after(flower, lambda: type_words(flower, "dog, sky"))
    after(flower, switch(flower, "AMF").click)
    flower.locator("#canvas .pad").click(position={"x": 100, "y": 60})
    expect(flower).to_have_url(re.compile("patch="))
    turn_to(flower, "How it works")
    expect(flower).to_have_url(re.compile("tab=how"))
    before, address = seen(flower), flower.url
    assert before == (mine, "How it works", ["dog", "sky"])
    flower.goto(address)  # as in a second tab, which has no history
    expect(flower.locator("#diagram .drawn").first).to_be_visible()
    is_settled(flower)
    assert seen(flower) == before and flower.url == address
    expect(flower.locator(".toast-body")).to_have_count(0)
    turn_to(flower, "Segment")
    expect(switch(flower, "AMF")).to_have_attribute("aria-checked", "false")
    expect(flower.locator("#canvas .why")).to_be_visible()


def test_back(flower: Page) -> None:
    """A new photo and new words add history entries, a switch does not. Two steps at once end
    where they should."""
    first, entries = seen(flower), flower.evaluate("history.length")
    own(flower)
    after(flower, switch(flower, "AMF").click)
    mine = seen(flower)
    after(flower, lambda: type_words(flower, "dog, sky"))
    last = seen(flower)
    expect(flower).to_have_url(re.compile("words=dog%2C\\+sky"))
    assert flower.evaluate("history.length") == entries + 2

    def shows(entry: tuple[str, str, list[str]], amf: str) -> None:
        expect(flower.locator("#words textarea")).to_have_value(", ".join(entry[2]))
        expect(switch(flower, "AMF")).to_have_attribute("aria-checked", amf)
        expect(flower.locator("#photo img")).to_have_attribute("src", re.compile(entry[0]))
        assert seen(flower) == entry
        is_settled(flower)

    flower.evaluate("() => { history.back(); setTimeout(() => history.back(), 300) }")
    shows(first, "true")
    for entry in (mine, last):
        flower.go_forward()
        shows(entry, "false")
    assert flower.evaluate("history.length") == entries + 2


def test_back_from_a_tab(flower: Page) -> None:
    """Back leaves a tab, and keeps the photo and the words."""
    before, address = seen(flower), flower.url
    turn_to(flower, "Share")
    expect(flower).to_have_url(re.compile("tab=share"))
    flower.go_back()
    segment = flower.get_by_role("tab", name="Segment")
    expect(segment).to_have_attribute("aria-selected", "true")
    expect(flower).to_have_url(address)
    assert seen(flower) == before


def test_copied_address(flower: Page) -> None:
    """The address reveals nothing: another browser gets the settings, but no photo.

    That one starts with an empty storage; the page sets no cookie.
    """
    own(flower)
    after(flower, lambda: type_words(flower, "dog, sky"))
    expect(flower).to_have_url(re.compile("words=dog%2C\\+sky"))
    assert not flower.context.cookies()
    flower.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
    address = flower.url
    flower.goto(address)
    expect(flower.locator("#canvas .empty")).to_contain_text(NOT_THERE)
    expect(flower.locator("#words textarea")).to_have_value("dog, sky")
    expect(flower.locator("#photo img")).to_have_count(0)
    expect(flower.locator("#canvas canvas.mask")).to_be_hidden()
    give(flower, encoded(picture(), "PNG"), "mine.png")
    expect(legend(flower)).to_have_text(["dog", "sky", "background"])
    expect(flower).not_to_have_url(address)  # its photo is in another storage


def test_shared_photo(flower: Page, stranger: Page) -> None:
    """A link includes the photo only if its owner chose so, and never the next photo."""
    mine = own(flower)
    turn_to(flower, "How it works")
    turn_to(flower, "Share")
    link, include = flower.locator("#link textarea"), flower.locator("#include-photo input")
    expect(include).not_to_be_checked()
    expect(link).not_to_have_value(re.compile("photo="))
    include.check()
    expect(link).to_have_value(re.compile("tab=how.*photo="))
    with watched(stranger):
        stranger.goto(link.input_value())
        expect(stranger.locator("#diagram .drawn").first).to_be_visible()
        is_settled(stranger)
        assert photo(stranger) == mine and "photo=" not in stranger.url
    turn_to(flower, "Segment")
    own(flower, 208)
    turn_to(flower, "Share")
    expect(link).to_have_value(re.compile("example=own"))
    expect(link).not_to_have_value(re.compile("photo="))
    expect(include).not_to_be_checked()
    turn_to(flower, "Segment")
    after(flower, flower.locator("#samples button").first.click)
    turn_to(flower, "Share")
    expect(include).to_be_hidden()


def test_blocked_storage(stranger: Page, url: str) -> None:
    """The page opens and Back works; after a reload, a message says why the photo is missing."""
    stranger.context.add_init_script(
        "Object.defineProperty(window, 'localStorage',"
        " { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    with watched(load(stranger, f"{url}?example=dog")):
        mine = own(stranger, 232)
        after(stranger, stranger.locator("#samples button").first.click)
        after(stranger, stranger.go_back)
        assert photo(stranger) == mine
        stranger.reload()
        expect(stranger.locator("#canvas .empty")).to_contain_text("does not contain its photo")


def test_long_words(visitor: Callable[..., Page]) -> None:
    """Words that are too long for a link are restored, too."""
    page = visitor(**FLOWER, templates="plain")
    words = ", ".join(f"{number} " + 6 * "猫" for number in range(110))
    after(page, lambda: type_words(page, words))
    expect(page).to_have_url(re.compile("^(?!.*words=).*kept="))
    page.reload()
    is_settled(page)
    expect(page.locator("#words textarea")).to_have_value(words)


def test_frame(flower: Page, url: str) -> None:
    """In a frame, where nobody sees the address, the last state is restored from storage."""
    page = flower.context.new_page()
    html = f'<iframe src="{url}/?__theme=light" style="width: 100%; height: 900px"></iframe>'
    page.route(f"{url}/frame", lambda r: r.fulfill(body=html, content_type="text/html"))
    page.goto(f"{url}/frame")
    inside = page.frame_locator("iframe")
    expect(inside.locator("#canvas [data-answers]")).to_have_count(1)
    inside.locator("#samples button").nth(1).click()
    chosen = inside.locator("#photo img")
    expect(chosen).not_to_have_attribute("src", re.compile(OPENING))
    frame = page.frames[-1]
    frame.wait_for_function(
        "() => history.state?.isAnswered && location.search.includes('raccoon')"
    )
    source = chosen.get_attribute("src")
    page.reload()
    expect(chosen).to_have_attribute("src", source)
    page.close()


def test_lesson_lends_the_page(flower: Page) -> None:
    """Steps appear one by one after each guess; a step that was shown returns to the lesson, and to
    the photo, words and switches, even after a reload."""
    own(flower)
    after(flower, lambda: type_words(flower, "dog, sky"))
    after(flower, switch(flower, "AMF").click)
    before, line = seen(flower), flower.locator("#lesson")
    expect(line).to_be_hidden()
    turn_to(flower, "Learn")
    cards = flower.locator("#learn .card:visible")
    expect(cards).to_have_count(1)
    for step in (1, 2):
        card = flower.locator("#learn .card").nth(step - 1)
        card.get_by_label("The mask gets better").check()
        expect(card.get_by_text("mIoU goes from")).to_be_visible()
        expect(cards).to_have_count(step + 1)
        card.get_by_role("button", name="Try it on the photo").click()
        expect(line).to_have_text(f"Lesson, step {step} · back to the lesson · back to my photo")
        expect(answers(flower)).to_be_in_viewport()
        is_settled(flower)
        assert "raccoon" in photo(flower)
        if step == 1:
            line.get_by_role("button", name="back to the lesson").click()
            expect(flower.get_by_role("tab", name="Learn")).to_have_attribute(
                "aria-selected", "true"
            )
    expect(switch(flower, "AMF")).to_have_attribute("aria-checked", "true")
    flower.reload()
    is_settled(flower)
    expect(line).to_contain_text("step 2")
    after(flower, line.get_by_role("button", name="back to my photo").click)
    is_settled(flower)
    assert seen(flower) == before
    expect(line).to_be_hidden()
    expect(switch(flower, "AMF")).to_have_attribute("aria-checked", "false")
    after(flower, flower.locator("#samples button").first.click)
    expect(line).to_be_hidden()
    turn_to(flower, "Learn")
    expect(cards).to_have_count(3)  # with the answers from before the reload
    expect(cards.nth(1).get_by_label("The mask gets better")).to_be_checked()
