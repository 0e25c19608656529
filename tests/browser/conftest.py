"""The real page in Debian's Chromium, shared by the tests of what a person sees."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from mimetypes import guess_type
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, FrameLocator, Locator, Page, Request, expect

from gclip_core import assets
from tests.browser import CHROMIUM, chromium
from tests.demo.visitor import serving
from tests.pictures import encoded

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TABS = ("Segment", "How it works", "Compare", "Learn", "Share")
FLOWER = {"example": "flower", "words": "flower, plant"}
OPTIONS = {"has_touch": True, "reduced_motion": "reduce"}
WAIT = 60_000
SETTLED = """([part, before]) => document.body.dataset.phase === "idle"
    && document.getElementById(part).dataset.answers !== before
    && ![...document.querySelectorAll(".stale, .coming, [data-shows=photo], [data-shows=next]")]
        .some((one) => one.checkVisibility())"""
FORGET = """() => {
    sessionStorage.clear()
    localStorage.clear()
    return new Promise((done) => { indexedDB.deleteDatabase("gclip").onsuccess = () => done() })
}"""

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="package")
def url(base_url: str) -> Iterator[str]:
    """A fresh page, or the one at ``--base-url``. It ends as it should: nothing is left of it."""
    if base_url:
        yield base_url
        return
    with serving("--quiet") as server:
        yield server.url
        server.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Of this folder only: in its process, no event loop can run."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def first(browser: Browser) -> Page:
    """The tab of each test's first visitor: in a new browser, every script is compiled again."""
    return browser.new_context(**OPTIONS).new_page()


Visit = Callable[..., Page]


@pytest.fixture
def sent() -> list[Request]:
    """The requests that the visitors' browsers have sent, in order."""
    return []


@pytest.fixture
def visitor(browser: Browser, url: str, first: Page, sent: list[Request]) -> Iterator[Visit]:
    """Opens a link in a browser that knows nothing yet, and waits for the answer.

    An error of a script fails the test, and so does a request to another host.
    """
    errors, hosts, free = [], ["data:", "blob:", f"{url}/"], [first]

    def visit(
        size: dict[str, int] = DESKTOP, at: str = url, script: str = "", **query: Any
    ) -> Page:
        if "example" in query:  # a smaller photo is faster, and the page is the same
            query = {"short_side": 160, "refine": "none"} | query
        if free and at == url and not script:
            page = free.pop()
            ends.callback(forget, page, url)
        else:
            page = ends.enter_context(browser.new_context(**OPTIONS)).new_page()
            page.add_init_script(script)
        for event, heard in (("request", sent), ("weberror", errors)):
            listen = lambda one, heard=heard: heard.append(one)  # noqa: E731
            page.context.on(event, listen)
            ends.callback(page.context.remove_listener, event, listen)
        hosts.append(f"{at}/")
        page.set_viewport_size(size)
        page.set_default_timeout(WAIT)
        page.goto(f"{at}/?{urlencode(query)}")
        settled(page)
        return page

    with ExitStack() as ends:
        yield visit
    assert not [error.error for error in errors]
    joins = [request.url for request in sent if "/queue/join" in request.url]
    assert not [url for url in joins if "=" in re.sub(r"__\w+=", "", url)], "words in a proxy's log"
    assert not [request.url for request in sent if not request.url.startswith(tuple(hosts))]


def forget(page: Page, url: str) -> None:
    """Makes the tab a new visitor's."""
    for other in page.context.pages[1:]:
        other.close()
    page.unroute_all()
    page.goto(f"{url}/health")
    page.evaluate(FORGET)


@pytest.fixture
def flower(visitor: Visit) -> Page:
    return visitor(**FLOWER)


def settled(page: Page, part: str = "canvas", before: str | None = None) -> None:
    """Waits until the open tab shows the answer to the page's address."""
    page.wait_for_function(SETTLED, arg=[part, before])


def after(page: Page, act: Callable[[], Any], part: str = "canvas") -> None:
    """Does something, and waits for its answer, which the part counts that draws it."""
    before = page.locator(f"#{part}").get_attribute("data-answers")
    act()
    settled(page, part, before)


@contextmanager
def offline(page: Page, sent: list[Request]) -> Iterator[None]:
    """Without the network, once the page has what a press may show next."""
    waits = 3
    while waits:
        page.wait_for_timeout(100)
        open_ = ["queue/data" in one.url and one.timing["responseEnd"] < 0 for one in sent]
        waits = 3 if any(open_) else waits - 1
    page.context.set_offline(True)
    yield
    page.context.set_offline(False)


def legend(page: Page) -> Locator:
    """The words in the legend; the last is the background."""
    return page.locator("#canvas .entry bdi")


def share(page: Page, word: str) -> float:
    """Per cent of the photo, as shown in the legend."""
    entry = page.locator("#canvas .entry", has=page.get_by_text(word, exact=True))
    return float(entry.locator("b").inner_text().removesuffix("%"))


def drawn(canvas: Locator) -> str:
    """Its pixels, in the next frame."""
    return canvas.evaluate(
        "canvas => new Promise(requestAnimationFrame).then(() => canvas.toDataURL())"
    )


def focused(page: Page, part: str = "#canvas .stage") -> list[int]:
    """Row and column of the patch in focus, and the size of the grid."""
    maps = page.locator(part)
    expect(maps).to_have_attribute("style", re.compile("--row:"))
    style = maps.get_attribute("style") or ""
    names = ("row", "column", "rows", "columns")
    return [int(found(rf"--{name}: (\d+)", style)) for name in names]


def found(pattern: str, text: str) -> str:
    """The group of a pattern in a text."""
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def switch(page: Page, idea: str, part: str = "canvas") -> Locator:
    """The AMF or CS switch at a mask."""
    return page.locator(f"#{part}").get_by_role("switch", name=idea)


def words(page: Page | FrameLocator) -> Locator:
    """The box of words."""
    return page.locator("#typed")


def type_words(page: Page | FrameLocator, text: str) -> None:
    words(page).fill(text)
    words(page).press("Enter")


def give(page: Page, data: bytes, name: str = "photo.png") -> None:
    """Uploads a file in place of the photo."""
    file = {"name": name, "mimeType": guess_type(name)[0] or "", "buffer": data}
    page.locator("#photo input[type=file]").set_input_files(file)


def saved(page: Page, button: str) -> Download:
    """The file that a press of a button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return download.value


def picture(width: int = 240) -> Image.Image:
    """A small copy of the dog that ships, which the page does not recognise."""
    image = Image.open(assets.path("photos", "dog.jpg")).convert("RGB")
    return image.resize((width, width * image.height // image.width))


def own(page: Page, width: int = 240) -> str:
    """Uploads a photo, waits for its mask, and returns its name on the server."""
    after(page, lambda: give(page, encoded(picture(width), "PNG")))
    return found(r"photo=(\w+)", page.url)


def turn_to(page: Page, tab: str) -> None:
    """Opens a tab and waits for what it shows."""
    page.get_by_role("tab", name=tab, exact=True).click()
    settled(page)
