"""The real page and Debian's Chromium, shared by the tests of what a person sees."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from gclip_core import assets
from tests.browser import CHROMIUM, FLAGS
from tests.demo.visitor import serving

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TABS = ("Segment", "How it works", "Compare", "Learn", "Share")
FLOWER = {"example": "flower", "words": "flower, plant"}
WAIT = 90_000

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="session")
def url(base_url: str) -> Iterator[str]:
    """A page of its own, or the one of ``--base-url``."""
    if base_url:
        yield base_url
        return
    with serving() as server:
        yield server.url


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    return {"executable_path": CHROMIUM, "args": FLAGS}


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """What visitors share, so that the page's scripts are loaded once."""
    with browser.new_context(reduced_motion="reduce") as context:
        yield context


@contextmanager
def opened(
    context: BrowserContext, url: str, size: dict[str, int] = DESKTOP, **query: Any
) -> Iterator[Page]:
    """A link in a new tab of the browser, answered; a script's error fails the test."""
    errors = list[str]()
    with context.new_page() as page:
        page.set_viewport_size(size)
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if is_script(line.text) else None)
        page.goto(f"{url}?{urlencode(query)}")
        expect(answers(page)).to_have_count(1)
        expect(page.locator(".pending")).to_have_count(0)
        yield page
    assert not errors


def is_script(line: str) -> bool:
    """Gradio catches the errors of a component's script and prints them."""
    return "js_on_load" in line or "watch callback" in line


@pytest.fixture
def visitor(profile: BrowserContext, url: str) -> Iterator[Callable[..., Page]]:
    """Opens a link as a new visitor and waits for its answer."""
    with ExitStack() as pages:
        yield lambda **options: pages.enter_context(opened(profile, url, **options))


@pytest.fixture
def desktop(visitor: Callable[..., Page]) -> Page:
    return visitor(**FLOWER)


@pytest.fixture(scope="module")
def shared(profile: BrowserContext, url: str) -> Iterator[Page]:
    """A page for all tests of a module that do not mind what the others did with it."""
    with opened(profile, url, **FLOWER) as page:
        yield page


@pytest.fixture
def phone(browser: Browser, url: str) -> Iterator[Page]:
    """The page under a finger."""
    with (
        browser.new_context(has_touch=True, is_mobile=True, reduced_motion="reduce") as context,
        opened(context, url, PHONE, **FLOWER) as page,
    ):
        yield page


def answers(page: Page, part: str = "canvas") -> Locator:
    """The drawn component, which counts its answers in ``data-answers``."""
    return page.locator(f"#{part} [data-answers]")


def after(page: Page, act: Callable[[], Any], part: str = "canvas") -> None:
    """Do something, and wait for the answer to it."""
    before = answers(page, part).get_attribute("data-answers")
    act()
    expect(answers(page, part)).not_to_have_attribute("data-answers", before or "")
    expect(page.locator(".pending")).to_have_count(0)


def legend(page: Page) -> Locator:
    """The words under the mask; the last is the background."""
    return page.locator("#canvas .entry bdi")


def share(page: Page, word: str) -> float:
    """Per cent of the photo, as the legend has it."""
    entry = page.locator("#canvas .entry", has=page.get_by_text(word, exact=True))
    return float(entry.locator("b").inner_text().removesuffix("%"))


def type_words(page: Page, words: str) -> None:
    page.locator("#words textarea").fill(words)
    page.locator("#words textarea").press("Enter")


def give(page: Page, data: bytes, name: str = "photo.png") -> None:
    """Upload a file in the place of the photo."""
    file = {"name": name, "mimeType": f"image/{name.split('.')[1]}", "buffer": data}
    page.locator("#photo input[type=file]").set_input_files(file)


def picture(name: str = "dog", width: int = 240) -> Image.Image:
    """A small copy of a photo that ships, which the page does not know."""
    image = Image.open(assets.path("photos", f"{name}.jpg")).convert("RGB")
    return image.resize((width, width * image.height // image.width))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turn_to(page: Page, tab: str) -> None:
    """Open a tab, on a narrow screen from the menu of those that found no room."""
    own = page.get_by_role("tab", name=tab, exact=True).and_(page.locator(":visible"))
    if not own.count():
        page.locator(".overflow-menu > button").first.click()
        own = page.locator(".overflow-dropdown button", has_text=tab)
    own.first.click()
    shown = {
        "Segment": "#norms img",
        "How it works": "#diagram .drawn",
        "Compare": "#masks button",
        "Learn": "#lesson-3 img",
        "Share": "#link textarea",
    }
    expect(page.locator(shown[tab]).first).to_be_visible()
    expect(page.locator(".pending")).to_have_count(0)
