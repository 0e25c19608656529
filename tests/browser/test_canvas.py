"""The canvas: one mask, one change at a time, and pointing that explains."""

import ast
from collections.abc import Iterator

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from demo.widgets import cards
from demo.widgets.blobs import Blob, BlobStore, attention_blob, picture_blob
from demo.widgets.codec import Levels, packed
from tests.browser.conftest import CHROMIUM, PHONE, SETTLED, barriers, visitor
from tests.browser.shelf import shelf

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
GRID, SIZE, N = (3, 5), (90, 150), 15
NAMES = [
    "<img src=x onerror=window.pwned=1>", "${window.pwned=1}", "stop sign", "sky", "\u202eقطة",
]  # fmt: skip


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    found = np.full((N, N), 0.01, np.float32)
    found[0, [7, 11, 4, 0]] = 3, 2, 1, 5
    return found / found.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def url(matrix: np.ndarray) -> Iterator[str]:
    store = BlobStore()
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))
    picture = store.offer("photo", lambda: picture_blob(photo))
    look = store.offer("look", lambda: attention_blob(matrix, N))
    best = np.tile([[3], [2], [5]], N)  # sky, stop sign, a hidden word
    words = packed(
        best=best,
        cosines=np.tile(np.float32([[0.31], [0.22], [0.2]]), N),
        shares=Levels(np.tile([[0.7], [0.2], [0.1]], N), 1.0, 255),
    )
    named = store.offer("words", lambda: Blob(words))
    shown = cards.Shown(picture, SIZE, GRID)
    labels = np.arange(90 * 150).reshape(SIZE) // 2700 % 5
    turned = np.roll(labels, 30, 0)
    turned[:, :75] = 3

    def values(on: bool) -> dict[str, dict]:
        sides = [
            cards.Side("ClearCLIP", labels, "mIoU 1.0 %", look, named),
            cards.Side("GCLIP", turned if on else labels, "mIoU 2.0 %", look, named),
        ]
        return {
            "canvas": cards.canvas_value(
                shown, sides if on else sides[1:], NAMES, notes=("hint", "Nothing changes: off.")
            ),
            "small": cards.canvas_value(shown, sides[:1], NAMES, compact=True),
        }

    def explain(event: gr.SelectData) -> dict:
        words = [{"name": one, "score": 0.2, "colour": "#123456", "label": False} for one in NAMES]
        shown = {"title": "Why", "pixel": event.index, "note": "note"}
        return {"kind": "why", **shown, "variants": [{"title": "MaskCLIP", "entries": words}]}

    with shelf(store, {"canvas": "canvas", "small": "canvas"}, values, explain) as address:
        yield address


def ready(tab: Page, url: str) -> Page:
    tab.goto(url)
    for name in ("canvas", "small"):
        tab.wait_for_selector(f'#{name} .gw[data-ready="1"]')
    return tab


@pytest.fixture
def tab(url: str, desktop: Page) -> Page:
    return ready(desktop, url)


def at(tab: Page, row: int, column: int) -> tuple[float, float]:
    """The middle of a patch on the screen."""
    stage = tab.locator("#canvas .gw-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] * (column + 0.5) / GRID[1]
    return x, box["y"] + box["height"] * (row + 0.5) / GRID[0]


def info(tab: Page) -> str:
    return tab.locator("#canvas .gw-said").inner_text()


FRAMES = """() => { let now = performance.now(); performance.now = () => now;
  window.requestAnimationFrame = (draw) => setTimeout(() => draw((now += 50)), 5); }"""
"""A frame every 50 ms of the page's own clock, however busy the machine is."""


def switch_on(tab: Page) -> None:
    tab.locator("#on input").click()
    tab.wait_for_selector("#canvas .gw-modes")


def test_the_canvas_shows_one_mask_and_says_why_where_both_are_equal(tab: Page) -> None:
    assert tab.locator("#canvas .gw-mask").count() == 1
    assert tab.locator("#canvas .gw-modes").count() == 0
    expect(tab.locator("#canvas")).to_contain_text("Nothing changes: off.")


def test_before_after_and_swipe_are_one_control_over_the_canvas(tab: Page) -> None:
    switch_on(tab)
    title, seen = tab.locator("#canvas .gw-named"), tab.locator("#canvas .gw-mask:not(.gw-off)")
    assert title.inner_text().startswith("GCLIP") and seen.count() == 1
    tab.get_by_role("button", name="before").click()
    assert title.inner_text().startswith("ClearCLIP") and seen.count() == 1
    tab.get_by_role("button", name="swipe").click()
    assert seen.count() == 2
    handle = tab.locator("#canvas .gw-handle")
    handle.focus()
    tab.keyboard.press("End")
    tab.keyboard.press("ArrowLeft")
    assert handle.get_attribute("aria-valuenow") == "95"
    x, y = at(tab, 1, 2)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 100, y, steps=4)
    tab.mouse.up()
    assert float(handle.get_attribute("aria-valuenow")) < 50
    assert tab.locator("#said textarea").input_value() == "", "a drag asks nothing"


