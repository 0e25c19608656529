"""The canvas and the cards beside it: their values, and what a person can do with them."""

import base64
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page

from demo.host import guard
from demo.widgets import cards, held
from demo.widgets.held import LEVELS, MATRIX_BYTES, Held, largest, matrix_thing, picture_thing
from gclip_core import palette
from tests.browser.conftest import DESKTOP, PHONE, SETTLED

GRID, SIZE = (3, 5), (90, 150)
N = 15
HOSTILE = (
    "<img src=x onerror=window.pwned=1>", "${window.pwned=1}", "`;window.pwned=1;`",
    "{{constructor.constructor('window.pwned=1')()}}", "\u202eقطة", "🐱", "x" * 300,
)  # fmt: skip


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    rng = np.random.default_rng(1)
    a = rng.random((N, N)) ** 4
    a[0, 7] = a[0, 11] * 1.0001  # two that share a level: only the exact row tells them apart
    a[0, [7, 11]] += 3
    return (a / a.sum(1, keepdims=True)).astype(np.float32)


def unpacked(body: bytes) -> tuple[int, int, float, np.ndarray, np.ndarray, np.ndarray]:
    data = gzip.decompress(body)
    n, count = np.frombuffer(data, "<u4", 2)
    top = float(np.frombuffer(data, "<f4", 1, 8)[0])
    places = np.frombuffer(data, "<u2", 2 * n, 12).reshape(n, 2)
    times = np.frombuffer(data, "<f4", 2 * n, 12 + 4 * n).reshape(n, 2)
    rows = np.frombuffer(data, np.uint8, n * n, 12 + 12 * n).reshape(n, n)
    levels = np.cumsum(rows, 0, dtype=np.uint8)
    return int(n), int(count), top, places, times, levels


def labels_of(value: dict, side: int) -> np.ndarray:
    kind, none = (np.dtype("<u2"), 65535) if value["wide"] else (np.dtype("u1"), 255)
    rows = np.frombuffer(zlib.decompress(base64.b64decode(value["sides"][side]["mask"])), np.uint8)
    h, w = value["shape"]
    back = np.cumsum(rows.reshape(h, -1), 0, dtype=np.uint8).view(kind).astype(int)
    return np.where(back == none, -1, back)


# --- values --------------------------------------------------------------------------------------


def test_where_a_patch_looks_most_is_told_from_the_exact_row(matrix: np.ndarray) -> None:
    n, count, top, places, times, levels = unpacked(matrix_thing(matrix, N).body)
    assert n == N
    assert (places[:, 0] == matrix.argmax(1)).all()
    assert np.allclose(times[:, 0], matrix.max(1) * N)
    assert np.allclose(times, -np.sort(-matrix, 1)[:, :2] * N)
    assert levels[0, 7] == levels[0, 11], "the levels alone would name the wrong one"
    assert np.abs(levels / (count - 1) - np.clip(matrix * N / top, 0, 1)).max() <= 0.51 / (
        count - 1
    )


def test_of_equal_numbers_the_first_is_the_largest() -> None:
    rows = np.random.default_rng(0).integers(0, 4, (50, 30)).astype(np.float32)
    assert (largest(rows, 3) == np.argsort(-rows, axis=1, kind="stable")[:, :3]).all()


def test_the_finest_levels_that_fit_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).dirichlet(np.full(256, 0.5), 256)
    sizes = {}
    for count in LEVELS:
        monkeypatch.setattr(held, "LEVELS", (count,))
        sizes[count] = len(matrix_thing(matrix, 256).body)
    monkeypatch.setattr(held, "LEVELS", LEVELS)
    for limit in (*sizes.values(), min(sizes.values()) - 1):
        monkeypatch.setattr(held, "MATRIX_BYTES", limit)
        fits = [count for count in LEVELS if sizes[count] <= limit]
        assert unpacked(matrix_thing(matrix, 256).body)[1] == (fits or LEVELS[-1:])[0]


def test_a_matrix_of_768_patches_stays_under_its_share_of_the_wire() -> None:
    rng = np.random.default_rng(0)
    noisy = rng.dirichlet(np.full(768, 0.5), 768)  # packs worse than any real one met
    coarse = matrix_thing(noisy, 768).body
    assert unpacked(coarse)[1] == LEVELS[-1] and len(coarse) < 768 * 768 / 2
    stripes = np.full((768, 768), 1e-4, np.float32)
    stripes[:, 40] = 1
    assert len(matrix_thing(stripes, 768).body) < MATRIX_BYTES / 10


