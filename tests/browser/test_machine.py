"""The machine and the lesson in a browser: what is drawn is what the library found."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from demo.drawing import render
from demo.learn import lesson
from demo.look import Look, Request, Studio
from demo.settings import Settings
from demo.views import machine as views
from demo.widgets.values import level_colours
from gclip_core import masks
from tests.browser.conftest import CHROMIUM, visitor

SEED = 2
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


@pytest.fixture(scope="module")
def page(url: str, browser: BrowserContext) -> Iterator[Page]:
    for made in visitor(browser, {"width": 1280, "height": 900}):
        made.goto(f"{url}?tab=learn&seed={SEED}&amf=1&cs=0&plant=1")
        made.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
        yield made


@pytest.fixture(scope="module")
def look(studio: Studio) -> Look:
    plain = Settings(seed=SEED, amf=True, cs=False, plant=True)
    words = studio.sources.picture(plain, "").words
    return studio.look(Request(plain.changed(words=words)))


def read(page: Page, key: str) -> float:
    """A drawn number in full, by what stands before it in its node's key."""
    return float(page.evaluate(
        "k => [...document.querySelectorAll('#learn-machine svg text')]"
        ".find(t => t.dataset.key === k).dataset.value", key))  # fmt: skip


def test_every_number_at_the_blocks_is_the_library_s(page: Page, look: Look) -> None:
    machine = views.see(look)
    for number, tile in enumerate(machine.tiles, 1):
        assert read(page, f"score {number}") == pytest.approx(tile.score, rel=1e-5)
        assert read(page, f"ratio {number}") == pytest.approx(tile.ratio, rel=1e-5)
        if len(tile.tokens):
            assert read(page, f"agreement {number}") == pytest.approx(tile.agreement, rel=1e-4)
    fresh = look.segmenter.attention_map(look.trunk(look.chosen), 10)[1:, 1:]
    received = (fresh / fresh.sum(-1, keepdim=True)).mean(0) * len(fresh)
    assert read(page, "score 11") == pytest.approx(float(received.max()), rel=1e-4)
    assert read(page, "in-in name") == pytest.approx(machine.similar[0], abs=1e-5)
    assert read(page, "in-out name") == pytest.approx(machine.similar[1], abs=1e-5)


def levels(page: Page, key: str) -> np.ndarray:
    """The drawn pixels of a canvas as levels of the colour scale, 0 to 63."""
    rgba = page.evaluate(
        """key => {
          const one = [...document.querySelectorAll('#learn-machine canvas')]
            .find(canvas => canvas.dataset.key === key);
          const { width, height } = one;
          return [height, width, [...one.getContext('2d').getImageData(0, 0, width, height).data]];
        }""",
        key,
    )
    drawn = np.array(rgba[2]).reshape(rgba[0], rgba[1], 4)[..., :3]
    scale = np.array(level_colours())
    return np.abs(drawn[..., None, :] - scale).sum(-1).argmin(-1)


def expected(numbers: np.ndarray, top: float) -> np.ndarray:
    return 63 * np.sqrt(np.clip(numbers / top, 0, 1))


def test_every_thumbnail_is_painted_from_the_library_s_tensors(page: Page, look: Look) -> None:
    machine = views.see(look)
    for number, tile in enumerate(machine.tiles, 1):
        wanted = expected(np.asarray(tile.received).reshape(look.grid), 3 * machine.score_threshold)
        assert np.abs(levels(page, f"tile {number}") - wanted).max() <= 2.5, number
    pooled = render.pool_patches(machine.used, look.grid, 2)
    bright = np.quantile(render.pool_patches(machine.local, look.grid, 2), 0.995)
    assert np.abs(levels(page, "used") - expected(pooled, bright)).mean() <= 1
    for place, block in enumerate(machine.fused, 1):
        pooled = render.pool_patches(machine.fused[block], look.grid, 2)
        assert np.abs(levels(page, f"map {place}") - expected(pooled, bright)).mean() <= 1.5
    names = dict(zip(machine.names, machine.scores, strict=True)) | {"the rest": machine.rest}
    for place in range(4):
        zone = page.locator(f"#learn-machine [data-zone='word {place}']")
        name = (zone.get_attribute("aria-label") or "").split(":")[0]
        wanted = expected(np.asarray(names[name]).reshape(look.grid), 1)
        assert np.abs(levels(page, f"word {place}") - wanted).max() <= 4, name


