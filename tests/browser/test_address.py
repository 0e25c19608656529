"""The address is the state: reload, Back, a second tab and a link restore it; a lesson can be
left."""

import re
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import (
    FLOWER,
    Visit,
    after,
    found,
    legend,
    offline,
    own,
    settled,
    switch,
    turn_to,
    type_words,
    words,
)


def seen(page: Page) -> tuple[str, ...]:
    """The photo, the tab, the words and AMF, after the answer."""
    settled(page)
    photo = found(r"((?:photo|example)=\w+)", page.url)
    tab = page.locator("[role=tab][aria-selected=true]").inner_text()
    return photo, tab, words(page).input_value(), "amf=0" if "amf=0" in page.url else ""


def test_reload_shows_what_was_there(visitor: Visit, sent: list[Request]) -> None:
    """A reload and a second tab restore an uploaded photo, words, a switch, the pinned patch and
    the tab, a reload even words that are too long for an address. The photo is the browser's own
    file."""
    flower = visitor(**FLOWER, templates="plain")
    mine = own(flower)
    after(flower, lambda: type_words(flower, "dog, sky"))
    switch(flower, "AMF").click()
    flower.locator("#canvas .pad").click(position={"x": 100, "y": 60})
    expect(flower).to_have_url(re.compile("patch="))
    turn_to(flower, "How it works")
    before, address = seen(flower), flower.url
    assert before[1:] == ("How it works", "dog, sky", "amf=0")
    flower.reload()
    second = flower.context.new_page()
    second.goto(address)
    for page in (flower, second):
        assert seen(page) == before and page.url == address
        turn_to(page, "Segment")
        expect(switch(page, "AMF")).to_have_attribute("aria-checked", "false")
        expect(page.locator("#canvas .why")).to_be_visible()
        expect(page.locator("#canvas img")).to_have_attribute("src", re.compile("^blob:"))
    assert not [request.url for request in sent if mine in request.url.split("?")[0]]
    text = ", ".join(f"{number} " + 6 * "猫" for number in range(190))
    after(flower, lambda: type_words(flower, text))
    expect(flower).not_to_have_url(re.compile("words="))
    flower.reload()
    settled(flower)
    expect(words(flower)).to_have_value(text)


def test_back(flower: Page, sent: list[Request]) -> None:
    """A new photo, new words and another tab add history entries, a switch does not. Two steps at
    once end where they should, and what was seen needs no network."""
    states = [seen(flower)]
    own(flower)
    switch(flower, "AMF").click()
    states.append(seen(flower))
    after(flower, lambda: type_words(flower, "dog, sky"))
    states.append(seen(flower))
    turn_to(flower, "Share")
    states.append(seen(flower))
    with offline(flower, sent):
        flower.go_back()
        assert seen(flower) == states[2]
        flower.evaluate("() => { history.back(); history.back() }")
        expect(words(flower)).to_have_value(states[0][2])
        assert seen(flower) == states[0]
        expect(flower.locator("#canvas img")).to_have_attribute("src", "photos/flower")
        for state in states[1:]:
            flower.go_forward()
            assert seen(flower) == state


LINK = {
    "example": "coffee",
    "short_side": "256",
    "words": ", ".join(("${7*7}", "{{x}}", '<img src=x onerror="document.title=1">', "שלום", "🐶")),
    "nearest": "0",
    "amf": "0",
    "background": "0",
    "refine": "none",
    "threshold": "0.25",
    "logit_scale": "33.3333333",
    "block": "3",
    "head": "2",
}


def test_link(visitor: Visit) -> None:
    """A link restores every setting to the last digit, and the page gives the same link. Words are
    treated as text, whatever they contain. What cannot be used is ignored, and the page says so."""
    wrong = {"cs": "constructor", "<b>planted</b>": 7, "valueOf": 1, "block": "3"}
    page = visitor(**LINK | wrong)
    expect(page.locator("#toast")).to_have_text(
        "Ignored in this link: cs, <b>planted</b>, valueOf."
    )
    expect(legend(page)).to_have_text([*LINK["words"].split(", "), "background"])
    expect(switch(page, "AMF")).to_have_attribute("aria-checked", "false")
    turn_to(page, "How it works")
    expect(page.locator("#diagram .number")).to_have_text("3")
    turn_to(page, "Share")
    link = parse_qs(page.locator("#link").input_value().split("?")[1])
    assert {name: values[0] for name, values in link.items()} == LINK | {"backbone": "built-in"}
    expect(page.locator("#python code")).to_contain_text("segmenter.segment(")
    assert page.title() == "GCLIP"
    assert page.locator("img[src=x]").count() == 0


