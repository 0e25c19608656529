"""Maps of attention, blocks, norms and cards: what a person can do with them in a browser."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from demo.widgets import cards, values
from demo.widgets.blobs import BlobStore, attention_blob, picture_blob
from tests.browser.conftest import CHROMIUM, SETTLED
from tests.browser.shelf import shelf

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
GRID, SIZE, N = (3, 5), (90, 150), 15
KINDS = {
    "attention": "attention", "blocks": "blocks", "maps": "maps", "norms": "norms",
    "equal": "maps",
}  # fmt: skip


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.full(N, 0.2), N).astype(np.float32)


@pytest.fixture(scope="module")
def url(matrix: np.ndarray) -> Iterator[str]:
    store = BlobStore()
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))
    picture = store.offer("photo", lambda: picture_blob(photo))
    own, other, again = (
        store.offer(name, lambda one=one: attention_blob(one, N))
        for name, one in (("own", matrix), ("other", matrix[::-1]), ("again", matrix))
    )
    shown = cards.Shown(picture, SIZE, GRID)
    norms = np.ones(64)
    norms[9] = 3
    curve = cards.entropy_curve(np.linspace(1, 0.9, 12), np.ones(12))
    thumbs = [cards.Thumb("Block 6", matrix[0] * N, (7,))]

    def value(_: bool) -> dict[str, dict]:
        both = [
            values.Map("AMF off", own, (7,), matrix[0]),
            values.Map("AMF on", other, (), matrix[1]),
        ]
        return {
            "attention": values.attention_value(shown, both),
            "blocks": values.blocks_value(
                photo, np.ones((2, N)), GRID, [1, 9], [(), (3,)], (1,), 0
            ),
            "maps": cards.maps_value(shown, thumbs, [("without", own), ("with", other)]),
            "norms": cards.norms_value(
                norms, np.ones(64), 8, [curve], model="m", cs=True, drags=True
            ),
            "equal": cards.maps_value(shown, thumbs, [("without", own), ("with", again)]),
        }  # fmt: skip

    with shelf(store, KINDS, value) as address:
        yield address


@pytest.fixture
def tab(url: str, desktop: Page) -> Page:
    desktop.goto(url)
    for name in KINDS:
        desktop.wait_for_selector(f'#{name} .gw[data-ready="1"]')
    return desktop


def said(tab: Page, wanted: str) -> None:
    tab.wait_for_function("w => document.querySelector('#said textarea').value === w", arg=wanted)


def test_attention_follows_pointer_and_keyboard_and_says_where_it_looks(
    tab: Page, matrix: np.ndarray
) -> None:
    tab.locator("#attention .gw-stage").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        tab.keyboard.press(key)
    line = tab.locator("#attention .gw-info")
    expect(line).to_contain_text("Patch in row 3, column 4")
    order = [int(i) for i in np.argsort(-matrix[13]) if i != 13]
    expect(line).to_contain_text(f"row {order[0] // 5 + 1}, column {order[0] % 5 + 1}")
    tab.keyboard.press("Enter")
    expect(line).to_contain_text("(pinned)")
    said(tab, "[2, 3]")
    tab.get_by_role("button", name="Class token's row").click()
    expect(line).to_contain_text("The class token")


def test_a_matrix_is_pooled_to_the_screen_s_pixels(tab: Page) -> None:
    tab.get_by_role("button", name="Show as matrix").click()
    sizes = tab.locator("#attention canvas").evaluate_all(
        "all => all.map((c) => [c.width, c.height])"
    )
    assert len({tuple(size) for size in sizes}) == 1 and sizes[0][0] == sizes[0][1]


def test_equal_matrices_are_drawn_once(tab: Page) -> None:
    expect(tab.locator("#equal .gw-map:visible")).to_have_count(2)
    expect(tab.locator("#equal")).to_contain_text("without: the same as with")
    expect(tab.locator("#maps .gw-map:visible")).to_have_count(3)


def test_a_block_is_chosen_by_its_number(tab: Page) -> None:
    tab.locator("#blocks button").nth(1).click()
    said(tab, "2")
    assert tab.locator("#blocks button").nth(1).get_attribute("aria-pressed") == "true"


def test_a_drag_over_channels_chooses_them_and_escape_clears(tab: Page) -> None:
    plot = tab.locator("#norms .gw-plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 100)
    expect(tab.locator("#norms .gw-info")).to_contain_text("× the median")
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100, steps=3)
    tab.mouse.up()
    tab.wait_for_function("document.querySelector('#said textarea').value.startsWith('[')")
    plot.focus()
    tab.keyboard.press("Escape")
    said(tab, "None")


def test_nothing_overflows(tab: Page) -> None:
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(SETTLED, width) <= width