@pytest.mark.parametrize("n", [3, 254, 300])
def test_a_canvas_carries_every_label_exactly(n: int) -> None:
    labels = np.arange(90 * 150).reshape(SIZE) % (n + 1) - 1
    shown = cards.Shown("p", SIZE, GRID)
    value = cards.canvas_value(shown, [cards.Side("a", labels)], [f"w{i}" for i in range(n)])
    assert (labels_of(value, 0) == labels).all()
    assert value["rest"] == [pytest.approx((labels < 0).mean())]
    assert value["classes"][1]["shares"] == [pytest.approx((labels == 1).mean())]
    json.dumps(value, allow_nan=False)


def test_what_changed_counts_every_pixel_at_full_size() -> None:
    one = np.zeros((900, 1500), int)
    two = one.copy()
    two[0, :135] = 1  # a tenth of one thousandth, lost at the size that travels
    value = cards.canvas_value(
        cards.Shown("p", one.shape, GRID), [cards.Side("a", one), cards.Side("b", two)], ["x", "y"]
    )
    assert value["changed"] == pytest.approx(135 / one.size)


def test_a_class_keeps_its_colour_whatever_its_place_in_the_list() -> None:
    names = ["moon", "monkey", "octopus", "tree", "night sky", "water", "🐱", "cat"]
    colours = dict(zip(names, palette.of_names(names), strict=True))
    assert dict(zip(names[::-1], palette.of_names(names[::-1]), strict=True)) == colours
    assert len(set(colours.values())) == len(names)
    assert palette.of_names(["Cat"]) == palette.of_names(["cat"])
    many = [f"word {i}" for i in range(200)]
    assert len(set(palette.of_names(many))) > 190
    assert all(palette.contrast(c, palette.ink_on(c)) >= 4.5 for c in palette.of_names(many))


def test_norms_say_what_cs_would_do_whether_or_not_it_is_on() -> None:
    before = np.ones(64)
    before[9] = 8
    after, curve = np.ones(64), cards.entropy_curve(np.linspace(1, 0.9, 12), np.ones(12))
    made = [
        cards.norms_value(before, after, 6, [curve], model="m", cs=cs, abnormal=(6,))
        for cs in (False, True)
    ]
    assert made[0]["moved"] == made[1]["moved"] == [[9, 1.0]]
    assert made[0]["block"] == 7 and made[0]["abnormal"] == [7]
    nothing = np.full(12, np.nan)
    curves = [cards.entropy_curve(nothing, nothing), cards.ratio_curve(nothing, [np.inf] * 12, 2)]
    json.dumps(cards.norms_value(before * 0, after * 0, 0, curves, model="m", cs=True),
               allow_nan=False)  # fmt: skip


def test_pixels_are_counted_from_1_where_a_person_reads() -> None:
    value = cards.why_value([cards.Reason("CLIP", [("cat", 0.7)])], ["cat"], (0, 4))
    assert value["title"] == "Pixel in row 1, column 5"
    assert value["variants"][0]["entries"][0]["colour"] == palette.of_names(["cat"])[0]