def test_the_lines_come_from_amf_s_blocks_with_their_weight(page: Page, look: Look) -> None:
    blocks = look.findings(look.chosen).amf_blocks
    drawn = page.locator("#learn-machine .gm-amf").evaluate_all("l => l.map(p => +p.dataset.block)")
    assert drawn == [block + 1 for block in blocks]
    weights = page.locator("#learn-machine [data-weight]").evaluate_all(
        "l => l.map(t => +t.dataset.weight)"
    )
    assert weights == pytest.approx([1 / 3] * 3)


def test_the_planted_fault_is_drawn_as_one(page: Page, look: Look) -> None:
    planted = look.segmenter.backbone.planted[0]
    assert page.locator("#learn-machine .gm-bolt").count() == len(planted.blocks)
    assert page.locator("#learn-machine .gm-spike.gm-bad").count() >= len(planted.blocks)
    pressed = page.locator("#learn-machine .gm-bar button[aria-pressed='true']").all_inner_texts()
    assert any("Simulated fault" in text for text in pressed)


def test_a_patch_lights_up_everywhere_and_names_its_words(page: Page, look: Look) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    box = page.locator("#learn-machine [data-zone='picture']").bounding_box()
    assert box is not None
    row, column = 15, 20
    page.mouse.move(box["x"] + box["width"] * (column + 0.5) / 32,
                    box["y"] + box["height"] * (row + 0.5) / 24)  # fmt: skip
    page.wait_for_function("document.querySelectorAll('#learn-machine [data-patch]').length > 20")
    patches = page.locator("#learn-machine [data-patch]").evaluate_all(
        "l => [...new Set(l.map(r => r.dataset.patch))]"
    )
    assert patches == [f"{row},{column}"]
    result = look.segment(look.chosen)
    scores = masks.scores(result.logits, result.owner, look.grid)[:, row, column]
    best = page.locator("#learn-machine text[data-name]:not([data-name=''])").evaluate_all(
        "l => l.map(t => [t.dataset.name, +t.dataset.value])"
    )
    shares = dict(zip(result.vocabulary.names, scores.tolist(), strict=True))
    hidden = views.see(look).rest
    if hidden is not None:
        shares["the rest"] = float(hidden[row * 32 + column])
    assert len(best) == min(5, len(shares))
    for name, score in best:
        assert score == pytest.approx(shares[name], abs=0.005), name
    assert best[0][1] == pytest.approx(max(shares.values()), abs=0.005)
    used = look.segmenter.last_attention(look.trunk(look.chosen), look.chosen)[1:, 1:]
    there = divmod(int(used[row * 32 + column].argmax()), 32)
    said = page.locator("#learn-machine .gm-info").inner_text()
    assert f"fits best: {best[0][0]}, {100 * best[0][1]:.0f} %, then {best[1][0]}" in said
    assert f"looks most at row {there[0] + 1}, column {there[1] + 1}," in said
    assert not asked, "pointing asks nobody"


