"""The machine in a browser: full screen, numbers of the library, nothing cut."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from demo.answer import compute, resolve
from demo.request import Request
from demo.settings import Settings
from demo.tabs import machine
from gclip_core import palette
from tests.browser.conftest import DESKTOP, DONE, visitor
from tests.demo import engine

SETTINGS = Settings(example="teddy", words="teddy bear, person, floor", cs=False, plant=True)
READY = "#machine .gw[data-ready='1']"
TILE = """([[h, w], block]) => {
  const tiles = [...document.querySelectorAll('#machine .gm-layer > .gm-pixels')]
    .filter((canvas) => canvas.width === w && canvas.height === h);
  const { data } = tiles[block].getContext('2d').getImageData(0, 0, w, h);
  return Array.from({ length: w * h }, (_, i) =>
    '#' + [0, 1, 2].map((c) => data[4 * i + c].toString(16).padStart(2, '0')).join(''));
}"""
"""The colours of the patches of a block's tile."""


@pytest.fixture(scope="module")
def opened(url: str, browser: BrowserContext) -> Iterator[Page]:
    for page in visitor(browser, DESKTOP):
        page.goto(f"{url}?{SETTINGS.to_query()}")
        page.wait_for_selector("#side-canvas .gw[data-ready='1']")
        page.locator("#machine button").click()
        page.wait_for_selector(READY)
        yield page


def test_without_full_screen_it_covers_the_whole_page(url: str, browser: BrowserContext) -> None:
    for page in visitor(browser, DESKTOP):
        page.add_init_script("Element.prototype.requestFullscreen = () => Promise.reject()")
        page.goto(f"{url}?{SETTINGS.to_query()}")
        page.wait_for_selector("#side-canvas .gw[data-ready='1']")
        page.locator("#machine button").click()
        page.wait_for_selector(READY)
        on_top = page.evaluate(
            "() => [...document.querySelectorAll('#rest [data-testid=block-info], #words label *')]"
            ".map((one) => one.getBoundingClientRect())"
            ".filter(({ width, bottom }) => width && bottom < innerHeight)"
            ".map((box) => document.elementFromPoint(box.left + 5, box.top + box.height / 2))"
            ".map((top) => Boolean(top.closest('#machine')))"
        )
        assert on_top
        assert all(on_top)


def read(page: Page, key: str) -> float:
    """A drawn number in full, by what stands before it in its node's key."""
    drawn = "k => +[...document.querySelectorAll('#machine svg text')]"
    return page.evaluate(f"{drawn}.find((t) => t.dataset.key === k).dataset.value", key)


def test_it_opens_full_screen_with_the_library_s_numbers(opened: Page) -> None:
    assert opened.evaluate("document.fullscreenElement === document.querySelector('#machine .gw')")
    answer = compute(engine(), resolve(engine(), Request(SETTINGS)))
    value = machine.compute(engine(), answer)
    scores, ratios = value.tokens.scores, value.report.ratios
    for block, (score, ratio) in enumerate(zip(scores, ratios, strict=True), 1):
        assert read(opened, f"score {block}") == pytest.approx(score, rel=1e-4)
        assert read(opened, f"ratio {block}") == pytest.approx(ratio, rel=1e-4)
    expect(opened.locator("#machine")).not_to_contain_text(re.compile("in-in|dark: shown"))
    assert read(opened, "one region") == pytest.approx(value.in_in_out[0], abs=1e-4)


def test_formulas_stand_behind_their_button(opened: Page) -> None:
    formulas = opened.locator("#machine .gm-eq", has_text=re.compile(r"\S"))
    assert formulas.count() == 0
    opened.get_by_role("button", name="Show formulas").click()
    assert formulas.count() > 3
    opened.get_by_role("button", name="Show formulas").click()


def test_masks_by_block_are_fetched_and_drawn_when_they_are_asked_for(opened: Page) -> None:
    fetched: list[str] = []
    opened.on("request", lambda request: fetched.append(request.url))
    answer = compute(engine(), resolve(engine(), Request(SETTINGS)))
    question, grid = answer.question, answer.grid
    labels = question.scene.segmenter.labels_by_block(
        engine().trunk(question.scene, question.chosen), question.words, question.chosen
    )
    heat = opened.evaluate(TILE, [grid, 11])
    opened.locator("#machine").get_by_role("button", name="Masks by block").click()
    text = opened.locator("#machine .gw-by-block")
    expect(text).to_contain_text("logit lens")
    assert len([url for url in fetched if "/blob/" in url]) == 1
    colours = palette.of_names(answer.mask.names)
    assert opened.evaluate(TILE, [grid, 11]) == [colours[i] for i in labels[11].flatten()]
    for block, share in enumerate((labels == labels[-1]).flatten(1).double().mean(1), 1):
        tile = opened.locator(f"#machine g:has(> [data-block='{block}'])")
        expect(tile).to_contain_text(f"{round(100 * float(share))} %")
    opened.locator("#machine").get_by_role("button", name="Masks by block").click()
    expect(text).to_have_count(0)
    assert opened.evaluate(TILE, [grid, 11]) == heat


def test_nothing_is_cut_at_1280_by_800(opened: Page) -> None:
    cut = opened.evaluate(
        "() => [...document.querySelectorAll('#machine :is(svg text, .gm-eq, .gm-info)')]"
        ".map((one) => [one.textContent, one.getBoundingClientRect()])"
        ".filter(([text, box]) => text && box.width && (box.left < -1 || box.right > innerWidth + 1"
        " || box.bottom > innerHeight + 1)).map(([text]) => text)"
    )
    assert cut == []


def test_a_switch_on_it_is_the_page_s_own(opened: Page) -> None:
    opened.locator("#machine .gm-bar").get_by_role("button", name="CS").click()
    pressed = opened.locator("#machine .gm-switch[aria-pressed='true']", has_text="CS")
    expect(pressed).to_be_visible()
    expect(opened.locator("#cs input")).to_be_checked()


def test_it_closes_leaves_its_button_and_no_fault_behind(opened: Page) -> None:
    expect(opened.locator("#machine .gm-switch", has_text="fault")).to_have_attribute(
        "aria-pressed", "true"
    )
    opened.get_by_role("button", name="Close").click()
    expect(opened.locator("#machine button")).to_have_count(1)
    assert opened.evaluate("document.fullscreenElement") is None
    expect(opened.locator("#side-canvas .gw-simulated")).to_have_count(0)
    expect(opened.locator(DONE)).to_be_visible()
    assert "plant=" not in opened.url