def test_old_links(visitor: Visit, url: str) -> None:
    """Links of older versions open; one to an upload explains that it has no photo, and keeps the
    words for the next one. The theme of a Space stays in the address."""
    page = visitor(example="coffee", window=224, stride=112, view="x", __theme="dark")
    expect(page.locator("#toast")).to_have_text("")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    switch(page, "AMF").click()
    expect(page).to_have_url(re.compile("example=coffee&amf=0.*__theme=dark"))
    page.goto(f"{url}/?example=own&kept=abc&words=dog,+sky&tab=compare")
    expect(page.locator("#canvas .empty")).to_contain_text("stayed with its owner")
    expect(page.locator("#canvas canvas.mask")).to_be_hidden()
    expect(words(page)).to_have_value("dog, sky")
    own(page)
    expect(legend(page)).to_have_text(["dog", "sky", "background"])


def test_frame(visitor: Visit, url: str) -> None:
    """In the frame of a Space, a reload restores what was there."""
    page = visitor(**FLOWER)
    page.goto(f"{url}/health")
    page.set_content("<iframe width=1200 height=800></iframe>")
    frame = page.frame_locator("iframe")
    for visit in (1, 2):
        page.evaluate(f"frames[0].location = '{url}/?__theme=dark&__n={visit}'")
        expect(frame.locator("#canvas[data-answers]")).to_be_visible()
        if visit == 1:
            type_words(frame, "sky, tree")
        expect(frame.locator("#canvas .entry bdi").first).to_have_text("sky")
    expect(frame.locator("#typed")).to_have_value("sky, tree")


def test_shared_photo(flower: Page, visitor: Visit, url: str) -> None:
    """A link includes the photo only if its owner chose so, and never the next photo; once the
    server has lost it, a sentence says so."""
    mine = own(flower)
    turn_to(flower, "How it works")
    turn_to(flower, "Share")
    link, whole = flower.locator("#link"), flower.get_by_role("button", name="with my photo")
    expect(link).to_have_value(re.compile("example=own"))
    whole.click()
    expect(link).to_have_value(re.compile(f"photo={mine}"))
    stranger = visitor(photo=mine)
    assert f"photo={mine}" in stranger.url
    expect(legend(stranger).first).to_have_text("dog")
    turn_to(flower, "Segment")
    own(flower, 208)
    turn_to(flower, "Share")
    expect(link).to_have_value(re.compile("example=own"))
    turn_to(flower, "Segment")
    after(flower, flower.locator("#samples button").first.click)
    turn_to(flower, "Share")
    expect(whole).to_be_hidden()
    stranger.goto(f"{url}/?photo={'0' * 32}")
    expect(stranger.locator("#canvas .empty")).to_contain_text("this one is gone")


@pytest.mark.long
def test_lesson_lends_the_page(flower: Page) -> None:
    """Steps appear one by one after each guess; a step that was shown returns to the lesson, and to
    the photo, words and switches, even after a reload."""
    own(flower)
    after(flower, lambda: type_words(flower, "dog, sky"))
    switch(flower, "AMF").click()
    before, line = seen(flower), flower.locator("#lesson")
    expect(line).to_be_hidden()
    turn_to(flower, "Learn")
    cards = flower.locator("#learn .card:visible")
    expect(cards).to_have_count(1)
    for step in (1, 2):
        card = flower.locator("#learn .card").nth(step - 1)
        card.get_by_label("The mask gets better").check()
        expect(card.get_by_text("goes from")).to_be_visible()
        expect(cards).to_have_count(step + 1)
        card.get_by_role("button", name="Try it on the photo").click()
        expect(line).to_have_text(f"Lesson, step {step} · back to the lesson · back to my photo")
        expect(flower.locator("#canvas")).to_be_in_viewport()
        settled(flower)
        expect(flower).to_have_url(re.compile("example=teddy-part"))
        if step == 1:
            line.get_by_role("button", name="back to the lesson").click()
    flower.reload()
    settled(flower)
    expect(line).to_contain_text("step 2")
    line.get_by_role("button", name="back to my photo").click()
    assert seen(flower) == before
    expect(line).to_be_hidden()
    after(flower, flower.locator("#samples button").first.click)
    flower.get_by_role("button", name="Back to my photo").click()
    assert seen(flower)[0] == before[0]
    turn_to(flower, "Learn")
    expect(cards).to_have_count(3)  # with the answers from before the reload
    expect(cards.nth(1).get_by_label("The mask gets better")).to_be_checked()
