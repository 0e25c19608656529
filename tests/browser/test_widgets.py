"""Widgets on made-up values: the canvas, maps of attention, blocks and norms."""

import ast
import re
from collections.abc import Iterator
from threading import Event
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from demo import document, theme, widgets
from demo.host.blob_store import Blob, BlobStore, LazyBlob
from demo.widgets import values
from demo.widgets.blobs import Levels, attention_blob, packed, picture_blob
from gclip_core.types import GlobalTokens, class_shares
from tests.browser.conftest import DESKTOP, SETTLED, WAIT, barriers, visitor

GRID, SIZE, N = (3, 5), (90, 150), 15
NAMES = [
    "<img src=x onerror=window.pwned=1>",
    "${window.pwned=1}",
    "stop sign",
    "sky",
    "\u202eقطة",
]
KINDS = {
    "canvas": "canvas",
    "small": "canvas",
    "attention": "attention",
    "blocks": "blocks",
    "maps": "maps",
    "norms": "norms",
    "equal": "maps",
}
QUIET = {"api_visibility": "private", "show_progress": "hidden"}


class Gate:
    """Holds back the reasons of a pixel until it is opened."""

    def __init__(self) -> None:
        self.asked, self.opened = Event(), Event()
        self.opened.set()


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    found = np.random.default_rng(1).dirichlet(np.full(N, 0.2), N).astype(np.float32)
    found[0] = 0.01
    found[0, [7, 11, 4, 0]] = 3, 2, 1, 5
    return found / found.sum(1, keepdims=True)


def shown(store: BlobStore, matrix: np.ndarray, on: bool, kite: bool) -> dict[str, Any]:
    """The widgets' values, for switches "on" and "kite", a word before all others, off at first."""
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))
    name = store.lazy("photo", lambda: picture_blob(photo))
    picture = {"picture": name, "size": SIZE, "grid": GRID, "pooled": 1}
    own, other, again = (
        store.lazy(name, lambda one=one: attention_blob(one, N))
        for name, one in (("own", matrix), ("other", matrix[::-1]), ("again", matrix))
    )
    best = np.tile([[3], [4], [5]], N)  # sky, the word from right to left, a hidden word
    cosines = np.tile(np.float32([[0.31], [0.22], [0.2]]), N)
    shares = Levels(np.tile([[0.7], [0.2], [0.1]], N), 1.0, 255)
    words = store.lazy("words", lambda: Blob(packed(best=best, cosines=cosines, shares=shares)))
    labels = np.arange(90 * 150).reshape(SIZE) // 2700 % 5
    turned = np.roll(labels, 30, 0)
    turned[:, :75] = 3

    def side(title: str, labels: np.ndarray, score: str) -> values.Side:
        found = class_shares(torch.from_numpy(labels), len(names))
        return values.Side(title, labels, found, score, own, words)

    last = turned if on else labels
    names = NAMES
    if kite:
        names = ["kite", *NAMES]
        labels, last = labels + 1, last + 1
        labels[:9], last[:9] = 0, 0
    sides = [side("ClearCLIP", labels, "mIoU 1.0 %"), side("GCLIP", last, "mIoU 2.0 %")]
    both = sides if on else sides[1:]
    norms = np.ones(64)
    norms[9] = 3
    channels = values.Norms(norms, np.ones(64), 8, 12, "m", cs=True)
    curve = values.entropy_curve(np.linspace(1, 0.9, 12), np.ones(12))
    thumbs = [("Block 6", matrix[0] * N, (7,))]
    maps = [values.Map("AMF off", own, (7,), matrix[0]), values.Map("AMF on", other, (), matrix[1])]
    seen = GlobalTokens((1.0, 9.0), ((), (3,)), (np.nan, 1.0), 5.0)
    hint = ("hint", "Nothing changes: off.")
    return {
        "canvas": values.canvas_value(picture, both, names, notes=hint),
        "small": values.canvas_value(picture, sides[:1], names, compact=True),
        "attention": values.attention_value(picture, maps),
        "blocks": values.blocks_value(picture, np.ones((2, N)), seen, (1,), 0),
        "maps": values.maps_value(picture, thumbs, [("without", own), ("with", other)]),
        "norms": values.norms_value(channels, [curve], drags=True),
        "equal": values.maps_value(picture, thumbs, [("without", own), ("with", again)]),
    }


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def url(matrix: np.ndarray, gate: Gate) -> Iterator[str]:
    """A page with all widgets; what one selects is written into "said"."""
    store = BlobStore()

    def explain(pixel: str) -> dict:
        gate.asked.set()
        gate.opened.wait(WAIT / 1000)
        words = [{"name": one, "score": 0.2, "colour": "#123456", "label": False} for one in NAMES]
        found = {"title": f"Why {pixel}", "pixel": ast.literal_eval(pixel), "note": "note"}
        return {"kind": "why", **found, "variants": [{"title": "MaskCLIP", "entries": words}]}

    def select(event: gr.SelectData) -> str:
        return str(event.index)

    def fill(on: bool, kite: bool) -> list[Any]:
        named: dict[str, LazyBlob] = {}
        filled = [values.as_json(value, named) for value in shown(store, matrix, on, kite).values()]
        store.put(named.values())
        return filled

    with gr.Blocks(analytics_enabled=False) as demo:
        made = {name: getattr(widgets, kind)(elem_id=name) for name, kind in KINDS.items()}
        why = widgets.why(elem_id="why")
        said = gr.Textbox(elem_id="said", label="said")
        pixel = gr.Textbox(label="pixel")
        on = gr.Checkbox(False, label="on", elem_id="on")
        kite = gr.Checkbox(False, label="kite", elem_id="kite")
        for name, one in made.items():
            one.select(select, None, said, **QUIET)
            one.clear(lambda: "cleared", None, said, **QUIET)
            if KINDS[name] == "canvas":
                one.select(select, None, pixel, **QUIET)
        pixel.change(explain, pixel, why, trigger_mode="always_last", **QUIET)
        demo.load(fill, [on, kite], list(made.values()), **QUIET)
        gr.on([on.input, kite.input], fill, [on, kite], list(made.values()), **QUIET)
    # The page itself is shown once its input is there, which this has not.
    seen = "<style>.main.main, .main > .wrap.wrap { visibility: visible;"
    seen += " content-visibility: visible }</style>"
    _, address, _ = demo.launch(
        prevent_thread_lock=True,
        quiet=True,
        run_history=False,
        theme=theme.theme(),
        head=document.head() + seen,
        app_kwargs={"routes": document.routes(SimpleNamespace(blobs=store))},
    )
    yield address
    demo.close()