def test_what_is_held_is_made_once_under_a_name_of_its_own() -> None:
    held, made = Held(), []

    def make() -> object:
        made.append(1)
        return matrix_thing(np.eye(4), 4)

    name = held.offer(("a", 1), make)
    assert held.offer(("a", 1), make) == name != held.offer(("a", 2), make)
    assert Held().offer(("a", 1), make) != name, "nobody can guess it"
    assert made == []


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(matrix: np.ndarray) -> Iterator[str]:
    """A page with the canvas and the cards on made-up arrays; its address."""
    import gradio as gr

    from demo import page as layout
    from demo import theme, widgets
    from demo.widgets import code

    held = Held()
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))
    picture = held.offer("photo", lambda: picture_thing(photo))
    names = [held.offer(k, lambda k=k: matrix_thing(matrix[::k], N)) for k in (1, -1)]
    shown = cards.Shown(picture, SIZE, GRID)
    labels = np.arange(90 * 150).reshape(SIZE) // 1500 % (len(HOSTILE) + 1) - 1
    norms = np.ones(64)
    norms[9] = 30
    curve = cards.entropy_curve(np.linspace(1, 0.9, 12), np.ones(12))
    turned = np.roll(labels, 30, 0)

    def values(on: bool) -> list[dict]:
        sides = [
            cards.Side(HOSTILE[0], labels, "mIoU 1.0 %", names[0], "without"),
            cards.Side("GCLIP", turned if on else labels, "mIoU 2.0 %", names[1], "with"),
        ]
        return [
            cards.canvas_value(shown, sides, HOSTILE, notes=("hint", HOSTILE[1]), simulated="Sim."),
            cards.maps_value(
                shown, [cards.Thumb("Block 6", matrix[0] * N, (7,))],
                [("without", names[0]), ("with", names[1])], note=HOSTILE[2],
            ),
            cards.norms_value(
                norms, np.ones(64), 6, [curve], model="m", cs=on, abnormal=(6,),
                simulated="Sim.",
            ),
            cards.canvas_value(shown, sides[:1], HOSTILE, compact=True),
        ]  # fmt: skip

    def told(event: gr.SelectData) -> str:
        return json.dumps(event.index)

    def explain(event: gr.SelectData) -> dict:
        pixel = (event.index[0], event.index[1])
        return cards.why_value(
            [cards.Reason(HOSTILE[3], [(w, 0.5) for w in HOSTILE])], HOSTILE, pixel
        )

    with gr.Blocks(analytics_enabled=False) as demo:
        canvas, maps, norm = widgets.canvas(elem_id="canvas"), None, None
        with gr.Row():
            maps, norm = widgets.maps(elem_id="maps"), widgets.norms(elem_id="norms")
        small, why = widgets.canvas(elem_id="small"), widgets.why(elem_id="why")
        said = gr.Textbox(elem_id="said", label="said")
        on = gr.Checkbox(False, label="on", elem_id="on")
        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        every = [canvas, maps, norm, small]
        for one in (canvas, small):
            one.select(told, None, said, **quiet)
            one.select(explain, None, why, **quiet)
        norm.select(told, None, said, **quiet)
        for one in (canvas, norm):
            one.clear(lambda: "cleared", None, said, **quiet)
        demo.load(values, on, every, **quiet)
        on.input(values, on, every, **quiet)
    _, address, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, run_history=False,
        theme=theme.theme(),
        app_kwargs=guard.app_settings(demo, layout.head())
        | {"routes": [held.route(), *code.routes()]},
    )  # fmt: skip
    yield address
    demo.close()


def opened(context: BrowserContext, url: str, size: dict[str, int] = DESKTOP) -> Page:
    tab = context.new_page()
    tab.set_viewport_size(size)
    tab.errors = []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.set_default_timeout(15_000)
    tab.goto(url)
    for name in ("canvas", "maps", "norms", "small"):
        tab.wait_for_selector(f'#{name} .gw[data-ready="1"]')
    tab.wait_for_function(
        "document.querySelector('#canvas .gw').matrices.filter(Boolean).length === 2"
        " && document.querySelector('#maps .gw').matrices.filter(Boolean).length === 2"
    )
    tab.wait_for_function("""() => [...document.querySelectorAll('#canvas .gw-mask')].every((c) =>
        c.width === Math.round(c.closest('.gw-stage').clientWidth * devicePixelRatio))""")
    return tab


@pytest.fixture
def tab(url: str, browser: BrowserContext) -> Iterator[Page]:
    made = opened(browser, url)
    yield made
    assert made.errors == []
    made.close()


def at(tab: Page, row: int, column: int, name: str = "canvas") -> tuple[float, float]:
    """The middle of a patch on the screen."""
    stage = tab.locator(f"#{name} .gw-stage").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    return (
        box["x"] + box["width"] * (column + 0.5) / GRID[1],
        box["y"] + box["height"] * (row + 0.5) / GRID[0],
    )


def info(tab: Page) -> str:
    return tab.locator("#canvas .gw-info").inner_text()


def pixel_said(tab: Page, row: int, column: int) -> None:
    """The pixel that was asked about, up to where the pointer stands within a screen's pixel."""
    tab.wait_for_function("document.querySelector('#said textarea').value.startsWith('[')")
    found = json.loads(tab.locator("#said textarea").input_value())
    assert found == pytest.approx([row, column], abs=1)


