"""The page and a browser, shared by the tests of what a person sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from demo.look import Studio
from tests.visitor import served

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--process-per-site",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WAIT = 60_000
SETTLED = """(width) => new Promise((done) => {
  const look = (frames) => requestAnimationFrame(() =>
    frames ? look(innerWidth === width ? frames - 1 : frames) : done(document.documentElement));
  look(2);
}).then((page) => page.scrollWidth)"""
"""How wide the page is once a window's width has come to it."""
WCAG = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="package")
def studio() -> Studio:
    return Studio()


@pytest.fixture(scope="package")
def url(studio: Studio) -> Iterator[str]:
    with served(studio) as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[BrowserContext]:
    """One browser, in which a page that stays keeps the compiled scripts from test to test."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = launched.new_context(
            permissions=["clipboard-read", "clipboard-write"], reduced_motion="reduce"
        )
        stays = context.new_page()
        stays.route("**", lambda route: route.fulfill(body=""))
        stays.goto("http://127.0.0.1/")
        yield context
        launched.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: BrowserContext) -> Iterator[Page]:
    """A visitor's own page, at both widths; a script error anywhere fails the test."""
    yield from visitor(browser, request.param)


@pytest.fixture
def phone(browser: BrowserContext) -> Iterator[Page]:
    yield from visitor(browser, PHONE)


@pytest.fixture
def desktop(browser: BrowserContext) -> Iterator[Page]:
    yield from visitor(browser, DESKTOP)


def visitor(browser: BrowserContext, size: dict[str, int]) -> Iterator[Page]:
    opened = browser.new_page()
    opened.set_viewport_size(size)
    opened.set_default_timeout(WAIT)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert not errors


def barriers(page: Page, dark: bool, place: str = "html") -> list[str]:
    """What axe finds at a place of the page, by day or in the dark, against WCAG 2.1 A and AA."""
    expect(page.locator("#tabs[data-busy], .pending")).to_have_count(0)
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
        page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
    found = page.evaluate("([place, options]) => axe.run(place, options)", [place, WCAG])
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