@pytest.mark.parametrize(("motion", "ghosts"), [("no-preference", 1), ("reduce", 0)])
def test_a_switch_fades_the_old_mask_and_counts_the_shares(
    tab: Page, motion: str, ghosts: int
) -> None:
    tab.emulate_media(reduced_motion=motion)
    tab.evaluate(FRAMES)
    tab.evaluate("""() => { window.ghosts = 0; window.counts = new Set();
      new MutationObserver((all) => all.forEach((one) => {
        one.addedNodes.forEach((n) => (window.ghosts += n.classList?.contains('gw-ghost') ? 1 : 0));
        document.querySelectorAll('#canvas .gw-entry').forEach((n) =>
          n.textContent.startsWith('sky') && window.counts.add(n.textContent.slice(3))); }))
      .observe(document.querySelector('#canvas'), { childList: true, subtree: true }) }""")
    switch_on(tab)
    tab.wait_for_timeout(1200)
    assert tab.evaluate("window.ghosts") == ghosts
    assert tab.locator("#canvas .gw-ghost").count() == 0
    between = set(tab.evaluate("[...window.counts]")) - {"20.0 %", "60.0 %"}
    assert bool(between) is bool(ghosts), "counted from the old share to the new"
    assert tab.locator("#canvas .gw-entry", has_text="sky").inner_text().endswith("60.0 %")


def test_pointing_lights_the_photo_and_races_the_words(tab: Page) -> None:
    asked: list[str] = []
    tab.wait_for_timeout(300)
    tab.on("request", lambda request: asked.append(request.url))
    tab.mouse.move(*at(tab, 0, 0))
    expect(tab.locator("#canvas .gw-tip bdi")).to_have_text(["sky", "stop sign", "something else"])
    assert tab.locator("#canvas .gw-arc").count() == 3
    glow = tab.locator("#canvas .gw-glow").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, 5, 3).data].filter((_, i) => i % 4 === 3)"
    )
    assert max(glow[i] for i in (7, 11, 0)) == 235 and np.median(glow) < 60
    photo = tab.locator("#canvas .gw-stage > img").evaluate("one => getComputedStyle(one).filter")
    assert photo == "none", "the photo is not dimmed"
    assert tab.locator("#small .gw-here").get_attribute("x") == "0", "every widget follows"
    tab.mouse.move(0, 0)
    expect(tab.locator("#canvas .gw-tip")).to_be_hidden()
    assert [one for one in asked if not one.startswith("data:")] == []


def test_a_press_says_why_in_one_sentence_and_folds_the_rest(tab: Page) -> None:
    tab.mouse.click(*at(tab, 0, 0))
    assert info(tab) == (
        "This patch looks mostly at these; their average matches sky 0.31, stop sign 0.22, "
        "something else 0.20."
    )
    fold = tab.locator("#canvas .gw-more")
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    expect(fold).to_contain_text("MaskCLIP")
    expect(fold).to_contain_text("looks most at itself")
    card = tab.locator("#canvas").bounding_box()
    mine = fold.bounding_box()
    assert card is not None and mine is not None
    assert mine["x"] >= card["x"] and mine["x"] + mine["width"] <= card["x"] + card["width"]
    tab.mouse.move(*at(tab, 2, 4))
    assert tab.locator("#canvas .gw-here").get_attribute("x") == "0", "it stays pinned"
    tab.locator("#canvas .gw-stage").focus()
    tab.keyboard.press("Escape")
    assert info(tab) == "hint"


def test_everything_works_by_keyboard(tab: Page) -> None:
    tab.locator("#canvas .gw-stage").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        tab.keyboard.press(key)
    assert info(tab).startswith("This patch looks mostly at these")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('#said textarea').value === '[75, 105]'")


def test_one_tap_on_a_phone_looks_and_explains_the_same_patch(
    url: str, browser: BrowserContext
) -> None:
    assert browser.browser is not None
    context = browser.browser.new_context(has_touch=True, reduced_motion="reduce")
    for tab in visitor(context, PHONE):
        ready(tab, url)
        tab.touchscreen.tap(*at(tab, 1, 1))
        tab.wait_for_function("document.querySelector('#said textarea').value !== ''")
        row, column = ast.literal_eval(tab.locator("#said textarea").input_value())
        assert (row // 30, column // 30) == (1, 1)
        ring = tab.locator("#canvas .gw-here")
        assert (ring.get_attribute("y"), ring.get_attribute("x")) == ("1", "1")
        assert info(tab).startswith("This patch")
    context.close()


def test_names_on_the_mask_and_in_the_legend_are_never_cut(tab: Page) -> None:
    for width in (1280, 390, 320):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(SETTLED, width) <= width
        names = tab.locator("#canvas .gw-name")
        cut = names.evaluate_all("all => all.filter((n) => n.scrollWidth > n.clientWidth + 1)")
        assert cut == []
        assert set(names.all_inner_texts()) >= set(NAMES)


def test_the_legend_isolates_a_class(tab: Page) -> None:
    colours = """() => { const c = document.querySelector('#canvas .gw-mask');
        const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return new Set(new Uint32Array(all.buffer)).size }"""
    before, entry = tab.evaluate(colours), tab.locator("#canvas .gw-entry").first
    entry.hover()
    assert tab.evaluate(colours) < before
    tab.mouse.move(0, 0)
    assert tab.evaluate(colours) == before
    entry.click()
    assert entry.get_attribute("aria-pressed") == "true"


def test_hostile_words_stay_words_and_nothing_bars_the_way(tab: Page) -> None:
    switch_on(tab)
    tab.mouse.click(*at(tab, 1, 3))
    expect(tab.locator("#canvas .gw-more")).to_be_visible()
    assert tab.evaluate("window.pwned") is None
    assert barriers(tab, dark=False, place="#canvas") == []
    assert barriers(tab, dark=True, place="#canvas") == []