def test_a_pointer_s_move_takes_the_page_s_thread_less_than_a_frame(page: Page) -> None:
    """In processor time of the page's main thread, so that no other load on the machine counts."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return 1000 * next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    sweeps = []
    for _ in range(4):  # the least: what else a page does now and then is no move's
        begun = spent()
        page.evaluate(
            """async () => {
              const zone = document.querySelector("#learn-machine [data-zone='picture']");
              const { left, top, width, height } = zone.getBoundingClientRect();
              for (let i = 0; i < 30; i++) {
                const at = { clientX: left + width * (i + 0.5) / 30, clientY: top + height / 2 };
                zone.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, ...at }));
                await new Promise(requestAnimationFrame);
              }
            }"""
        )
        sweeps.append((spent() - begun) / 30)
    devtools.detach()
    assert min(sweeps) <= 16, f"ms a move: {sweeps}"


def test_it_is_taken_along_as_svg_and_png(page: Page) -> None:
    for kind in ("SVG", "PNG"):
        with page.expect_download() as waiting:
            page.locator("#learn-machine .gm-bar").get_by_role("button", name=kind).click()
        data = Path(waiting.value.path()).read_bytes()
        if kind == "SVG":
            assert data.startswith(b"<svg") and b"Matrix used" in data and b"var(--" not in data
        else:
            picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            assert picture.shape[1] > 1000 and picture.std() > 20


def test_the_lesson_sets_the_page_and_the_guess_reveals(page: Page) -> None:
    lesson = "#learn-machine .gm-lesson"
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector(f"{lesson}[data-step='1']")
    for step in range(2, 5):
        page.locator(f"{lesson} .gm-nav button").last.click()
        page.wait_for_selector(f"{lesson}[data-step='{step}']")
    assert page.locator(".gm-otherwise").count() == 0
    assert page.locator("#learn-machine .gm-bolt").count() == 0, "the fault comes with the answer"
    page.locator(f"{lesson} .gm-options button").nth(1).click()
    page.wait_for_selector(f"{lesson}[data-told='1']")
    page.wait_for_selector("#learn-machine .gm-bolt", state="attached")
    assert page.locator(f"{lesson} .gm-answer").inner_text().startswith("Right.")
    page.locator("#amf input").click()  # the visitor goes another way: the lesson says so
    page.wait_for_selector(".gm-otherwise")


HELD_FRAMES = """() => {
  const frames = [], now = performance.now();
  performance.now = () => now;
  window.requestAnimationFrame = (draw) => frames.push(draw);
  window.pass = (after) => frames.splice(0).forEach((draw) => draw(now + after));
}"""


def test_what_a_switch_changes_moves_and_what_it_leaves_stays_and_says_so(page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=0&cs=0&plant=1")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    page.evaluate(HELD_FRAMES)
    begun = {key: levels(page, key) for key in ("used", "tile 1", "tile 9")}
    page.locator("#learn-machine .gm-bar").get_by_role("button", name="CS off").click()
    page.wait_for_selector("#learn-machine [data-ready='0']")
    page.evaluate("pass(150)")
    midway = {key: levels(page, key) for key in begun}
    page.evaluate("pass(400)")
    page.wait_for_selector("#learn-machine [data-ready='1']")
    ended = {key: levels(page, key) for key in begun}
    for state in (midway, ended):
        assert (begun["tile 1"] == state["tile 1"]).all()
    for key in ("used", "tile 9"):
        assert (begun[key] != ended[key]).any(), key
        low, high = np.minimum(begun[key], ended[key]), np.maximum(begun[key], ended[key])
        assert ((low - 1 <= midway[key]) & (midway[key] <= high + 1)).all(), key
        assert (midway[key] != begun[key]).any() and (midway[key] != ended[key]).any(), key
    part = page.locator("#learn-machine [data-part='blocks']")
    assert part.get_attribute("data-same") == "blocks 1 to 6 unchanged"
    said = page.locator("#learn-machine .gm-info").inner_text()
    assert said.startswith("CS is on: ") and "Unchanged: the picture, blocks 1 to 6." in said


def test_with_reduced_motion_a_switch_is_there_at_once(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    begun = levels(page, "used")
    page.locator("#learn-machine .gm-bar").get_by_role("button", name="AMF off").click()
    page.locator("#learn-machine .gm-bar").get_by_role("button", name="AMF on").wait_for()
    page.wait_for_selector("#learn-machine [data-ready='1']")
    at_once = levels(page, "used")
    page.evaluate("pass(400)")
    assert (at_once != begun).any() and (at_once == levels(page, "used")).all()
    for part in ("picture", "blocks", "heads", "values"):
        same = page.locator(f"#learn-machine [data-part='{part}']").get_attribute("data-same")
        assert same == "unchanged", part
    assert page.locator("#learn-machine [data-part='matrix']").get_attribute("data-same") == ""


def test_a_press_on_the_strip_is_followed_by_the_tab_below(page: Page) -> None:
    page.goto(page.url.split("?")[0] + f"?tab=side&seed={SEED}&amf=1&plant=1")
    page.wait_for_selector("#side-canvas [data-ready='1']")
    assert page.locator("#side-machine").count() == 0, "folded, it is not even made"
    page.locator("#machine-fold button").first.click()
    page.wait_for_selector("#side-machine [data-ready='1'] .gm-box")
    page.locator("#side-machine [data-zone='tile 8']").click()
    page.wait_for_selector("#side-machine [data-zone='tile 8'][aria-pressed='true']")
    expect(page.locator("#side-norms")).to_contain_text("Block 8 of 12")
    expect(page.locator("#side-machine [data-part='values']")).to_contain_text(", block 8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    word = page.locator("#side-machine [data-zone='word 1']")
    word.click()
    name = (word.get_attribute("aria-label") or "").split(":")[0]
    expect(page.locator("#side-canvas [aria-pressed='true']")).to_contain_text(name)
    page.locator("#side-canvas [aria-pressed='true']").click()
    assert word.get_attribute("aria-pressed") == "false", "and the diagram follows the tab"
    page.locator("#side-machine [data-zone='norms']").press("ArrowRight")
    channel = page.locator("#side-machine [data-key='channel 0']").text_content()
    expect(page.locator("#side-norms .gw-info")).to_contain_text((channel or "").capitalize())
    assert not asked, "a word or a channel asks nobody"


STEP = "#learn-machine .gm-lesson"
SCROLLED = """one => [one.clientHeight, one.scrollHeight]"""
PLACES = """texts => texts.filter(one => one.textContent.trim()).map(one => {
  const { left, top, right, bottom } = one.getBoundingClientRect();
  return [one.textContent, left, top, right, bottom];
})"""
SIZES = """all => all.filter(one => one.textContent.trim() && one.offsetParent !== null)
  .map(one => [one.textContent, parseFloat(getComputedStyle(one).fontSize)])"""


def on_the_wall(page: Page) -> list[str]:
    """What is wrong with what is projected: it scrolls, is small, cut, outside or over another."""
    root = page.locator("#learn-machine .gw")
    wrong = []
    for part in (root, page.locator(STEP)):
        seen, whole = part.evaluate(SCROLLED)
        wrong += [f"{whole - seen} px do not fit"] if whole > seen + 1 else []
    for kind in ("tspan", "button, p, h2, span"):
        sizes = root.locator(kind).evaluate_all(SIZES)
        wrong += [f"{size} px: {text}" for text, size in sizes if size < 22]
    places = root.locator("svg text").evaluate_all(PLACES)
    edge = page.locator("#learn-machine .gm-box").bounding_box()
    assert edge is not None and len(places) > 60
    for i, (text, left, top, right, bottom) in enumerate(places):
        inside = left >= edge["x"] - 1 and right <= edge["x"] + edge["width"] + 1
        if "…" in text or not inside or bottom > edge["y"] + edge["height"]:
            wrong.append(f"cut: {text}")
        for other, left_, top_, right_, bottom_ in places[:i]:
            wide, high = (
                min(right, right_) - max(left, left_),
                min(bottom, bottom_) - max(top, top_),
            )
            if wide > 1 and high > 0.3 * min(bottom - top, bottom_ - top_):
                wrong.append(f"{text} over {other}")
    return wrong


def test_on_the_wall_the_keys_walk_and_switch_and_nothing_is_small_or_cut(page: Page) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=0&cs=0&plant=0")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    page.keyboard.press("PageDown")
    page.keyboard.press("a")
    assert page.locator(STEP).get_attribute("data-step") == "0", "keys are those of the full screen"
    page.locator("#learn-machine .gm-bar").get_by_role("button", name="Full screen").click()
    page.wait_for_selector("#learn-machine .gm-wall")
    assert on_the_wall(page) == []
    for key, said in (("a", "AMF on"), ("C", "CS on"), ("p", "Simulated fault"), ("P", "No fault"),
                      ("c", "CS off"), ("A", "AMF off")):  # fmt: skip
        page.keyboard.press(key)
        page.locator("#learn-machine .gm-bar").get_by_role("button", name=said).wait_for()
    for key, step in (("PageDown", 1), ("ArrowRight", 2), ("ArrowDown", 3), ("ArrowLeft", 2),
                      ("ArrowUp", 1), ("PageUp", 0)):  # fmt: skip
        page.keyboard.press(key)
        page.wait_for_selector(f"{STEP}[data-step='{step}']")
    for step in range(1, lesson.COUNT + 1):
        page.keyboard.press("PageDown")
        page.locator(f"{STEP}[data-step='{step}'] .gm-options button").nth(1).click()
        page.wait_for_selector(f"{STEP}[data-step='{step}'][data-told='1']")
        page.wait_for_selector("#learn-machine [data-ready='1']")
        assert on_the_wall(page) == [], step
    page.locator("#learn-machine [data-zone='picture']").hover()
    assert page.locator("#learn-machine [data-patch]").count() > 20
    assert on_the_wall(page) == []


def test_the_last_step_hands_over_the_visitor_s_own_picture(page: Page) -> None:
    page.get_by_role("button", name="Take your own picture").click()
    page.wait_for_function("!document.fullscreenElement")
    page.wait_for_function("document.querySelector('#image').contains(document.activeElement)")


def test_on_a_phone_all_stands_below_each_other(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=1&plant=1")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    parts = page.locator("#learn-machine [data-part]")
    assert parts.count() == 8
    for part in parts.all():
        label = part.get_attribute("aria-label") or ""
        assert ": " in label and label.rstrip().endswith((".", "!")), label
