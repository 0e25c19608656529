"""The page and a browser, shared by the tests of what a person sees."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser import CHROMIUM, chromium
from tests.demo import engine
from tests.pictures import encoded
from tests.visitor import served

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WAIT = 60_000
DONE = "#tabs[data-state]:not([data-busy])"
SETTLED = """(width) => new Promise((done) => {
  const look = (frames) => requestAnimationFrame(() =>
    frames ? look(innerWidth === width ? frames - 1 : frames) : done(document.documentElement));
  look(2);
}).then((page) => page.scrollWidth)"""
"""How wide the page is once a window's width has come to it."""
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
SHEET = """navigator.canShare = ({ files }) => files.length === 1;
navigator.share = async ({ files: [file] }) => {
  if (window.refused) throw new DOMException("too late", "NotAllowedError");
  const { width } = await createImageBitmap(file);
  window.shared = [file.name, file.type, width];
};"""
"""A browser with a sheet for shared files; ``refused``: the press is too long ago."""
WORDS = "dog, person, grass"

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="package")
def url() -> Iterator[str]:
    with served(engine()) as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[BrowserContext]:
    """One browser with a desktop's window."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with chromium() as launched:
        yield context(launched, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture(scope="package")
def touch(browser: BrowserContext) -> BrowserContext:
    """The same as a phone."""
    return context(browser.browser, has_touch=True, is_mobile=True)


def context(launched: Browser, **settings: Any) -> BrowserContext:
    """One in which a page that stays keeps the compiled scripts from test to test."""
    made = launched.new_context(reduced_motion="reduce", **settings)
    stays = made.new_page()
    stays.route("**", lambda route: route.fulfill(body=""))
    stays.goto("http://127.0.0.1/")
    return made


@pytest.fixture
def phone(touch: BrowserContext) -> Iterator[Page]:
    yield from visitor(touch, PHONE)


@pytest.fixture
def desktop(browser: BrowserContext) -> Iterator[Page]:
    yield from visitor(browser, DESKTOP)


@pytest.fixture(scope="package")
def stays(url: str, browser: BrowserContext) -> Iterator[Page]:
    """A page that has answered, for tests that leave it as they found it."""
    for opened in visitor(browser, DESKTOP):
        arrive(opened, url, amf=0, __theme="dark")
        yield opened


@pytest.fixture
def restored(stays: Page) -> Iterator[Page]:
    """The same, for tests that change it: its photo, words and switches come back afterwards."""
    yield stays
    stays.unroute_all()
    turn_to(stays, "Side by side")
    stays.locator("#amf input").uncheck()
    stays.locator("#cs input").check()
    stays.get_by_role("button", name="Example: Dog").click()
    stays.wait_for_function("!location.search.includes('source=upload')")
    type_words(stays, WORDS)
    expect(legend(stays)).to_contain_text("person")
    expect(stays.locator(DONE)).to_be_visible()


def visitor(browser: BrowserContext, size: dict[str, int]) -> Iterator[Page]:
    """A visitor's own page; a script error anywhere fails the test."""
    opened = browser.new_page()
    opened.set_viewport_size(size)
    opened.set_default_timeout(WAIT)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert not errors


def arrive(page: Page, url: str, **query: object) -> None:
    """Follow a link and wait for its answer."""
    page.goto(f"{url}?{urlencode({'example': 'dog', 'words': WORDS, **query})}")
    page.wait_for_selector(DONE)


def give(page: Page, picture: Image.Image) -> None:
    """Upload a picture."""
    file = {"name": "photo.png", "mimeType": "image/png", "buffer": encoded(picture, "PNG")}
    page.locator("#photo input[type=file]").set_input_files(file)


def type_words(page: Page, words: str) -> None:
    """Type words at one stroke, as a suggestion between two would be added to, and ask for them."""
    field = page.locator("#words textarea")
    field.evaluate(
        "(field, words) => { field.value = words; field.dispatchEvent(new Event('input',"
        " { bubbles: true })) }",
        words,
    )
    field.press("Enter")


def turn_to(page: Page, tab: str) -> None:
    """Choose a tab, on a narrow screen from the menu of those that found no room."""
    own = page.get_by_role("tab", name=tab)
    if not own.count():
        page.locator(".overflow-menu > button").first.click()
        own = page.locator(".overflow-dropdown button", has_text=tab)
    own.first.click()


def legend(page: Page) -> Locator:
    """The words under the canvas, and what it says of them."""
    return page.locator("#side-canvas .gw-legend")


def barriers(page: Page, dark: bool, place: str = "html") -> list[str]:
    """What axe finds at a place of the page against WCAG 2.1 A and AA; in the dark, which changes
    nothing but colours, only of contrast."""
    expect(page.locator("#tabs[data-busy], .pending")).to_have_count(0)
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
        page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
    options = {"runOnly": CONTRAST if dark else WCAG, "resultTypes": ["violations"]}
    found = page.evaluate("([place, options]) => axe.run(place, options)", [place, options])
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
