"""The real page in Debian's Chromium, shared by the tests of what a person sees."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, expect

from gclip_core import assets
from tests.browser import CHROMIUM, chromium
from tests.demo.visitor import serving

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TABS = ("Segment", "How it works", "Compare", "Learn", "Share")
FLOWER = {"example": "flower", "words": "flower, plant"}
TWO_FRAMES = "async () => { for (const _ of [1, 2]) await new Promise(requestAnimationFrame) }"
BACK = """link => {
    history.replaceState(null, "", link)
    dispatchEvent(new PopStateEvent("popstate"))
}"""
"""Show a link as Back does."""
CLEAR = """() => {
    document.dispatchEvent(new CustomEvent("lesson", {detail: {isSwipe: false}}))
    document.querySelectorAll(".toast-close").forEach(close => close.click())
}"""
"""End Swipe, and close messages."""
WAIT = 90_000

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="package")
def url(base_url: str) -> Iterator[str]:
    """A fresh page, or the one at ``--base-url``. It ends as it should: nothing is left of it."""
    if base_url:
        yield base_url
        return
    with serving("--quiet") as server:
        environment = Path(f"/proc/{server.process.pid}/environ").read_bytes()
        assert b"MALLOC_ARENA_MAX=2" in environment.split(b"\0"), "set before the process starts"
        yield server.url
        server.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Of this folder only: in its process, no event loop can run."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with chromium() as browser:
        yield browser


@contextmanager
def watched(page: Page) -> Iterator[Page]:
    """A tab in which a script error fails the test."""
    errors = list[str]()

    def note(event: Error | ConsoleMessage) -> None:
        # Gradio catches errors in a component's script and prints them
        text = event.text if isinstance(event, ConsoleMessage) else str(event)
        if isinstance(event, Error) or "js_on_load" in text or "watch callback" in text:
            errors.append(text)

    for kind in ("pageerror", "console"):
        page.on(kind, note)
    yield page
    for kind in ("pageerror", "console"):
        page.remove_listener(kind, note)
    assert not errors


def load(page: Page, link: str) -> Page:
    """Follows a link and waits for its answer, after which the page's address describes it."""
    page.set_default_timeout(WAIT)
    page.goto(link)
    expect(page.locator("[data-answers]").first).to_be_visible()  # of the tab that it opens
    is_settled(page)
    expect(page).to_have_url(re.compile("backbone="))
    return page


def is_settled(page: Page) -> None:
    """Waits for the answer to an address."""
    page.wait_for_function("() => history.state?.isAnswered", polling=50)
    expect(page.locator(".pending, .stale")).to_have_count(0)


@dataclass
class Tab:
    """The tab that most tests use. It loads the page once: Gradio's scripts take seconds."""

    page: Page
    url: str
    shown: tuple[str, str] = "", ""
    """The last link, and the address of its answer."""

    def open(self, size: dict[str, int] = DESKTOP, says: str = "", **query: Any) -> Page:
        """Shows a link, as Back does in a page that is already there. A message that it ``says``
        is read before the answer is complete: on a busy machine it may be gone then."""
        page = self.page
        page.mouse.move(1, 1)
        page.set_viewport_size(size)
        if "example" in query:  # a smaller photo is faster, and the page is the same
            query = {"short_side": 160, "refine": "none"} | query
        link = f"{self.url}/?{urlencode(query)}"
        if not page.url.startswith(self.url):
            load(page, link)
        else:
            page.evaluate(CLEAR)
            if self.shown != (link, page.url):  # otherwise, the last test left it as it was
                page.evaluate(BACK, link)
            if says:
                expect(page.locator(".toast-body")).to_contain_text(says)
            is_settled(page)
        expect(page.locator("#canvas .loading")).to_have_count(0)
        if "patch" not in query and page.locator("#canvas .why").is_visible():
            page.locator("#canvas .pad").press("Escape")
            expect(page.locator("#canvas .why")).to_be_hidden()
        self.shown = link, page.url
        return page


