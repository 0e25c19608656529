"""Draw a scene with the mouse, a finger and the keys: what is drawn is what is segmented."""

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from gclip_core import scenes
from gclip_core.scenes import Item, Layout
from tests.browser.conftest import PHONE, WAIT, barriers
from tests.browser.test_page import DONE, arrive, asked_of

SIZE = (288, 384)
CAT = Item("cat", "emojione", 0.3, 0.4, 0.5, 0.3, True)
DOG = Item("dog", "twemoji", 0.62, 0.6, 0.6, -0.4)
DRAWN = Layout(("brick wall", "grass"), (CAT, DOG), horizon=0.6, light=(0.9, 5))
VALUE = "document.querySelector('#editor .gw').layout()"


SOMETHING_ELSE = json.dumps({"ground": ["<img onerror=a()>"]})


def draw(tab: Page) -> None:
    """Open the editor."""
    tab.locator("#scene > button").click()
    tab.locator("#editor").scroll_into_view_if_needed()
    tab.wait_for_selector("#editor .gw[data-ready='1']")
    tab.locator("#editor .ge-stage").scroll_into_view_if_needed()
    tab.wait_for_function("document.querySelector('#editor .gw').drawn()")


def drawn(tab: Page) -> Layout:
    return Layout.from_json(tab.evaluate(VALUE))


def item(tab: Page, name: str) -> Item:
    return next(one for one in drawn(tab).items if one.thing == name)


def legend(tab: Page) -> str:
    return tab.locator("#side-canvas .gw-legend").inner_text()


def spot(tab: Page, x: float, y: float) -> tuple[float, float]:
    """A point of the scene on the screen."""
    box = tab.locator("#editor .ge-stage").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(tab: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    tab.mouse.move(*start)
    tab.mouse.down()
    tab.mouse.move(*end, steps=6)
    tab.mouse.up()


def pixels(tab: Page) -> np.ndarray:
    """What the editor shows, (288, 384, 3), before the light of the scene."""
    told = tab.evaluate("document.querySelector('#editor canvas').toDataURL('image/png')")
    shown = Image.open(io.BytesIO(base64.b64decode(told.split(",")[1]))).convert("RGB")
    return np.asarray(shown.resize(SIZE[::-1], Image.Resampling.BICUBIC), int)


@pytest.fixture
def opened(desktop: Page, url: str) -> Page:
    arrive(desktop, url, source="drawing", drawing=DRAWN.to_json())
    draw(desktop)
    return desktop


@pytest.fixture
def touched(browser: BrowserContext, url: str) -> Iterator[Page]:
    context = browser.browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.set_default_timeout(WAIT)
    arrive(tab, url, source="drawing", drawing=DRAWN.to_json())
    draw(tab)
    yield tab
    context.close()


def test_a_link_with_something_else_is_told_and_the_editor_costs_nothing_until_it_is_opened(
    desktop: Page, url: str
) -> None:
    asked = asked_of(desktop)
    arrive(desktop, url, source="drawing", drawing=SOMETHING_ELSE)
    expect(desktop.locator("#link-notes")).to_contain_text("Draw a scene")
    assert not [address for address in asked if "/draw/" in address]
    draw(desktop)
    fetched = [urlparse(address).path.split("/")[-1] for address in asked if "/draw/" in address]
    assert {"editor.js", "catalogue.json", "emojione.webp", "grounds.webp"} <= set(fetched)
    assert len(fetched) == len(set(fetched))


def test_what_is_drawn_is_what_is_segmented(opened: Page) -> None:
    bare = Layout(DRAWN.ground, DRAWN.items, DRAWN.horizon)
    true = np.asarray(scenes.render(bare, SIZE).image, int)
    difference = np.abs(pixels(opened) - true).max(-1)
    assert difference.mean() < 8 and (difference > 64).mean() < 0.03
    assert drawn(opened) == DRAWN
    assert opened.locator("#words textarea").input_value() == "cat, dog, brick wall, grass"
    expect(opened.locator("#side-canvas")).to_contain_text("mIoU")
    assert "dog" in legend(opened)


def test_a_press_takes_what_the_truth_says_is_there(opened: Page) -> None:
    """Mirrored, turned and overlapping: the thing under the pointer is the label of that pixel."""
    scene = scenes.render(DRAWN, SIZE)
    edges = np.zeros(SIZE, bool)
    for axis in (0, 1):
        for by in (-3, 3):
            edges |= np.roll(scene.labels, by, axis) != scene.labels
    rng = np.random.default_rng(3)
    points = rng.permutation(np.argwhere(~edges))[:60]
    found = set()
    for row, column in points:
        at = spot(opened, (column + 0.5) / SIZE[1], (row + 0.5) / SIZE[0])
        kind = opened.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).className", [at[0], at[1]]
        )
        if kind not in ("", "ge-item"):  # the handle or the horizon's grip is in front
            continue
        opened.mouse.click(*at)
        said = opened.locator("#editor .ge-said").inner_text()
        word = scene.words[scene.labels[row, column]]
        if word in scene.things:
            assert said == word, (row, column)
        else:  # a press into a thing's box takes it, so that small things can be caught
            assert said == "2 things" or kind == "ge-item", (row, column)
        found.add(word)
        opened.keyboard.press("Escape")
        opened.mouse.click(*spot(opened, 0.01, 0.01))
    assert {"cat", "dog"} <= found and len(found) >= 3