def ready(tab: Page, url: str) -> Page:
    tab.goto(url)
    for name in KINDS:
        tab.wait_for_selector(f'#{name} .gw[data-ready="1"]')
    return tab


@pytest.fixture(scope="module")
def kept(url: str, browser: BrowserContext) -> Iterator[Page]:
    """The page, for tests that leave it as they found it."""
    for opened in visitor(browser, DESKTOP):
        yield ready(opened, url)


@pytest.fixture
def switched(kept: Page) -> Iterator[Page]:
    """The same with the switch on."""
    switch(kept)
    yield kept
    switch(kept, on=False)


def at(tab: Page, row: int, column: int) -> tuple[float, float]:
    """The middle of a patch on the screen."""
    stage = tab.locator("#canvas .gw-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    x = box["x"] + box["width"] * (column + 0.5) / GRID[1]
    return x, box["y"] + box["height"] * (row + 0.5) / GRID[0]


def info(tab: Page) -> str:
    return tab.locator("#canvas .gw-sentence").inner_text()


FRAMES = """() => { let now = performance.now(); performance.now = () => now;
  window.requestAnimationFrame = (draw) => setTimeout(() => draw((now += 50)), 5); }"""
"""A frame every 50 ms of the page's own clock, however busy the machine is."""


def switch(tab: Page, on: bool = True) -> None:
    tab.locator("#on input").click()
    expect(tab.locator("#canvas .gw-modes")).to_have_count(int(on))


def test_the_canvas_shows_one_mask_and_says_why_where_both_are_equal(kept: Page) -> None:
    assert kept.locator("#canvas .gw-mask").count() == 1
    assert kept.locator("#canvas .gw-modes").count() == 0
    expect(kept.locator("#canvas")).to_contain_text("Nothing changes: off.")


def test_before_after_and_swipe_are_one_control_over_the_canvas(switched: Page) -> None:
    tab, asked = switched, switched.locator("#said textarea").input_value()
    title, seen = tab.locator("#canvas .gw-named"), tab.locator("#canvas .gw-mask:not(.gw-off)")
    assert title.inner_text().startswith("GCLIP") and seen.count() == 1
    tab.get_by_role("button", name="ClearCLIP").click()
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
    assert tab.locator("#said textarea").input_value() == asked, "a drag asks nothing"
    tab.get_by_role("button", name="GCLIP", exact=True).click()


def test_pointing_lights_the_photo_and_names_the_best_words(kept: Page) -> None:
    asked: list[str] = []
    kept.wait_for_timeout(300)
    kept.on("request", lambda request: asked.append(request.url))
    kept.mouse.move(*at(kept, 0, 0))
    expect(kept.locator("#canvas .gw-tip bdi")).to_have_text(["sky", NAMES[4], "background"])
    assert kept.locator("#canvas .gw-arc").count() == 3
    glow = kept.locator("#canvas .gw-glow").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, 5, 3).data].filter((_, i) => i % 4 === 3)"
    )
    assert max(glow[i] for i in (7, 11, 0)) == 240 and np.median(glow) < 60
    photo = kept.locator("#canvas .gw-picture").evaluate("one => getComputedStyle(one).filter")
    assert photo == "none", "the photo is not dimmed"
    assert kept.locator("#small .gw-here").get_attribute("x") == "0", "every widget follows"
    kept.mouse.move(0, 0)
    expect(kept.locator("#canvas .gw-tip")).to_be_hidden()
    assert [one for one in asked if not one.startswith("data:")] == []


