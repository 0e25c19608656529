"""Widgets: their values from arrays, and what a person can do with them in a browser."""

import base64
import json
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page

from demo.drawing import render
from demo.host import guard
from demo.widgets import cards, values
from demo.widgets.held import LEVELS, Held, matrix_thing, picture_thing
from tests.browser.conftest import SETTLED

GRID = (3, 5)
N = 15
PLACE = values.Shown("p", (90, 150), GRID)
HOSTILE = (
    "<img src=x onerror=window.pwned=1>",
    "${window.pwned=1}",
    "{{constructor.constructor('window.pwned=1')()}}",
    "`;window.pwned=1;`",
    "</script><script>window.pwned=1</script>",
    "\u202eقطة",
    "🐱",
    "x" * 300,
)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (90, 150, 3), np.uint8))


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    rng = np.random.default_rng(1)
    a = rng.random((N, N)) ** 4
    return (a / a.sum(1, keepdims=True)).astype(np.float32)


def test_the_class_token_s_row_travels_with_the_maps(matrix: np.ndarray) -> None:
    with_row = values.Map("a", "name", class_row=matrix[0])
    value = values.attention_value(PLACE, [with_row])
    row = value["maps"][0]["class_row"]
    sent = np.frombuffer(base64.b64decode(row["levels"]), np.uint8)
    assert row["best"] == matrix[0].argmax()
    assert np.abs(sent / 255 * row["top"] - matrix[0] * N).max() <= row["top"] / 255
    without = values.attention_value(PLACE, [with_row, values.Map("b", "name")])
    assert not without["class_row"]


def test_many_patches_are_averaged_over_squares_and_the_value_says_so(photo: Image.Image) -> None:
    grid = (5, 6)
    matrix = np.arange(900, dtype=np.float32).reshape(30, 30)
    value = values.attention_value(
        values.Shown("p", (90, 150), grid, 2), [values.Map("a", "name", tokens=(0, 29))], (4, 5)
    )
    assert value["pooled"] == 2
    assert value["grid"] == (3, 3)
    assert value["maps"][0]["tokens"] == [0, 8]
    assert value["patch"] == [2, 2]
    first = matrix.reshape(5, 6, 5, 6)[:2, :2, :2, :2].mean()
    pooled = render.pool_patches(matrix, grid, 2)
    assert pooled[0, 0] == first
    assert pooled.shape == (9, 9)


def test_blocks_count_from_1_where_a_person_reads(photo: Image.Image) -> None:
    value = values.blocks_value(photo, np.ones((2, N)), GRID, [1.0, 9.0], [(), (3,)], (1,), 1)
    assert value["chosen"] == 2
    assert [(b["number"], b["fused"], b["tokens"]) for b in value["blocks"]] == [
        (1, False, []),
        (2, True, [3]),
    ]


@pytest.fixture(scope="module")
def page_of_widgets(photo: Image.Image, matrix: np.ndarray) -> Iterator[str]:
    """A page with every widget on made-up arrays; its URL."""
    import gradio as gr

    from demo import page as layout
    from demo import theme, widgets
    from demo.widgets import code

    held = Held()
    picture = held.offer("photo", lambda: picture_thing(photo))
    names = [held.offer(k, lambda k=k: matrix_thing(matrix[::k], N)) for k in (1, -1)]
    maps = [values.Map("AMF off", names[0], (7,), matrix[0]), values.Map("AMF on", names[1])]
    place = values.Shown(picture, (90, 150), GRID)
    norms = np.ones(64)
    norms[9] = 3
    curve = cards.entropy_curve(np.linspace(1, 0.9, 12), np.ones(12))
    shown = {
        "attention": values.attention_value(place, [maps[0]]),
        "both": values.attention_value(place, maps),
        "blocks": values.blocks_value(photo, np.ones((2, N)), GRID, [1, 9], [(), (3,)], (1,), 0),
        "channels": cards.norms_value(
            norms, np.ones(64), 8, [curve], model="m", cs=True, drags=True
        ),
    }
    kind_of = {"both": "attention", "channels": "norms"}
    kinds = {name: getattr(widgets, kind_of.get(name, name)) for name in shown}

    def told(event: gr.SelectData) -> str:
        return json.dumps(event.index)

    def moved(event: gr.EventData) -> str:
        return json.dumps(event._data["value"])

    with gr.Blocks(analytics_enabled=False) as demo:
        made = {name: kinds[name](elem_id=name) for name in shown}
        said = gr.Textbox(elem_id="said", label="said")
        again = gr.Button("again", elem_id="again")
        for name in ("attention", "blocks", "channels"):
            made[name].select(told, None, said, api_visibility="private")
        fill = {"outputs": list(made.values()), "api_visibility": "private"}
        demo.load(lambda: list(shown.values()), None, **fill)
        again.click(lambda: list(shown.values()), None, **fill)
    _, url, _ = demo.launch(
        prevent_thread_lock=True,
        quiet=True,
        run_history=False,
        theme=theme.theme(),
        app_kwargs=guard.app_settings(demo, layout.head())
        | {"routes": [held.route(), *code.routes()]},
    )
    yield url
    demo.close()


