"""The machine and the lesson in a browser: what is drawn is what the library found."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page

from demo.look import Look, Request, Studio
from demo.settings import Settings
from demo.views import machine as views
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
    assert f"looks most at row {there[0] + 1}, column {there[1] + 1}," in said
    assert not asked, "pointing asks nobody"


def test_a_pointer_s_move_takes_the_page_s_thread_less_than_a_frame(page: Page) -> None:
    """In processor time of the page's main thread, so that no other load on the machine counts."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return 1000 * next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    begun = spent()
    page.evaluate(
        """async () => {
          const zone = document.querySelector("#learn-machine [data-zone='picture']");
          const { left, top, width, height } = zone.getBoundingClientRect();
          for (let i = 0; i < 60; i++) {
            const at = { clientX: left + width * (i + 0.5) / 60, clientY: top + height / 2 };
            zone.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, ...at }));
            await new Promise(requestAnimationFrame);
          }
        }"""
    )
    moved = (spent() - begun) / 60
    devtools.detach()
    assert moved <= 16, f"{moved:.1f} ms a move"


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


def test_on_a_phone_all_stands_below_each_other(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    parts = page.locator("#learn-machine [data-part]")
    assert parts.count() == 8
    for part in parts.all():
        label = part.get_attribute("aria-label") or ""
        assert ": " in label and label.rstrip().endswith((".", "!")), label