def test_beside_the_pointer_the_patch_is_named_from_row_1_and_column_1(kept: Page) -> None:
    where = kept.locator("#canvas .gw-tip .gw-where")
    for row, column in ((0, 0), (2, 4)):
        kept.mouse.move(*at(kept, row, column))
        expect(where).to_have_text(f"row {row + 1}, column {column + 1}")
    kept.mouse.move(0, 0)
    expect(where).to_have_count(0)


def test_a_patch_is_pinned_in_a_map_as_on_the_canvas(kept: Page) -> None:
    thumb = kept.locator("#maps .gw-stage").first
    thumb.click()  # in its middle
    kept.mouse.move(0, 0)
    here = kept.locator("#canvas .gw-here")
    assert [here.get_attribute(axis) for axis in "xy"] == ["2", "1"], "it stays"
    expect(kept.locator("#canvas .gw-sentence")).to_contain_text("In GCLIP this patch")
    thumb.click()
    kept.mouse.move(0, 0)
    expect(here).to_have_count(0)


def test_a_press_says_why_in_one_sentence_and_folds_the_rest(kept: Page) -> None:
    kept.mouse.click(*at(kept, 0, 0))
    looks = "In GCLIP this patch looks mostly at these; their average matches sky 0.31, "
    assert info(kept).startswith(f"{looks}{NAMES[4]} 0.22, background 0.20 (cosines; ")
    fold = kept.locator("#canvas .gw-more")
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    expect(fold).to_contain_text("MaskCLIP")
    expect(fold).to_contain_text("looks most at itself")
    card = kept.locator("#canvas").bounding_box()
    mine = fold.bounding_box()
    assert mine["x"] >= card["x"] and mine["x"] + mine["width"] <= card["x"] + card["width"]
    kept.mouse.move(*at(kept, 2, 4))
    assert kept.locator("#canvas .gw-here").get_attribute("x") == "0", "it stays pinned"
    kept.evaluate("document.activeElement.blur()")
    kept.keyboard.press("Escape")
    assert info(kept) == "hint"


REASONS = """() => { const fold = document.querySelector('#canvas .gw-more');
  window.titles = [];
  new MutationObserver(() => { const title = fold.querySelector('.gw-title')?.textContent;
    if (title && !window.titles.includes(title)) window.titles.push(title); })
    .observe(fold, { childList: true, characterData: true, subtree: true }) }"""


def test_reasons_of_another_pixel_are_never_under_the_pin(kept: Page, gate: Gate) -> None:
    kept.evaluate(REASONS)
    gate.asked.clear()
    gate.opened.clear()
    kept.mouse.click(*at(kept, 0, 3))
    try:
        assert gate.asked.wait(WAIT / 1000)
        kept.mouse.click(*at(kept, 2, 4))
        expect(kept.locator("#canvas .gw-here")).to_have_attribute("x", "4")
    finally:
        gate.opened.set()
    expect(kept.locator("#canvas .gw-more")).to_contain_text("MaskCLIP")
    kept.wait_for_function("window.titles.length > 0")
    last = kept.locator("#said textarea").input_value()
    assert kept.evaluate("window.titles") == [f"Why {last}"]
    kept.locator("#canvas .gw-stage").focus()
    kept.keyboard.press("Escape")