@pytest.fixture
def tab(page_of_widgets: str, desktop: Page) -> Page:
    desktop.goto(page_of_widgets)
    for name in ("attention", "both", "blocks", "channels"):
        desktop.wait_for_selector(f'#{name} .gw[data-ready="1"]')
    return desktop


def said(tab: Page, wanted: str) -> None:
    tab.wait_for_function(
        "wanted => document.querySelector('#said textarea').value === wanted", arg=wanted
    )


def click_at(stage: Locator, y: float, x: float) -> None:
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    stage.click(position={"x": box["width"] * x, "y": box["height"] * y})


def test_pointer_moves_follow_the_library_s_map_and_ask_nothing_of_the_server(
    tab: Page, matrix: np.ndarray
) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    stage = tab.locator("#both .gw-stage")
    box = stage.first.bounding_box()
    for i in range(20):
        tab.mouse.move(box["x"] + 5 + i * 5, box["y"] + 5 + i)
    tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    assert [url for url in asked if not url.startswith("data:")] == []
    shown = tab.evaluate("[0, 1].map(k => document.querySelector('#both .gw').levels(k))")
    top, step = render.full_scale(matrix), 1 / (LEVELS[0] - 1)
    for levels, row in zip(shown, (matrix[7], matrix[::-1][7]), strict=True):
        drawn = (np.array(levels) / 63) ** 2
        assert np.abs(drawn - np.clip(row / top, 0, 1)).max() <= step, "the maps move in step"
    best = int(matrix[7].argmax())
    said = tab.locator("#both .gw-info").inner_text()
    assert best == 7 or f"AMF off: row {best // 5 + 1}, column {best % 5 + 1}" in said


def test_attention_works_by_keyboard_and_says_where_it_is(tab: Page) -> None:
    tab.locator("#attention .gw-stage").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        tab.keyboard.press(key)
    assert "row 3, column 4" in tab.locator("#attention .gw-info").inner_text()
    tab.keyboard.press("Enter")
    assert "(pinned)" in tab.locator("#attention .gw-info").inner_text()
    tab.locator("#attention button", has_text="Class token").click()
    assert "class token" in tab.locator("#attention .gw-info").inner_text()
    tab.locator("#attention button", has_text="matrix").click()
    assert tab.locator("#attention canvas").get_attribute("width") == str(N)


def test_a_click_names_the_patch(tab: Page) -> None:
    click_at(tab.locator("#attention .gw-stage"), 0.9, 0.9)
    said(tab, "[2, 4]")


def test_a_block_is_chosen_by_its_number(tab: Page) -> None:
    tab.locator("#blocks button").nth(1).click()
    said(tab, "2")
    assert tab.locator("#blocks button").nth(1).get_attribute("aria-pressed") == "true"


def test_a_drag_over_channels_chooses_them_and_escape_clears(tab: Page) -> None:
    plot = tab.locator("#channels .gw-plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 100)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100, steps=3)
    tab.mouse.up()
    tab.wait_for_function("document.querySelector('#said textarea').value.startsWith('[')")
    first, last = json.loads(tab.locator("#said textarea").input_value())
    assert 0 < first < last < 63
    plot.focus()
    tab.keyboard.press("Escape")
    said(tab, "null")


def test_nothing_overflows(tab: Page) -> None:
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(SETTLED, width) <= width, width
