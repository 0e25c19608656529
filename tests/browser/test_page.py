"""The page around the canvas: words, links, errors, a lost connection."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    after,
    answers,
    focused,
    give,
    legend,
    picture,
    switch,
    turn_to,
    type_words,
)
from tests.pictures import encoded


def test_pin(visitor: Callable[..., Page]) -> None:
    """A patch pinned on one tab is pinned on the others, until the photo changes.

    A tab that still shows the previous photo may have fewer patches.
    """
    page = visitor(example="astronaut", words="face, flag")
    page.locator("#canvas .pad").click(position={"x": 100, "y": 60})
    expect(page.locator("#canvas .why")).to_be_visible()
    row, column, rows, columns = focused(page)
    expect(page).to_have_url(re.compile(rf"patch=\w+\.{row * columns + column + 1}\b"))
    turn_to(page, "How it works")
    expect(page.locator("#diagram .size")).to_contain_text(f"{columns} × {rows}")
    spot = page.locator("#diagram .flow").get_attribute("style")
    x, y = (float(re.search(rf"--{name}: ([\d.]+)", spot)[1]) for name in "xy")
    assert (round(x * columns), round(y * rows)) == (column, row)
    page.locator("#diagram .large").click(position={"x": 120, "y": 20})
    turn_to(page, "Segment")
    assert focused(page)[:2] != [row, column]
    after(page, page.locator("#samples button").first.click)
    expect(page.locator("#canvas .why")).to_be_hidden()
    pad = page.locator("#canvas .pad")
    box = pad.bounding_box() or {}
    pad.click(position={"x": box["width"] - 5, "y": box["height"] - 5})
    expect(page.locator("#canvas .why")).to_be_visible()
    row, column, rows, columns = focused(page)
    assert (row, column) == (rows - 1, columns - 1)
    expect(page).to_have_url(re.compile(rf"patch=\w+\.{rows * columns}\b"))


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


def test_link(visitor: Callable[..., Page]) -> None:
    """A link restores every setting to the last digit, and the page gives the same link. Words are
    treated as text, whatever they contain. What cannot be used is ignored, and the page says so."""
    page = visitor(says="<b>planted</b>, cs", **LINK, cs="perhaps", **{"<b>planted</b>": 7})
    expect(legend(page)).to_have_text([*LINK["words"].split(", "), "background"])
    expect(switch(page, "AMF")).to_have_attribute("aria-checked", "false")
    turn_to(page, "How it works")
    expect(page.locator("#diagram .number")).to_have_text("3")
    turn_to(page, "Share")
    expect(page.locator("#link textarea")).to_have_value(re.compile("^http"))
    link = parse_qs(page.locator("#link textarea").input_value().split("?")[1])
    assert {name: values[0] for name, values in link.items()} == (
        LINK | {"backbone": "built-in", "tab": "how"}
    )
    assert page.title() == "GCLIP"
    assert page.locator("img[src=x]").count() == 0


def test_downloads(flower: Page) -> None:
    """Downloads have readable names; the link is copied even without access to the clipboard."""
    turn_to(flower, "Share")
    for button, end in (("Mask (indexed PNG)", ".png"), ("Cut-outs (zip)", ".zip")):
        with flower.expect_download() as download:
            flower.get_by_role("button", name=button).click()
        assert download.value.suggested_filename.endswith(end)
    flower.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error()) }")
    flower.get_by_role("button", name="Copy the link").click()
    expect(flower.get_by_role("button", name="Copied")).to_be_visible()


@pytest.mark.long
def test_lost_connection(flower: Page) -> None:
    """After a lost connection the page recovers by itself, with the words that were typed."""
    after(flower, lambda: type_words(flower, "flower, sky"))
    flower.context.set_offline(True)
    switch(flower, "AMF").click()
    expect(flower.locator(".toast-body").first).to_be_visible()
    flower.context.set_offline(False)
    expect(switch(flower, "AMF")).to_have_attribute("aria-checked", "true")
    expect(legend(flower)).to_have_text(["flower", "sky", "background"])
    after(flower, switch(flower, "AMF").click)
    expect(flower).to_have_url(re.compile("amf=0"))


def test_compare(flower: Page) -> None:
    """Every method has a mask and a row; a press compares a mask with GCLIP's, whose patches have
    scores; the same press closes it."""
    turn_to(flower, "Compare")
    masks = flower.locator("#masks button")
    expect(flower.get_by_role("row")).to_have_count(1 + masks.count())
    masks.nth(1).click()
    expect(answers(flower, "large")).to_be_in_viewport()
    expect(flower.locator("#large .split")).to_be_visible()
    expect(masks.nth(1)).to_have_attribute("aria-pressed", "true")
    gclip = flower.locator("#large .views button").first
    expect(gclip).to_contain_text("GCLIP")
    gclip.click()
    flower.locator("#large .pad").click()
    expect(flower.locator("#large .why")).to_be_visible()
    after(flower, masks.nth(2).click, "large")
    expect(flower.locator("#large .split")).to_be_visible()
    masks.nth(2).click()
    expect(flower.locator("#large")).to_be_hidden()


def test_quick_chips(flower: Page) -> None:
    """Two words pressed at once are both added."""
    after(flower, lambda: type_words(flower, "grass"))
    chips = flower.locator("#chips button", has_text="+ ")
    expect(chips.nth(1)).to_be_visible()
    press = "chips => chips.slice(0, 2).map((chip) => (chip.click(), chip.innerText))"
    words = ["grass", *(text.removeprefix("+ ") for text in chips.evaluate_all(press))]
    expect(flower.locator("#words textarea")).to_have_value(", ".join(words))
    expect(legend(flower)).to_have_text([*words, "background"])


def test_words(flower: Page) -> None:
    """A new photo has its own words; typed words are one chip away.

    An example is a button with a name that the keyboard can reach and press.
    """
    first, second = flower.locator("#samples button").all()[1:3]
    words = flower.locator("#words textarea")
    assert first.get_by_role("img").get_attribute("alt")
    type_words(flower, "")
    expect(words).not_to_have_value("")
    before = words.input_value()
    first.focus()
    after(flower, lambda: flower.keyboard.press("Enter"))
    expect(words).not_to_have_value(before)
    after(flower, lambda: type_words(flower, "cat, wall"))
    first.focus()
    flower.keyboard.press("Tab")
    expect(second).to_be_focused()
    after(flower, lambda: flower.keyboard.press("Enter"))
    expect(second).to_be_focused()
    expect(words).not_to_have_value("cat, wall")
    after(flower, flower.get_by_role("button", name="↺ cat, wall").click)
    expect(words).to_have_value("cat, wall")
    expect(legend(flower)).to_have_text(["cat", "wall", "background"])


def test_refused_input(flower: Page) -> None:
    """A file that is not an image gets an error message, and so do 201 classes, which stay in the
    field; the next photo and fewer words work."""
    before = legend(flower).all_inner_texts()
    give(flower, b"no picture", "photo.png")
    expect(flower.locator(".toast-body")).to_contain_text("image")
    expect(legend(flower)).to_have_text(before)
    expect(flower.locator(".pending, .uploading")).to_have_count(0)
    flower.locator(".toast-close").click()
    expect(flower.locator(".toast-body")).to_have_count(0)
    give(flower, b"no picture", "notes.txt")
    expect(flower.get_by_role("alert")).to_contain_text("notes.txt is not a photo")
    expect(legend(flower)).to_have_text(before)
    after(flower, flower.locator("#samples button").nth(1).click)
    words, before = ", ".join(f"word {i}" for i in range(201)), legend(flower).all_inner_texts()
    type_words(flower, words)
    expect(flower.locator(".toast-body")).to_contain_text("200 classes")
    expect(flower.locator("#words textarea")).to_have_value(words)
    expect(legend(flower)).to_have_text(before)
    after(flower, lambda: type_words(flower, "flower"))
    expect(legend(flower)).to_have_text(["flower", "background"])


def test_words_typed_meanwhile(flower: Page) -> None:
    """A press beside the photo chooses another. Words sent before its answer are not replaced by
    suggested ones."""
    box = flower.locator("#words textarea")
    with flower.expect_file_chooser() as chooser:
        flower.locator("#photo").click(position={"x": 6, "y": 60})
    data = encoded(picture(), "JPEG")
    chooser.value.set_files({"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": data})
    box.fill("zebra, dog")
    box.press("Enter")
    expect(legend(flower)).to_have_text(["zebra", "dog", "background"])
    expect(box).to_have_value("zebra, dog")
    with flower.expect_file_chooser():
        flower.get_by_role("button", name="Upload file").click()
    expect(flower.locator("#photo img")).to_be_visible()