PLACES = """(name) => { const out = [];
  const walk = document.createTreeWalker(document.querySelector('#canvas .gw-sentence'), 4);
  while (walk.nextNode()) { const node = walk.currentNode, from = node.data.indexOf(name);
    if (from >= 0) for (const at of [from, from + name.length - 1]) {
      const range = document.createRange(); range.setStart(node, at); range.setEnd(node, at + 1);
      out.push(range.getBoundingClientRect().left); } }
  return out }"""
"""Where the first and the last letter of a name lie in the sentence."""


def test_a_word_from_right_to_left_leaves_the_sentence_around_it_as_it_is(kept: Page) -> None:
    kept.mouse.click(*at(kept, 0, 0))
    expect(kept.locator("#canvas .gw-sentence")).to_contain_text("background")
    for name in ("sky", "background", "cosines"):
        first, last = kept.evaluate(PLACES, name)
        assert first < last, name
    kept.locator("#canvas .gw-stage").focus()
    kept.keyboard.press("Escape")


def test_keys_of_the_swipe_slider_neither_pin_nor_ask(switched: Page) -> None:
    switched.get_by_role("button", name="swipe").click()
    asked = switched.locator("#said textarea").input_value()
    switched.locator("#canvas .gw-handle").focus()
    for key in ("Enter", "Space"):
        switched.keyboard.press(key)
        expect(switched.locator("#canvas .gw-here")).to_have_count(0)
    assert switched.locator("#said textarea").input_value() == asked
    switched.get_by_role("button", name="GCLIP", exact=True).click()
    switched.mouse.move(0, 0)


def test_everything_works_by_keyboard(kept: Page) -> None:
    kept.locator("#canvas .gw-stage").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        kept.keyboard.press(key)
    assert info(kept).startswith("In GCLIP this patch looks mostly at these")
    kept.keyboard.press("Enter")
    kept.wait_for_function("document.querySelector('#said textarea').value === '[75, 105]'")
    kept.keyboard.press("Escape")