@pytest.fixture(scope="package")
def tab(browser: Browser, url: str) -> Iterator[Tab]:
    options = {"has_touch": True, "reduced_motion": "reduce"}
    with browser.new_context(**options) as context, context.new_page() as page:
        yield Tab(page, url)


@pytest.fixture
def visitor(tab: Tab, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a link: ``Tab.open``. A failed test leaves a working tab to the others."""
    failed = request.session.testsfailed
    try:
        with watched(tab.page):
            yield tab.open
    finally:
        tab.page.context.set_offline(False)
        tab.page.unroute_all()
        if request.session.testsfailed > failed:
            tab.page.goto("about:blank")


@pytest.fixture
def flower(visitor: Callable[..., Page]) -> Page:
    return visitor(**FLOWER)


def answers(page: Page, part: str = "canvas") -> Locator:
    """The component that draws, which counts its answers in ``data-answers``."""
    return page.locator(f"#{part} [data-answers]")


def after(page: Page, act: Callable[[], Any], part: str = "canvas") -> None:
    """Does something, and waits for its answer."""
    before = answers(page, part).get_attribute("data-answers")
    act()
    expect(answers(page, part)).not_to_have_attribute("data-answers", before or "")
    expect(page.locator(".pending, .stale")).to_have_count(0)


def legend(page: Page) -> Locator:
    """The words in the legend; the last is the background."""
    return page.locator("#canvas .entry bdi")


def share(page: Page, word: str) -> float:
    """Per cent of the photo, as shown in the legend."""
    entry = page.locator("#canvas .entry", has=page.get_by_text(word, exact=True))
    return float(entry.locator("b").inner_text().removesuffix("%"))


def focused(page: Page) -> list[int]:
    """Row and column of the patch in focus, and the size of the grid."""
    stage = page.locator("#canvas .stage")
    expect(stage).to_have_attribute("style", re.compile("--row:"))
    style = stage.get_attribute("style") or ""
    names = ("row", "column", "rows", "columns")
    return [int(re.search(rf"--{name}: (\d+)", style)[1]) for name in names]


def switch(page: Page, idea: str, part: str = "canvas") -> Locator:
    """The AMF or CS switch at a mask."""
    return page.locator(f"#{part}").get_by_role("switch", name=idea)


def type_words(page: Page, words: str) -> None:
    page.locator("#words textarea").fill(words)
    page.locator("#words textarea").press("Enter")


def give(page: Page, data: bytes, name: str = "photo.png") -> None:
    """Uploads a file in place of the photo."""
    file = {"name": name, "mimeType": guess_type(name)[0], "buffer": data}
    page.locator("#photo input[type=file]").set_input_files(file)


def picture(name: str = "dog", width: int = 240) -> Image.Image:
    """A small copy of a photo that ships, which the page does not recognise."""
    image = Image.open(assets.path("photos", f"{name}.jpg")).convert("RGB")
    return image.resize((width, width * image.height // image.width))


def turn_to(page: Page, tab: str) -> None:
    """Opens a tab; on a narrow screen, from the menu of hidden tabs."""
    own = page.get_by_role("tab", name=tab, exact=True).and_(page.locator(":visible"))
    menu = page.locator(".overflow-menu > button:visible")
    page.evaluate(TWO_FRAMES)  # after a resize, tabs move into the menu and out of it
    expect(own.or_(menu).first).to_be_visible()
    if not own.count():
        menu.click()
        own = page.locator(".overflow-dropdown button", has_text=tab)
    own.first.click()
    shown = {
        "Segment": "#norms img",
        "How it works": "#diagram .drawn",
        "Compare": "#masks button",
        "Learn": "#lesson-patches img",
        "Share": "#link textarea",
    }
    expect(page.locator(shown[tab]).first).to_be_visible()
    expect(page.locator(".pending, .stale")).to_have_count(0)