def said(tab: Page, wanted: str) -> None:
    tab.wait_for_function("w => document.querySelector('#said textarea').value === w", arg=wanted)


def ink(tab: Page, selector: str) -> str:
    return tab.locator(selector).first.evaluate("c => c.toDataURL()")


def test_pointing_shows_where_a_patch_looks_everywhere_and_asks_nothing_of_the_server(
    tab: Page, matrix: np.ndarray
) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    blank = ink(tab, "#canvas .gw-heat")
    tab.mouse.move(*at(tab, 0, 0))
    best = int(matrix[0].argmax())
    assert f"Looks most at row {best // 5 + 1}, column {best % 5 + 1}" in info(tab)
    assert f"{matrix[0].max() * N:.1f} ×" in info(tab)
    assert ink(tab, "#canvas .gw-heat") != blank
    assert tab.locator("#maps canvas").nth(1).get_attribute("width") == "5", "its row, as a map"
    assert tab.locator("#small .gw-here").get_attribute("x") == "0"
    tab.mouse.move(*at(tab, 2, 4, "maps"))
    assert info(tab).startswith("Patch in row 3, column 5")
    tab.mouse.move(0, 0)
    assert info(tab) == "hint"
    assert ink(tab, "#canvas .gw-heat") == blank
    assert tab.locator("#maps canvas").nth(1).get_attribute("width") == str(N), "the matrix"
    assert [one for one in asked if not one.startswith("data:")] == []


def test_a_press_asks_why_and_pins_and_escape_lets_go(tab: Page) -> None:
    tab.mouse.click(*at(tab, 1, 3))
    pixel_said(tab, 45, 105)
    assert "(pinned)" in info(tab)
    why = tab.locator("#why .gw")
    why.wait_for(state="visible")
    assert re.fullmatch("Pixel in row 4[56], column 10[56]", why.get_attribute("aria-label"))
    assert why.locator("li").count() == len(HOSTILE)
    box, stage = why.bounding_box(), tab.locator("#canvas .gw-stage").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    tab.mouse.move(*at(tab, 0, 0))
    assert "Patch in row 2, column 4" in info(tab), "pinned: the pointer no longer moves it"
    tab.locator("#canvas .gw-stage").focus()
    tab.keyboard.press("Escape")
    why.wait_for(state="hidden")
    assert info(tab) == "hint"
    assert stage["width"] > 0


def test_everything_works_by_keyboard(tab: Page) -> None:
    tab.locator("#canvas .gw-stage").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        tab.keyboard.press(key)
    assert info(tab).startswith("Patch in row 3, column 4")
    tab.keyboard.press(" ")
    assert "(pinned)" in info(tab)
    tab.keyboard.press("Enter")
    pixel_said(tab, 75, 105)
    tab.locator("#why .gw").wait_for(state="visible")
    tab.wait_for_function("document.activeElement === document.querySelector('#why .gw')")
    tab.keyboard.press("Escape")
    tab.wait_for_function("document.activeElement.matches('#canvas .gw-stage')")
    tab.locator("#canvas .gw-handle").focus()
    tab.keyboard.press("End")
    assert tab.locator("#canvas .gw-handle").get_attribute("aria-valuenow") == "100"
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#canvas .gw-edge").evaluate("e => e.style.left") == "95%"


def test_a_drag_swipes_and_asks_nothing(tab: Page) -> None:
    x, y = at(tab, 1, 2)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 150, y, steps=4)
    tab.mouse.up()
    assert float(tab.locator("#canvas .gw-handle").get_attribute("aria-valuenow")) < 45
    tab.wait_for_timeout(300)
    assert tab.locator("#said textarea").input_value() == ""


def test_on_a_touch_screen_a_first_tap_looks_and_a_second_asks(
    url: str, browser: BrowserContext
) -> None:
    context = browser.browser.new_context(has_touch=True)
    tab = opened(context, url, PHONE)
    where = at(tab, 1, 1)
    tab.touchscreen.tap(*where)
    assert info(tab).startswith("Patch in row 2, column 2 (pinned)")
    tab.wait_for_timeout(300)
    assert tab.locator("#said textarea").input_value() == ""
    tab.touchscreen.tap(*where)
    pixel_said(tab, 45, 45)
    sheet = tab.locator("#why .gw")
    sheet.wait_for(state="visible")
    box = sheet.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert tab.errors == []
    context.close()