def test_the_mouse_adds_moves_turns_and_removes(
    opened: Page, record_property: Callable[[str, object], None]
) -> None:
    opened.locator("#editor input[type=search]").fill("kitten")
    assert opened.locator("#editor .ge-thing:visible").count() == 1, "synonyms are found"
    opened.locator("#editor input[type=search]").fill("frog")
    opened.locator("#editor .ge-thing:visible").click()
    frog = item(opened, "frog")
    drag(opened, spot(opened, frog.x, frog.y), spot(opened, 0.2, 0.75))
    moved = item(opened, "frog")
    assert (moved.x, moved.y) == pytest.approx((0.2, 0.75), abs=0.02)
    started = time.perf_counter()
    expect(opened.locator("#side-canvas .gw-legend")).to_contain_text("frog")
    record_property("seconds from the hand's rest to the answer", time.perf_counter() - started)
    assert "frog" in opened.locator("#words textarea").input_value()

    handle = opened.locator("#editor .ge-handle").bounding_box()
    corner = (handle["x"] + 16, handle["y"] + 16)
    drag(opened, corner, (corner[0] + 20, corner[1] - 25))
    turned = item(opened, "frog")
    assert turned.turn < -0.05 and abs(turned.size - moved.size) > 0.005
    assert (turned.x, turned.y) == (moved.x, moved.y)

    opened.locator("#editor input[type=search]").fill("penguin")
    palette = opened.locator("#editor .ge-thing:visible").bounding_box()
    drag(opened, (palette["x"] + 20, palette["y"] + 20), spot(opened, 0.85, 0.2))
    assert item(opened, "penguin").x == pytest.approx(0.85, abs=0.03)
    before = len(drawn(opened).items)
    drag(opened, (palette["x"] + 20, palette["y"] + 20), (palette["x"] + 20, palette["y"] + 60))
    assert len(drawn(opened).items) == before, "dropped beside the scene it is none"

    opened.mouse.click(*spot(opened, 0.85, 0.2))
    opened.get_by_role("button", name="Remove", exact=True).click()
    assert "penguin" not in {one.thing for one in drawn(opened).items}
    opened.get_by_role("button", name="Undo").click()
    assert item(opened, "penguin").x == pytest.approx(0.85, abs=0.03)
    opened.get_by_role("button", name="Do again").click()
    assert "penguin" not in {one.thing for one in drawn(opened).items}


def test_the_keys_do_all_that_the_mouse_does(opened: Page) -> None:
    button = opened.locator("#editor .ge-item").first
    assert button.get_attribute("aria-label") == "cat, middle left, 1 of 2 from the back"
    button.focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "+", "]", "f"):
        opened.keyboard.press(key)
    cat = item(opened, "cat")
    assert (cat.x, cat.y) == pytest.approx((CAT.x + 0.01, CAT.y + 0.05), abs=1e-3)
    assert cat.size == pytest.approx(CAT.size * 1.08, abs=1e-3)
    assert 2 * np.arctan(cat.turn) == pytest.approx(2 * np.arctan(CAT.turn) + np.pi / 36, abs=1e-3)
    assert not cat.flip
    opened.keyboard.press("PageUp")
    assert [one.thing for one in drawn(opened).items] == ["dog", "cat"]
    expect(opened.locator("#editor .ge-item:focus")).to_have_attribute("aria-label", CAT_IN_FRONT)
    opened.keyboard.press("d")
    assert [one.thing for one in drawn(opened).items] == ["dog", "cat", "cat"]
    opened.keyboard.press("Delete")
    opened.keyboard.press("Delete")
    assert [one.thing for one in drawn(opened).items] == ["dog"]
    expect(opened.locator("#editor .ge-item:focus")).to_have_count(1)
    opened.keyboard.press("Control+z")
    assert [one.thing for one in drawn(opened).items] == ["dog", "cat"]
    opened.get_by_role("slider", name="Horizon").focus()
    opened.keyboard.press("ArrowUp")
    assert drawn(opened).horizon == pytest.approx(0.58)
    opened.locator("#editor .ge-thing[tabindex='0']").focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Enter")
    assert drawn(opened).items[-1].thing == "dog"
    opened.get_by_role("radio", name="grass").last.focus()
    opened.keyboard.press("ArrowRight")
    assert drawn(opened).ground == ("brick wall", "sand")
    expect(opened.locator("#words textarea")).to_have_value("dog, cat, brick wall, sand")


