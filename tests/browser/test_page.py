"""The page around the canvas: words, links, errors, other visitors, a lost connection."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import (
    FLOWER,
    after,
    answers,
    encoded,
    give,
    legend,
    opened,
    picture,
    turn_to,
    type_words,
)

HOSTILE = ("${7*7}", "{{x}}", '<img src=x onerror="document.title=1">', "שלום", "🐶", "a;b`c")


def test_words(visitor: Callable[..., Page]) -> None:
    """Words that a person typed stay with the next photo; those of the page are chosen anew.

    An example is a button with a name, reached and pressed by keys.
    """
    page = visitor(example="flower")
    first, second = page.locator("#samples button").all()[:2]
    assert first.get_by_role("img").get_attribute("alt")
    before = page.locator("#words textarea").input_value()
    first.focus()
    after(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator("#words textarea")).not_to_have_value(before)
    after(page, lambda: type_words(page, "cat, wall"))
    first.focus()
    page.keyboard.press("Tab")
    expect(second).to_be_focused()
    after(page, lambda: page.keyboard.press("Enter"))
    expect(second).to_be_focused()
    expect(page.locator("#words textarea")).to_have_value("cat, wall")
    expect(legend(page)).to_have_text(["cat", "wall", "background"])


def test_quick_chips(visitor: Callable[..., Page]) -> None:
    """Two words that are pressed at once are both added."""
    page = visitor(example="dog", words="grass")
    chips = page.locator("#chips button", has_text="+ ")
    expect(chips.nth(1)).to_be_visible()
    words = ", ".join(["grass", *(text.removeprefix("+ ") for text in chips.all_inner_texts()[:2])])
    chips.evaluate_all("chips => chips.slice(0, 2).forEach((chip) => chip.click())")
    expect(page.locator("#words textarea")).to_have_value(words)
    expect(legend(page)).to_have_text([*words.split(", "), "background"])


def test_pin(visitor: Callable[..., Page]) -> None:
    """A patch that is pinned on one tab is pinned on the others, until there is another photo; the
    tabs that still have the photo before may have fewer patches."""
    page = visitor(example="astronaut", words="face, flag")

    def pinned() -> list[int]:
        style = page.locator("#canvas .stage").get_attribute("style")
        return [
            int(re.search(rf"--{name}: (\d+)", style)[1])
            for name in ("row", "column", "rows", "columns")
        ]

    page.locator("#canvas .pad").click(position={"x": 100, "y": 60})
    expect(page.locator("#canvas .why")).to_be_visible()
    row, column, rows, columns = pinned()
    expect(page).to_have_url(re.compile(f"patch={row * columns + column + 1}"))
    turn_to(page, "How it works")
    spot = page.locator("#diagram .flow").get_attribute("style")
    x, y = (float(re.search(rf"--{name}: ([\d.]+)", spot)[1]) for name in "xy")
    assert (round(x * columns), round(y * rows)) == (column, row)
    page.locator("#diagram .large").click(position={"x": 120, "y": 20})
    turn_to(page, "Segment")
    assert pinned()[:2] != [row, column]
    turn_to(page, "Compare")
    page.locator("#masks button").nth(1).click()
    expect(page.locator("#large .why")).to_be_visible()
    after(page, page.locator("#samples button").first.click, "large")
    expect(page.locator("#large .why")).to_be_hidden()
    box = page.locator("#large .pad").bounding_box() or {}
    page.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    expect(page).to_have_url(re.compile("patch=600"))
    turn_to(page, "Segment")
    last = re.compile("--row: 19; --column: 29; --rows: 20; --columns: 30")
    expect(page.locator("#canvas .stage")).to_have_attribute("style", last)


def test_hostile_words(visitor: Callable[..., Page]) -> None:
    """Words are text, whatever is in them, on every tab."""
    desktop = visitor(example="flower", words="flower", nearest=0)
    title = desktop.title()
    words = [word for word in HOSTILE if ";" not in word]
    after(desktop, lambda: type_words(desktop, ", ".join(HOSTILE)))
    expect(legend(desktop)).to_have_count(len(HOSTILE) + 1)
    assert set(words) <= set(legend(desktop).all_inner_texts())
    desktop.locator("#canvas .pad").click()
    expect(desktop.locator("#canvas .why")).to_be_visible()
    for tab in ("How it works", "Compare", "Share"):
        turn_to(desktop, tab)
    assert desktop.title() == title
    assert desktop.locator("img[src=x]").count() == 0


def test_quick_toggles(desktop: Page) -> None:
    """After nine quick presses of a switch the page shows its last state."""
    for _ in range(9):
        desktop.locator("#amf input").click()
    expect(desktop.locator("#amf input")).not_to_be_checked()
    pressed = desktop.locator("#canvas .views button[aria-pressed=true]")
    expect(pressed).to_have_text("Without AMF")
    expect(desktop.locator(".pending")).to_have_count(0)
    expect(pressed).to_have_text("Without AMF")
    turn_to(desktop, "Share")
    expect(desktop.locator("#link textarea")).to_have_value(re.compile("amf=0"))


def test_bad_photo(desktop: Page) -> None:
    """A file that is no picture, or ends early, meets a sentence; the next photo works."""
    cut_short = encoded(picture(), "JPEG")[:2000]
    files = (("photo.png", b"no picture"), ("photo.jpeg", cut_short))
    for (name, data), example in zip(files, desktop.locator("#samples button").all(), strict=False):
        give(desktop, data, name)
        expect(desktop.locator(".toast-body")).to_contain_text("image")
        expect(legend(desktop)).to_have_text(["flower", "plant", "background"])
        expect(desktop.locator(".pending")).to_have_count(0)
        desktop.locator(".toast-close").click()
        expect(desktop.locator(".toast-body")).to_have_count(0)
        after(desktop, example.click)


def test_too_many_words(shared: Page) -> None:
    """201 classes meet a sentence, what was typed stays, and fewer words work."""
    words = ", ".join(f"word {i}" for i in range(201))
    type_words(shared, words)
    expect(shared.locator(".toast-body")).to_contain_text("200 classes")
    expect(shared.locator("#words textarea")).to_have_value(words)
    expect(legend(shared)).to_have_text(["flower", "plant", "background"])
    after(shared, lambda: type_words(shared, "flower"))
    expect(legend(shared)).to_have_text(["flower", "background"])


LINK = {
    "example": "coffee",
    "words": "cup, table",
    "amf": "0",
    "background": "0",
    "edges": "none",
    "threshold": "0.25",
    "scale": "33.3333333",
    "block": "3",
    "head": "2",
    "patch": "40",
}


def test_link(visitor: Callable[..., Page]) -> None:
    """A link brings back every setting to the last digit, and the page gives the same link."""
    page = visitor(**LINK)
    expect(legend(page)).to_have_text(["cup", "table", "background"])
    expect(page.locator("#amf input")).not_to_be_checked()
    expect(page.locator("#canvas .why")).to_be_visible()
    turn_to(page, "How it works")
    expect(page.locator("#diagram .number")).to_have_text("3")
    turn_to(page, "Share")
    expect(page.locator("#link textarea")).to_have_value(re.compile("^http"))
    link = parse_qs(page.locator("#link textarea").input_value().split("?")[1])
    assert {name: values[0] for name, values in link.items()} == LINK | {"backbone": "built-in"}


def test_unusable_link(visitor: Callable[..., Page]) -> None:
    """What a link has that cannot be used is left out, and the page says so."""
    page = visitor(amf="perhaps", planted=7, block=99, example="flower", words="flower")
    expect(page.locator(".toast-body")).to_contain_text("planted")
    expect(legend(page)).to_have_text(["flower", "background"])


def test_two_visitors(visitor: Callable[..., Page]) -> None:
    """Two visitors who ask at once see their own answers."""
    pages = [visitor(example=name, words=name) for name in ("flower", "dog")]
    for page, words in zip(pages, ("plant, sky", "person, grass"), strict=True):
        type_words(page, words)
    for page, words in zip(pages, ("plant, sky", "person, grass"), strict=True):
        expect(legend(page)).to_have_text([*words.split(", "), "background"])
        expect(page.locator("#words textarea")).to_have_value(words)


def test_lost_connection(browser: Browser, url: str) -> None:
    """After a lost connection the page comes back by itself, with the words that were typed."""
    with browser.new_context() as context, opened(context, url, **FLOWER) as page:
        after(page, lambda: type_words(page, "flower, sky"))
        context.set_offline(True)
        page.locator("#amf input").uncheck()
        expect(page.locator(".toast-body").first).to_be_visible()
        context.set_offline(False)
        expect(page.locator("#amf input")).to_be_checked()
        expect(legend(page)).to_have_text(["flower", "sky", "background"])
        after(page, lambda: page.locator("#amf input").uncheck())
        without = page.locator("#canvas .views button").first
        expect(without).to_have_attribute("aria-pressed", "true")


def test_compare(shared: Page) -> None:
    """Every method has a mask and a row; a mask that is pressed is large beside GCLIP's."""
    turn_to(shared, "Compare")
    masks = shared.locator("#masks button")
    expect(shared.get_by_role("row")).to_have_count(1 + masks.count())
    masks.nth(1).click()
    expect(answers(shared, "large")).to_be_visible()
    expect(shared.locator("#large .views button").first).to_contain_text("GCLIP")
    expect(masks.nth(1)).to_have_attribute("aria-pressed", "true")
    gclip, other = shared.locator("#large .views button").all()[:2]
    gclip.click()
    after(shared, masks.nth(2).click, "large")
    expect(other).to_have_attribute("aria-pressed", "true")


def test_learn(shared: Page) -> None:
    """A guess is answered with the masks before and after; the page then shows the step itself."""
    turn_to(shared, "Learn")
    card = shared.locator("#learn .card").nth(1)
    card.get_by_label("The mask gets better").check()
    expect(card.get_by_text("mIoU goes from")).to_be_visible()
    card.get_by_role("button", name="Show me").click()
    expect(shared.locator("#canvas .stage")).to_be_visible()
    expect(shared.locator("#canvas .views button").nth(1)).to_have_text("With AMF")


def test_downloads(shared: Page) -> None:
    """Share's files come with names that a person can use; the link is copied also where a page has
    no right to the clipboard."""
    turn_to(shared, "Share")
    for button, end in (("Mask (indexed PNG)", ".png"), ("Cut-outs (zip)", ".zip")):
        with shared.expect_download() as download:
            shared.get_by_role("button", name=button).click()
        assert download.value.suggested_filename.endswith(end)
    shared.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error()) }")
    shared.get_by_role("button", name="Copy the link").click()
    expect(shared.get_by_role("button", name="Copied")).to_be_visible()