def colours(tab: Page) -> int:
    return tab.evaluate("""() => { const c = document.querySelector('#canvas .gw-mask');
        const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const d = new Uint32Array(all.buffer);
        const seen = new Map(); d.forEach((x) => seen.set(x, (seen.get(x) || 0) + 1));
        return [...seen.values()].filter((n) => n > 0.01 * d.length).length }""")


def test_the_legend_tells_areas_and_isolates_a_class_the_rest_and_what_changed(tab: Page) -> None:
    before = colours(tab)
    entry = tab.locator("#canvas .gw-entry")
    names = entry.locator(".gw-name").all_inner_texts()
    assert names[-1] == "rest" and set(HOSTILE) < set(names)
    entry.first.hover()
    assert colours(tab) < before
    tab.mouse.move(0, 0)
    assert colours(tab) == before
    entry.first.click()
    assert entry.first.get_attribute("aria-pressed") == "true"
    entry.first.click()
    tab.locator("#on input").click()
    tab.wait_for_function(
        "[...document.querySelectorAll('#canvas .gw-name')].at(-1).innerText.startsWith('changed')"
    )
    assert tab.locator("#canvas .gw-percent").nth(len(names)).inner_text().endswith("%")


def test_a_switch_melts_one_mask_into_the_next_unless_motion_is_unwanted(
    url: str, browser: BrowserContext
) -> None:
    watch = """new MutationObserver((all) => all.forEach((one) => one.addedNodes.forEach((node) => {
        if (node.classList?.contains('gw-ghost')) window.ghosts = (window.ghosts || 0) + 1; })))
        .observe(document.querySelector('#canvas'), {childList: true, subtree: true})"""
    for motion, wanted in (("no-preference", 2), ("reduce", 0)):
        tab = opened(browser, url)
        tab.emulate_media(reduced_motion=motion)
        tab.evaluate(watch)
        tab.locator("#on input").click()
        tab.wait_for_selector("#canvas .gw-changed")
        tab.wait_for_timeout(900)
        assert tab.evaluate("window.ghosts || 0") == wanted
        assert tab.locator("#canvas .gw-ghost").count() == 0
        tab.close()


def test_norms_choose_a_block_and_switch_a_simulation_off(tab: Page) -> None:
    tab.locator("#norms input[type=range]").focus()
    tab.keyboard.press("ArrowRight")
    said(tab, "8")
    assert "what CS would do" in tab.locator("#norms .gw-key").inner_text()
    tab.locator("#norms .gw-link").click()
    said(tab, "cleared")
    plot = tab.locator("#norms svg").first.bounding_box()
    tab.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 40)
    assert tab.locator("#norms .gw-info").inner_text().startswith("Channel ")


def test_a_switch_sends_no_picture_and_no_matrix_again(tab: Page) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.locator("#on input").click()
    tab.wait_for_selector("#canvas .gw-changed")
    tab.wait_for_timeout(300)
    assert [one for one in asked if "/held/" in one and one.endswith("x")] == []
    sizes = tab.evaluate(
        "performance.getEntriesByType('resource').filter((r) => r.name.includes('/held/'))"
        ".map((r) => r.name)"
    )
    assert len(set(sizes)) == 3, "one picture, two matrices"


def test_what_is_not_kept_is_said_and_what_is_kept_is_kept_for_good(url: str, tab: Page) -> None:
    missing = httpx.get(f"{url}held/{'0' * 32}")
    assert (missing.status_code, missing.text) == (404, "This is not kept any more.")
    name = tab.evaluate(
        "performance.getEntriesByType('resource').find((r) => r.name.includes('/held/')).name"
    )
    found = httpx.get(name)
    assert "immutable" in found.headers["cache-control"]
    assert Image.open(io.BytesIO(found.content)).size == (150, 90)


def test_hostile_words_stay_words(tab: Page) -> None:
    tab.mouse.click(*at(tab, 1, 3))
    tab.locator("#why .gw").wait_for(state="visible")
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("#canvas .gw-head .gw-title").first.inner_text() == HOSTILE[0]


def test_nothing_overflows(tab: Page) -> None:
    for width in (1280, 390, 320):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(SETTLED, width) <= width, width