CAT_IN_FRONT = "cat, middle left, 2 of 2 from the back"


def test_fingers_move_resize_and_turn_and_the_page_still_scrolls(touched: Page) -> None:
    session = touched.context.new_cdp_session(touched)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        told = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    def go(start: list[tuple[float, float]], end: list[tuple[float, float]]) -> None:
        fingers("touchStart", *start)
        for step in range(1, 7):
            fingers("touchMove", *[
                (a[0] + (b[0] - a[0]) * step / 6, a[1] + (b[1] - a[1]) * step / 6)
                for a, b in zip(start, end, strict=True)
            ])  # fmt: skip
        fingers("touchEnd")

    x, y = spot(touched, CAT.x, CAT.y)
    go([(x, y)], [(x + 30, y + 20)])
    moved = item(touched, "cat")
    assert moved.x > CAT.x + 0.03 and moved.y > CAT.y + 0.03
    x, y = spot(touched, moved.x, moved.y)
    go([(x - 15, y), (x + 15, y)], [(x - 30, y - 10), (x + 30, y + 10)])
    pinched = item(touched, "cat")
    assert pinched.size == pytest.approx(moved.size * np.hypot(60, 20) / 30, rel=0.1)
    turned = np.degrees(2 * (np.arctan(pinched.turn) - np.arctan(moved.turn)))
    assert turned == pytest.approx(np.degrees(np.arctan2(20, 60)), abs=3)
    expect(touched.locator("#words textarea")).to_have_value("cat, dog, brick wall, grass")
    before = touched.evaluate("scrollY")
    x, y = spot(touched, 0.03, 0.97)
    go([(x, y)], [(x, y - 120)])
    touched.wait_for_timeout(400)
    assert touched.evaluate("scrollY") != before, "the empty scene lets the page scroll"
    assert touched.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_link_carries_the_drawing_and_typed_words_stay(opened: Page, url: str) -> None:
    opened.locator("#words textarea").fill("cat, dog")
    opened.locator("#editor .ge-item").first.focus()
    opened.keyboard.press("Shift+ArrowRight")
    opened.wait_for_timeout(300)
    assert opened.locator("#words textarea").input_value() == "cat, dog"
    now = drawn(opened)
    assert now != DRAWN
    opened.wait_for_function(f"new URLSearchParams(location.search).get('drawing') === {VALUE}")
    opened.reload()
    opened.wait_for_selector(DONE)
    draw(opened)
    assert drawn(opened) == now
    assert opened.locator("#words textarea").input_value() == "cat, dog"


def test_a_new_scene_fills_the_editor_to_go_on_from(opened: Page) -> None:
    opened.get_by_role("button", name="New scene").click()
    opened.wait_for_function(f"JSON.parse({VALUE}).like[0] === 3")
    layout = scenes.arrange(3, SIZE)
    assert drawn(opened) == Layout.from_json(layout.to_json())
    opened.locator("#editor .ge-item").first.focus()
    opened.keyboard.press("Delete")
    expect(opened.locator("#side-canvas .gw-legend")).not_to_contain_text(layout.items[0].thing)
    opened.keyboard.press("Control+z")
    opened.keyboard.press("Control+z")
    assert drawn(opened) == DRAWN, "and undo leads back to what was drawn before"


def test_at_both_widths_nothing_overflows_and_axe_finds_no_barrier(page: Page, url: str) -> None:
    arrive(page, url, source="drawing", drawing=DRAWN.to_json())
    draw(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        "[...document.querySelectorAll('#editor button:not([hidden])')].filter((b) => "
        "b.offsetParent && !b.classList.contains('ge-item') && Math.min(b.offsetWidth, "
        "b.offsetHeight) < 24).map((b) => b.className)"
    )
    assert not small, "every button can be hit with a finger"
    assert barriers(page, page.viewport_size == PHONE, "#scene") == []