def test_one_tap_on_a_phone_looks_and_explains_a_patch(phone: Page, url: str) -> None:
    tab = ready(phone, url)
    tab.touchscreen.tap(*at(tab, 1, 1))
    tab.wait_for_function("document.querySelector('#said textarea').value !== ''")
    row, column = ast.literal_eval(tab.locator("#said textarea").input_value())
    assert (row // 30, column // 30) == (1, 1)
    ring = tab.locator("#canvas .gw-here")
    assert (ring.get_attribute("y"), ring.get_attribute("x")) == ("1", "1")
    assert info(tab).startswith("In GCLIP this patch")


def test_names_on_the_mask_and_in_the_legend_are_never_cut(kept: Page) -> None:
    for width in (390, 320, 1280):
        kept.set_viewport_size({"width": width, "height": 800})
        assert kept.evaluate(SETTLED, width) <= width
        names = kept.locator("#canvas .gw-name")
        cut = names.evaluate_all("all => all.filter((n) => n.scrollWidth > n.clientWidth + 1)")
        assert cut == []
        assert set(names.all_inner_texts()) >= set(NAMES)


INKS = """() => { const c = document.querySelector('#canvas .gw-mask:not(.gw-off)');
  const all = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  return [...new Uint32Array(all.buffer)] }"""
"""The colours of the mask's pixels, 0 where it leaves the photo alone."""


def test_the_legend_isolates_a_class(kept: Page) -> None:
    kept.mouse.move(0, 0)
    before, entry = kept.evaluate(INKS), kept.locator("#canvas .gw-entry").first
    entry.hover()
    assert len(set(kept.evaluate(INKS))) < len(set(before))
    kept.mouse.move(0, 0)
    assert kept.evaluate(INKS) == before
    entry.click()
    assert entry.get_attribute("aria-pressed") == "true"
    entry.click()


MOST = """() => { const canvas = document.querySelector('#canvas .gw-mask:not(.gw-off)');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) if (data[at + 3]) {
    const ink = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
    counts.set(ink, (counts.get(ink) ?? 0) + 1); }
  return [...counts].sort((a, b) => b[1] - a[1])[0][0] }"""
"""The colour of most of the mask's pixels."""


def test_a_focused_entry_is_shown_alone_also_where_an_answer_moves_it(kept: Page) -> None:
    entry = kept.locator("#canvas .gw-entry", has_text="stop sign")
    kept.mouse.move(0, 0)
    kept.keyboard.press("Tab")
    entry.focus()
    swatch = entry.locator(".gw-swatch").evaluate("one => getComputedStyle(one).backgroundColor")
    near = ast.literal_eval(swatch[3:])

    def is_alone() -> bool:
        found = ast.literal_eval(kept.evaluate(MOST)[3:])
        return max(abs(a - b) for a, b in zip(found, near, strict=True)) <= 2

    assert is_alone()
    for there in (1, 0):
        kept.evaluate("document.querySelector('#kite input').click()")
        expect(kept.locator("#canvas .gw-entry", has_text="kite")).to_have_count(there)
        assert is_alone(), "the same word"
    kept.evaluate("document.activeElement.blur()")


def test_one_press_colours_only_what_changed_and_another_brings_all_back(switched: Page) -> None:
    before, photo = switched.evaluate(INKS), switched.locator("#canvas .gw-picture")
    press = switched.get_by_role("button", name="Show only what changed")
    press.focus()
    switched.keyboard.press("Enter")
    assert press.get_attribute("aria-pressed") == "true"
    expect(photo).to_have_css("filter", re.compile("grayscale"))
    inks = switched.evaluate(INKS)
    changed = float(re.search(r"([\d.]+) %", press.inner_text())[1]) / 100
    coloured = 1 - inks.count(0) / len(inks)
    assert changed < coloured < changed + 0.05, "an outline is around it"
    press.click()
    switched.mouse.move(0, 0)
    assert press.get_attribute("aria-pressed") == "false"
    expect(photo).to_have_css("filter", "none")
    assert switched.evaluate(INKS) == before


def test_hostile_words_stay_words_and_nothing_bars_the_way(switched: Page) -> None:
    switched.mouse.click(*at(switched, 1, 3))
    expect(switched.locator("#canvas .gw-more")).to_be_visible()
    assert switched.evaluate("window.pwned") is None
    assert barriers(switched, dark=True, place="#canvas") == []
    assert barriers(switched, dark=False, place="#canvas") == []
    switched.locator("#canvas .gw-stage").focus()
    switched.keyboard.press("Escape")


def said(kept: Page, wanted: str) -> None:
    kept.wait_for_function("w => document.querySelector('#said textarea').value === w", arg=wanted)


def test_attention_follows_keys_and_says_where_it_looks(kept: Page, matrix: np.ndarray) -> None:
    kept.locator("#attention .gw-stage").first.focus()
    corner = [*4 * ["ArrowLeft"], *2 * ["ArrowUp"]]  # wherever another test has looked
    for key in (*corner, *3 * ["ArrowRight"], *2 * ["ArrowDown"]):
        kept.keyboard.press(key)
    line = kept.locator("#attention .gw-info")
    expect(line).to_contain_text("Patch in row 3, column 4")
    order = [int(i) for i in np.argsort(-matrix[13]) if i != 13]
    expect(line).to_contain_text(f"row {order[0] // 5 + 1}, column {order[0] % 5 + 1}")
    kept.keyboard.press("Enter")
    expect(line).to_contain_text("(pinned)")
    said(kept, "[2, 3]")
    kept.get_by_role("button", name="Class token's row").click()
    expect(line).to_contain_text("The class token")


def test_a_matrix_is_pooled_to_the_screen_s_pixels(kept: Page) -> None:
    kept.get_by_role("button", name="Show as matrix").click()
    sizes = kept.locator("#attention canvas:not([hidden])").evaluate_all(
        "all => all.map((c) => [c.width, c.height])"
    )
    assert len({tuple(size) for size in sizes}) == 1 and sizes[0][0] == sizes[0][1]


def test_equal_matrices_are_drawn_once(kept: Page) -> None:
    expect(kept.locator("#equal .gw-map:visible")).to_have_count(2)
    expect(kept.locator("#equal")).to_contain_text("without: the same as with")
    expect(kept.locator("#maps .gw-map:visible")).to_have_count(3)


def test_a_block_is_chosen_by_its_number(kept: Page) -> None:
    kept.locator("#blocks .gw-block").nth(1).click()
    said(kept, "2")
    assert kept.locator("#blocks .gw-block").nth(1).get_attribute("aria-pressed") == "true"


def test_a_drag_over_channels_chooses_them_and_escape_clears(kept: Page) -> None:
    plot = kept.locator("#norms .gw-plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    kept.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 100)
    expect(kept.locator("#norms .gw-info")).to_contain_text("× the median")
    kept.mouse.down()
    kept.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100, steps=3)
    kept.mouse.up()
    kept.wait_for_function("document.querySelector('#said textarea').value.startsWith('[')")
    plot.focus()
    kept.keyboard.press("Escape")
    said(kept, "None")


def test_a_switch_fades_the_mask_and_counts_shares_unless_motion_is_unwanted(kept: Page) -> None:
    kept.evaluate(FRAMES)
    kept.evaluate("""() => new MutationObserver((all) => all.forEach((one) => {
        one.addedNodes.forEach((n) => (window.ghosts += n.classList?.contains('gw-ghost') ? 1 : 0));
        document.querySelectorAll('#canvas .gw-entry').forEach((n) =>
          n.textContent.startsWith('sky') && window.counts?.add(n.textContent.slice(3))); }))
      .observe(document.querySelector('#canvas'),
        { childList: true, characterData: true, subtree: true })""")
    for on, motion, share in ((True, "reduce", "60.0 %"), (False, "no-preference", "20.0 %")):
        kept.emulate_media(reduced_motion=motion)
        kept.evaluate("() => { window.ghosts = 0; window.counts = new Set(); }")
        switch(kept, on)
        sky = kept.locator("#canvas .gw-entry", has_text="sky")
        expect(sky).to_have_text(re.compile(f"{share}$"))
        expect(kept.locator("#canvas .gw-ghost")).to_have_count(0)
        assert kept.evaluate("window.ghosts") == (motion != "reduce")
        between = set(kept.evaluate("[...window.counts]")) - {"20.0 %", "60.0 %"}
        assert bool(between) is (motion != "reduce"), "counted from the old share to the new"


PAINTED = """() => {
  window.painted = [];
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    window.painted.push(this.canvas.className || this.canvas.closest('figure').innerText);
    put.apply(this, given);
  };
}"""
"""Notes every canvas that is painted anew."""


def test_a_hover_paints_no_more_than_where_its_patch_looks(kept: Page) -> None:
    kept.keyboard.press("Escape")  # another test may have pinned one
    kept.mouse.move(*at(kept, 0, 0))
    kept.evaluate(PAINTED)
    for column in (1, 2):
        kept.mouse.move(*at(kept, 0, column))
        expect(kept.locator("#canvas .gw-here")).to_have_attribute("x", str(column))
    painted = kept.evaluate("window.painted")
    kept.mouse.move(0, 0)
    expect(kept.locator("#canvas .gw-here")).to_have_count(0)
    assert painted, "the glow follows"
    assert not [one for one in painted if "gw-mask" in one or "gw-picture" in one]
    assert not [one for one in painted if "Block" in one], "what is received depends on no patch"


def test_an_isolated_word_stays_the_word_when_others_come_before_it(kept: Page) -> None:
    entry = kept.locator("#canvas .gw-entry", has_text="stop sign")
    entry.click()
    kept.locator("#kite input").click()
    expect(kept.locator("#canvas .gw-legend")).to_contain_text("kite")
    pressed = kept.locator("#canvas .gw-entry[aria-pressed=true]")
    expect(pressed).to_have_count(1)
    expect(pressed).to_contain_text("stop sign")
    kept.locator("#kite input").click()
    expect(kept.locator("#canvas .gw-legend")).not_to_contain_text("kite")
    entry.click()
    expect(pressed).to_have_count(0)


def test_what_cannot_be_fetched_says_so_and_is_tried_again(desktop: Page, url: str) -> None:
    blobs = "**/blob/*"
    desktop.route(blobs, lambda route: route.abort())
    desktop.goto(url)
    failed = desktop.locator("#canvas .gw-failed")
    expect(failed).to_contain_text("could not be fetched")
    expect(desktop.locator("#attention .gw-failed")).to_be_visible()
    desktop.unroute(blobs)
    failed.get_by_role("button").click()
    expect(desktop.locator("#canvas .gw-mask")).to_be_visible()
    expect(failed).to_have_count(0)
    desktop.locator("#attention .gw-failed button").click()
    expect(desktop.locator("#attention .gw-map")).to_have_count(2)


def test_what_the_server_keeps_no_longer_is_made_anew_by_segment(desktop: Page, url: str) -> None:
    desktop.route("**/blob/*", lambda route: route.fulfill(status=404, body="not kept"))
    desktop.goto(url)
    expect(desktop.locator("#attention .gw-failed")).to_be_visible()
    expect(desktop.locator("#maps .gw-failed")).to_contain_text("could not be fetched")
