"""The real page in Debian's Chromium, shared by the tests of what a person sees."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from mimetypes import guess_type
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, FrameLocator, Locator, Page, Request, WebError, expect

from gclip_core import assets
from tests.browser import CHROMIUM, chromium
from tests.demo.visitor import serving

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TABS = ("Segment", "How it works", "Compare", "Learn", "Share")
DRAWN = {
    "segment": "#canvas[data-answers]",
    "how": "#diagram[data-answers]",
    "compare": "#masks button",
    "learn": "#learn .card img",
    "share": "#python:not(.stale)",
}
"""What a tab shows when it has its answer."""
FLOWER = {"example": "flower", "words": "flower, plant"}
WAIT = 90_000

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


Visit = Callable[..., Page]


@pytest.fixture
def sent() -> list[Request]:
    """The requests that the visitors' browsers have sent, in order."""
    return []


@pytest.fixture
def visitor(browser: Browser, url: str, sent: list[Request]) -> Iterator[Visit]:
    """Opens a link in a browser that knows nothing yet, and waits for the answer.

    An error of a script fails the test, and so does a request to another host.
    """
    errors, hosts = list[WebError](), ["data:", "blob:"]

    def visit(
        size: dict[str, int] = DESKTOP, at: str = url, script: str = "", **query: Any
    ) -> Page:
        if "example" in query:  # a smaller photo is faster, and the page is the same
            query = {"short_side": 160, "refine": "none"} | query
        options = {"has_touch": True, "reduced_motion": "reduce", "viewport": size}
        context = browsers.enter_context(browser.new_context(**options))
        context.add_init_script(script)
        context.on("request", lambda request: sent.append(request))
        context.on("weberror", lambda error: errors.append(error))
        hosts.append(f"{at}/")
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(f"{at}/?{urlencode(query)}")
        settled(page)
        return page

    with ExitStack() as browsers:
        yield visit
    assert not [error.error for error in errors]
    joins = [request.url for request in sent if "/queue/join" in request.url]
    assert not [url for url in joins if "=" in re.sub(r"__\w+=", "", url)], "words in a proxy's log"
    assert not [request.url for request in sent if not request.url.startswith(tuple(hosts))]


@pytest.fixture
def flower(visitor: Visit) -> Page:
    return visitor(**FLOWER)


def settled(page: Page) -> None:
    """Waits until the open tab shows the answer to the page's address."""
    expect(page.locator("body")).to_have_attribute("data-phase", "idle")
    expect(page.locator(":is(.stale, .coming):visible")).to_have_count(0)
    tab = page.locator("body").get_attribute("data-tab") or ""
    expect(page.locator(f"{DRAWN[tab]}, .blank").first).to_be_attached()


def answers(page: Page, part: str = "canvas") -> Locator:
    """The part that draws, which counts its answers in ``data-answers``."""
    return page.locator(f"#{part}[data-answers]")


def after(page: Page, act: Callable[[], Any], part: str = "canvas") -> None:
    """Does something, and waits for its answer."""
    before = answers(page, part).get_attribute("data-answers")
    act()
    expect(answers(page, part)).not_to_have_attribute("data-answers", before or "")
    settled(page)


@contextmanager
def silent(page: Page, sent: list[Request]) -> Iterator[None]:
    """Fails if the page sends a request meanwhile, when it has what a press may show next."""

    def rest(count: int = -1) -> int:
        while count < len(sent) or any(is_open(request) for request in sent):
            count = len(sent)
            page.wait_for_timeout(500)
        return count

    before = rest()
    yield
    new = sent[before : rest()]
    assert not [request.url for request in new if request.url.startswith("http")]


def is_open(request: Request) -> bool:
    """Whether an answer is on its way."""
    return "queue/data" in request.url and request.timing["responseEnd"] < 0


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


def picture(name: str = "dog", width: int = 240) -> Image.Image:
    """A small copy of a photo that ships, which the page does not recognise."""
    image = Image.open(assets.path("photos", f"{name}.jpg")).convert("RGB")
    return image.resize((width, width * image.height // image.width))


def turn_to(page: Page, tab: str) -> None:
    """Opens a tab and waits for what it shows."""
    page.get_by_role("tab", name=tab, exact=True).click()
    settled(page)
