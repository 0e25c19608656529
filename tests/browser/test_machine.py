"""The machine and the lesson in a browser: what is drawn is what the library found."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import Request as Asked

from demo.drawing import render
from demo.learn import lesson
from demo.look import Look, Request, Studio
from demo.settings import Settings
from demo.tabs import machine as views
from demo.widgets.values import level_colours
from gclip_core import masks, palette
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
    words = studio.picture(plain, "").words
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


def pixels(page: Page, key: str) -> np.ndarray:
    """The drawn pixels of a canvas, (height, width, 4)."""
    rgba = page.evaluate(
        """key => {
          const one = [...document.querySelectorAll('#learn-machine canvas')]
            .find(canvas => canvas.dataset.key === key);
          const { width, height } = one;
          return [height, width, [...one.getContext('2d').getImageData(0, 0, width, height).data]];
        }""",
        key,
    )
    return np.array(rgba[2]).reshape(rgba[0], rgba[1], 4)


def levels(page: Page, key: str) -> np.ndarray:
    """The same as levels of the colour scale, 0 to 63."""
    drawn, scale = pixels(page, key)[..., :3], np.array(level_colours())
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


def test_queries_and_values_have_the_colours_of_their_main_directions(
    page: Page, look: Look
) -> None:
    trunk, (h, w) = look.trunk(look.chosen), look.grid
    for part in "qv":
        vectors = look.segmenter.values(trunk, look.chosen, part).numpy()
        squares = vectors.reshape(h // 2, 2, w // 2, 2, -1).mean((1, 3)).reshape(h * w // 4, -1)
        u, s, _ = np.linalg.svd(squares - squares.mean(0), full_matrices=False)
        directions = u[:, :3] * s[:3]
        directions *= np.sign(directions[np.abs(directions).argmax(0), range(3)])
        directions /= np.percentile(np.abs(directions), 96, axis=0)
        wanted = 255 * (0.5 + 0.45 * np.clip(directions, -1, 1)).reshape(h // 2, w // 2, 3)
        drawn = pixels(page, f"head {part}")
        assert np.abs(drawn[..., :3] - wanted).max() <= 255 / 62 + 1.5, part
        assert (drawn[..., 3] == 255).all() and drawn[..., :3].std((0, 1)).min() > 20
    unused = pixels(page, "head k")  # Query-Query attention has no use for keys
    assert (np.ptp(unused[..., :3], axis=-1) <= 4).all()
    assert (unused[..., 3] < 128).all()


def test_the_mask_s_pixels_have_the_colours_of_the_library_s_labels(page: Page, look: Look) -> None:
    mask = look.mask(look.chosen)
    drawn = pixels(page, "mask")
    (height, width), shape = drawn.shape[:2], mask.labels.shape
    rows, columns = ((np.arange(n) * 2 + 1) * of // (2 * n) for n, of in zip(
        (height, width), shape, strict=True))  # fmt: skip
    labels = mask.labels[rows[:, None], columns]
    colours = [[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in palette.of_names(mask.names)]
    wanted = np.array([*colours, [20, 20, 24]])[labels]  # the last is the rest's
    rows, columns = np.indices(labels.shape)
    hatched = (labels < 0) & ((columns - rows) % 8 < 2)
    wanted[hatched] = 150
    assert len(np.unique(labels)) >= 3 and hatched.any(), "the picture must tell"
    assert (np.abs(drawn[..., :3] - wanted).max(-1) <= 2).all()


def test_the_lines_come_from_amf_s_blocks_with_their_weight(page: Page, look: Look) -> None:
    blocks = look.findings(look.chosen).fusion.blocks
    drawn = page.locator("#learn-machine .gm-amf").evaluate_all("l => l.map(p => +p.dataset.block)")
    assert drawn == [block + 1 for block in blocks]
    weights = page.locator("#learn-machine [data-weight]").evaluate_all(
        "l => l.map(t => +t.dataset.weight)"
    )
    assert weights == pytest.approx([1 / 3] * 3)


def test_amf_s_first_line_comes_down_beside_the_part_s_name(page: Page) -> None:
    name = page.locator("#learn-machine [data-key='head matrix']").bounding_box()
    line = page.locator("#learn-machine [data-key='amf 0']").bounding_box()
    assert name is not None and line is not None
    assert line["x"] > name["x"] + name["width"]


def test_beside_the_blocks_stands_why_amf_takes_them_and_marks_explain_themselves(
    page: Page,
) -> None:
    part = page.locator("#learn-machine [data-part='blocks']")
    assert "Violet: AMF takes " in (part.text_content() or "")
    for mark, said in (("[paper]", "Stated in the paper"), ("[reading]", "others who read it"),
                       ("[ours]", "choice"), ("in-in", "of one region")):  # fmt: skip
        page.locator("#learn-machine svg .term").filter(has_text=mark).first.hover()
        expect(page.locator("#term-tip")).to_contain_text(said)


def test_words_stand_in_the_order_in_which_they_were_typed(page: Page, look: Look) -> None:
    labels = page.locator("#learn-machine [data-word]").evaluate_all(
        "l => l.map(one => one.getAttribute('aria-label').split(':')[0])"
    )
    assert labels == [*look.mask(look.chosen).names, "the rest"][: len(labels)] and len(labels) > 3


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
    assert sum(score for _, score in best) == pytest.approx(1, abs=0.01)
    numbers = page.locator("#learn-machine [data-key^='percent ']").all_text_contents()
    drawn = [one for one in numbers if one]
    assert sum(int(one.split()[0]) for one in drawn) == 100
    cosine = (result.logits[:, row, column] / look.segmenter.logit_scale).tolist()
    ours = {owner: max(c for c, other in zip(cosine, result.owner, strict=True) if other == owner)
            for owner in set(result.owner)}  # fmt: skip
    names = [*result.vocabulary.names, "the rest"]
    first, second = sorted(ours, key=lambda owner: -ours[owner])[:2]
    said = page.locator("#learn-machine [data-key^='cosine ']").evaluate_all(
        "l => l.map(t => t.dataset.value)"
    )
    found = {best[k][0]: float(one) for k, one in enumerate(said) if one}
    wanted = {names[owner]: ours[owner] for owner in (first, second)}
    assert found == pytest.approx(wanted, abs=0.00051)
    used = look.segmenter.last_attention(look.trunk(look.chosen), look.chosen)[1:, 1:]
    most = used[row * 32 + column].argsort(descending=True)[:3].tolist()
    info = page.locator("#learn-machine .gm-info")
    said = info.inner_text()
    assert re.search(
        rf"Label: {names[first]} \(cosine [.\d]+, \d+ %\), then {names[second]} \(", said
    )
    for patch in most:
        assert f"row {patch // 32 + 1}, column {patch % 32 + 1} (" in said
    framed = page.locator("#learn-machine [data-from]").evaluate_all(
        "l => l.map(one => +one.dataset.from)"
    )
    assert framed == most
    box = info.bounding_box()
    assert box is not None and box["y"] + box["height"] <= 900, "in plain sight"
    assert not asked, "pointing asks nobody"


def test_what_is_said_of_a_patch_moves_nothing_below_it(page: Page) -> None:
    page.reload()
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    picture = page.locator("#learn-machine [data-zone='picture']").bounding_box()
    room = page.locator("#learn-machine .gw-room")
    assert picture is not None
    said, heights = {len(room.inner_text())}, {room.evaluate("one => one.offsetHeight")}
    for part in np.linspace(0.05, 0.95, 12):
        page.mouse.move(picture["x"] + picture["width"] * part,
                        picture["y"] + picture["height"] * (1 - part))  # fmt: skip
        said.add(len(room.inner_text()))
        heights.add(room.evaluate("one => one.offsetHeight"))
    assert len(heights) == 1 and max(said) > 2 * min(said)


def test_the_legend_names_the_largest_as_they_were_typed_and_counts_the_others(
    page: Page, url: str, studio: Studio
) -> None:
    page.goto(f"{url}?tab=learn&seed=4&rest=0&cs=0&amf=0")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    plain = Settings(seed=4, rest=False, amf=False, cs=False)
    words = studio.picture(plain, "").words
    look = studio.look(Request(plain.changed(words=words)))
    mask = look.mask(look.chosen)
    pairs = zip(mask.areas, mask.names, strict=True)
    found = sorted((share, name) for share, name in pairs if share)
    assert len(found) > 5, "the picture must tell"
    wanted = [name for name in mask.names if name in {name for _, name in found[-4:]}]
    drawn = page.locator("#learn-machine text[data-key^='area ']").all_text_contents()
    assert drawn == [*wanted, f"{len(found) - 4} more"]
    page.goto(f"{url}?tab=learn&seed={SEED}&amf=1&cs=0&plant=1")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")


def test_a_patch_pointed_at_in_any_part_lights_up_in_all(page: Page) -> None:
    for key, kind in (("mask", "grid"), ("tile 8", "grid"), ("head v", "grid"), ("word 1", "grid"),
                      ("used", "rows"), ("map 2", "rows")):  # fmt: skip
        box = page.locator(f"#learn-machine [data-zone='{key}']").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"])
        across, down = int(0.7 * 32), int(0.3 * 24)
        square = int(0.3 * 192)  # a row of the matrix is a square of 2 × 2 patches
        patch = [down, across] if kind == "grid" else [square // 16 * 2 + 1, square % 16 * 2 + 1]
        wanted = ",".join(map(str, patch))
        lit = page.locator("#learn-machine [data-patch]").evaluate_all(
            "l => l.map(one => [one.dataset.key, one.dataset.patch])"
        )
        assert {where for _, where in lit} == {wanted}, key
        everywhere = {"picture", "mask", "used", "map 0", "map 1", "map 2", "head q", "word 0"}
        everywhere |= {f"tile {number}" for number in range(1, 13)}
        assert {f"spot {one}" for one in everywhere} <= {name for name, _ in lit}, key


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


def taken(page: Page, kind: str) -> bytes:
    """What a button saves."""
    with page.expect_download() as waiting:
        page.locator("#learn-machine .gm-bar").get_by_role("button", name=kind).click()
    return Path(waiting.value.path()).read_bytes()


def in_pixels(png: bytes, size: tuple[int, int]) -> np.ndarray:
    picture = Image.open(io.BytesIO(png)).convert("RGB").resize(size, Image.Resampling.BOX)
    return np.asarray(picture, float)


def test_the_saved_svg_and_png_are_the_diagram_as_it_stands(page: Page) -> None:
    page.mouse.move(0, 0)
    vector, pixel = taken(page, "SVG"), taken(page, "PNG")
    assert b"var(--" not in vector
    tree = ElementTree.fromstring(vector)
    said = ["".join(one.itertext()) for one in tree.iter("{http://www.w3.org/2000/svg}text")]
    shown = page.locator("#learn-machine svg text").all_text_contents()
    assert [one for one in said if one] == [one for one in shown if one] and "Matrix used" in said
    hrefs = [one.get("href") for one in tree.iter("{http://www.w3.org/2000/svg}image")]
    canvases = page.locator("#learn-machine canvas")
    assert len(hrefs) == canvases.count() and all(one.startswith("data:image") for one in hrefs)
    line = page.locator("#learn-machine .gm-info")
    line.evaluate("one => (one.style.visibility = 'hidden')")  # it lies over what is scrolled away
    screen = page.locator("#learn-machine .gm-box").screenshot()
    line.evaluate("one => (one.style.visibility = '')")
    size = Image.open(io.BytesIO(screen)).size
    assert Image.open(io.BytesIO(pixel)).width == 2 * round(float(tree.get("width")))
    opened = page.context.new_page()
    opened.set_viewport_size({"width": size[0], "height": size[1]})
    opened.set_content(f"<style>* {{ margin: 0 }}</style>{vector.decode()}")
    drawn = opened.screenshot()
    opened.close()
    # All but the edges of letters and lines, which fall between pixels.
    here = in_pixels(screen, (size[0] // 4, size[1] // 4))
    for name, other in (("SVG", drawn), ("PNG", pixel)):
        there = in_pixels(other, (size[0] // 4, size[1] // 4))
        far = np.abs(here - there).max(-1) > 60
        assert far.mean() < 0.02, f"{name}: {far.mean():.3f} of the picture is another"


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
    page.locator("#examples button").first.click()  # of another picture nothing was guessed
    page.wait_for_selector("#learn-machine .gm-box svg[aria-label]")
    expect(page.locator(f"{lesson} .gm-options button[aria-pressed='true']")).to_have_count(0)
    assert not page.locator(f"{lesson} .gm-answer").inner_text().startswith("Right.")


def test_a_step_and_what_it_speaks_of_are_on_one_screen(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=0&cs=0&plant=0")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    page.get_by_role("button", name="Begin").click()
    for step in range(1, lesson.COUNT + 1):
        page.locator(f"{STEP}[data-step='{step}'] .gm-options button").nth(1).click()
        page.wait_for_selector(f"{STEP}[data-step='{step}'][data-told='1']")
        page.wait_for_selector("#learn-machine [data-ready='1']")
        info = page.locator("#learn-machine .gm-info").bounding_box()
        title = page.locator(f"{STEP} h2").bounding_box()
        assert info is not None and title is not None and title["y"] >= 0, step
        for key in ("key='used'", "zone='mask'", "key='alike low'", "key='best 3'"):
            box = page.locator(f"#learn-machine [data-{key}]").bounding_box()
            assert box is not None and box["y"] + box["height"] <= info["y"] + 1, (step, key)
        if step < lesson.COUNT:
            page.locator(f"{STEP} .gm-nav button").last.click()


def test_where_a_step_asks_for_a_patch_s_word_one_is_shown(page: Page) -> None:
    assert page.locator("#learn-machine [data-from]").count() == 3
    assert page.locator("#learn-machine text[data-name]:not([data-name=''])").count() >= 4


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
    page.locator("#learn-machine .gm-bar").get_by_role("button", name="CS").click()
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
    switch = page.locator("#learn-machine .gm-bar").get_by_role("button", name="AMF")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector("#learn-machine [data-ready='1']")
    at_once = levels(page, "used")
    page.evaluate("pass(400)")
    assert (at_once != begun).any() and (at_once == levels(page, "used")).all()
    for part in ("picture", "blocks", "heads", "values"):
        same = page.locator(f"#learn-machine [data-part='{part}']").get_attribute("data-same")
        assert same == "unchanged", part
    assert page.locator("#learn-machine [data-part='matrix']").get_attribute("data-same") == ""


def test_a_guess_where_the_switches_stood_otherwise_is_not_told_as_their_effect(page: Page) -> None:
    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&step=3&amf=1&cs=1&plant=0")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-otherwise")
    page.locator(f"{STEP} .gm-options button").first.click()
    page.wait_for_selector(f"{STEP}[data-told='1']")
    page.wait_for_selector("#learn-machine [data-ready='1']")
    assert page.locator("#learn-machine [data-part='mask']").get_attribute("data-same") == ""
    assert "CS is off" not in page.locator("#learn-machine .gm-info").inner_text()


def test_a_switch_on_the_machine_asks_once_and_as_the_page_s_own_does(page: Page) -> None:
    asked: list[dict] = []

    def note(request: Asked) -> None:
        if request.method == "POST" and "queue/join" in request.url:
            asked.append(request.post_data_json)

    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=0&cs=0&plant=0")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    page.on("request", note)
    bar = page.locator("#learn-machine .gm-bar")
    for name in ("AMF", "CS", "Simulated fault"):
        switch = bar.get_by_role("button", name=name)
        expect(switch).to_have_text(name)  # a switch, so that its name is no state
        expect(switch).to_have_attribute("aria-pressed", "false")
        switch.click()
        expect(switch).to_have_attribute("aria-pressed", "true")
        page.wait_for_selector("#learn-machine [data-ready='1']")
    page.locator("#amf input").click()
    expect(bar.get_by_role("button", name="AMF")).to_have_attribute("aria-pressed", "false")
    assert len(asked) == 4
    assert len({one["fn_index"] for one in asked}) == 1, "the page's own question"
    page.remove_listener("request", note)


def test_a_press_on_the_strip_is_followed_by_the_tab_below(page: Page) -> None:
    page.goto(page.url.split("?")[0] + f"?tab=side&seed={SEED}&amf=1&plant=1")
    page.wait_for_selector("#side-canvas [data-ready='1']")
    assert page.locator("#side-machine").count() == 0, "folded, it is not even made"
    page.locator("#machine-fold button").first.click()
    page.wait_for_selector("#side-machine [data-ready='1'] .gm-box")
    page.locator("#side-machine [data-zone='tile 8']").click()
    page.wait_for_selector("#side-machine [data-zone='tile 8'][aria-pressed='true']")
    keys = "all => all.map((one) => one.dataset.key)"
    order = page.locator("#side-machine [data-part='blocks'] > *").evaluate_all(keys)
    assert order.index("chosen 8") < order.index("number 8"), "the number lies on its ground"
    line = page.locator("#side-machine .gm-info").bounding_box()
    height = page.evaluate("innerHeight")
    assert line is not None and line["y"] + line["height"] <= height, "in plain sight here too"
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


def test_a_pinned_patch_outlives_other_words_and_is_one_on_all_tabs(page: Page) -> None:
    page.locator("#side-machine [data-zone='picture']").click(position={"x": 30, "y": 30})
    line = page.locator("#side-machine .gm-info")
    expect(line).to_contain_text("(pinned)")
    patch = line.inner_text().split(" (pinned")[0]
    page.locator("#words textarea").fill("frog, strawberry")
    page.locator("#words textarea").press("Enter")
    expect(page.locator("#side-machine [data-zone^='word ']")).to_have_count(3)
    assert line.inner_text().startswith(f"{patch} (pinned")
    page.get_by_role("tab", name="Attention").click()
    where = patch.removeprefix("Patch ")
    expect(page.locator("#live-attention .gw-info")).to_contain_text(f"Patch in {where} (pinned)")


def test_a_picture_from_before_is_dimmed_until_the_next_is_drawn(page: Page) -> None:
    page.get_by_role("tab", name="Side by side").click()
    page.wait_for_selector("#tabs:not([data-busy]) #side-machine [data-ready='1'] .gm-box")
    page.evaluate("""() => {
      const read = Response.prototype.arrayBuffer, held = new Promise((done) => (window.go = done));
      Response.prototype.arrayBuffer = function () { return held.then(() => read.call(this)); };
    }""")
    page.locator("#examples button").nth(1).click()
    page.wait_for_selector("#side-machine .gm-stale")
    page.evaluate("go()")
    page.wait_for_selector("#side-machine .gw:not(.gm-stale) .gm-box")


STEP = "#learn-machine .gm-lesson"


def test_where_learn_is_left_the_visitor_s_switches_are_as_before(page: Page) -> None:
    page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=1&cs=0&plant=0")
    page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
    amf, cs = page.locator("#amf input"), page.locator("#cs input")
    for touched in (False, True):
        page.get_by_role("button", name="Begin").click()
        page.wait_for_selector(f"{STEP}[data-step='1']")
        expect(amf).not_to_be_checked()
        if touched:
            cs.check()
            page.wait_for_selector(".gm-otherwise")
        page.get_by_role("tab", name="Side by side").click()
        expect(amf).to_be_checked()
        expect(cs).to_be_checked(checked=touched)
        page.wait_for_function("!location.search.includes('method=clip')")
        page.get_by_role("tab", name="Learn").click()
        page.wait_for_selector(".gm-otherwise")
        page.locator(f"{STEP} .gm-nav button").first.click()
        page.wait_for_selector(f"{STEP}[data-step='0']")


PASSED = """() => new Promise((done) => requestAnimationFrame(
  () => requestAnimationFrame(() => setTimeout(done, 50))))"""
SCROLLED = """one => [one.clientHeight, one.scrollHeight]"""
PLACES = """texts => texts.filter(one => one.textContent.trim()).map(one => {
  const { left, top, right, bottom } = one.getBoundingClientRect();
  return [one.textContent, left, top, right, bottom];
})"""
SIZES = """all => all.filter(one => one.textContent.trim() && one.offsetParent !== null)
  .map(one => [one.textContent, parseFloat(getComputedStyle(one).fontSize)])"""


def on_the_wall(page: Page, least: float = 22) -> list[str]:
    """What is wrong with what is projected: it scrolls, is small, cut, outside or over another."""
    page.evaluate(PASSED)  # what opens or turns is drawn anew once its size has come to it
    root = page.locator("#learn-machine .gw")
    wrong = []
    for part in (root, page.locator(STEP)):
        seen, whole = part.evaluate(SCROLLED)
        wrong += [f"{whole - seen} px do not fit"] if whole > seen + 1 else []
    for kind in ("tspan", "button, p, h2, span"):
        sizes = root.locator(kind).evaluate_all(SIZES)
        wrong += [f"{size} px: {text}" for text, size in sizes if size < least]
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
    bar = page.locator("#learn-machine .gm-bar")
    for key, name, on in (("a", "AMF", True), ("C", "CS", True), ("p", "Simulated fault", True),
                          ("P", "Simulated fault", False), ("c", "CS", False),
                          ("A", "AMF", False)):  # fmt: skip
        page.keyboard.press(key)
        bar.get_by_role("button", name=name, pressed=on).wait_for()
    for key, step, told in (("PageDown", 1, 0), ("ArrowRight", 1, 1), ("ArrowDown", 2, 0),
                            ("PageDown", 2, 1), ("PageDown", 3, 0), ("ArrowLeft", 2, 0),
                            ("ArrowUp", 1, 0), ("PageUp", 0, 0)):  # fmt: skip
        page.keyboard.press(key)
        page.wait_for_selector(f"{STEP}[data-step='{step}'][data-told='{told}']")
    for step in range(1, lesson.COUNT + 1):
        page.keyboard.press("PageDown")
        page.locator(f"{STEP}[data-step='{step}'] .gm-options button").nth(1).click()
        page.wait_for_selector(f"{STEP}[data-step='{step}'][data-told='1']")
        page.wait_for_selector("#learn-machine [data-ready='1']")
        assert on_the_wall(page) == [], step
        # What is not used is no fault: red is what stands out and takes part, green what is mended.
        for kind, where in (("bad", 4), ("mended", 5)):
            spikes = page.locator(f"#learn-machine .gm-{kind}[data-key^='spike']")
            assert spikes.count() == 5 * (step == where), (step, kind)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_function("innerWidth === 1280")
    assert on_the_wall(page, 22 * 1280 / 1920) == [], "a small projector shows the same"
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.keyboard.press("PageDown")  # the lesson ends here, and stands
    page.locator("#learn-machine [data-zone='picture']").hover()
    assert page.locator("#learn-machine [data-patch]").count() > 20
    assert on_the_wall(page) == []
    assert page.locator(STEP).get_attribute("data-told") == "1"


def test_in_a_text_field_the_wall_s_keys_are_letters(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert page.evaluate("document.fullscreenElement !== null")
    page.evaluate("document.fullscreenElement.append(document.createElement('textarea'))")
    field = page.locator("#learn-machine textarea")  # the only place that takes letters there
    field.focus()
    for key in ("PageUp", "PageDown", "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.type("acpACP")
    assert field.input_value() == "acpACP"
    state = page.locator(STEP).evaluate("one => [one.dataset.step, one.dataset.told]")
    assert state == [str(lesson.COUNT), "1"]
    bar = page.locator("#learn-machine .gm-bar")
    assert bar.locator("[aria-pressed='false']").count() == 3
    assert not asked
    field.evaluate("one => one.remove()")
    page.locator("#learn-machine [data-zone='picture']").focus()
    for on in (True, False):
        page.keyboard.press("a")
        bar.get_by_role("button", name="AMF", pressed=on).wait_for()


def test_the_last_step_hands_over_the_visitor_s_own_picture(page: Page) -> None:
    page.get_by_role("button", name="Take your own picture").click()
    page.wait_for_function("!document.fullscreenElement")
    page.wait_for_function("document.activeElement.matches('#image [aria-label=\"Upload file\"]')")


BEHIND = """(room) => {
  const { left, top } = room.firstChild.getBoundingClientRect();
  return top - room.getBoundingClientRect().top > 40
    && !room.parentNode.contains(document.elementFromPoint(left + 9, top - 30));
}"""


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
    room = page.locator("#learn-machine .gw-room")
    assert room.evaluate(BEHIND), "through the room of what is not said the picture is seen"


def test_all_that_is_pressed_or_pointed_at_has_a_role_and_a_name(page: Page) -> None:
    unnamed = re.compile(r"- (button|slider|application|group|region|heading|img|link)(:|$| \[)")
    for size, step in (({"width": 390, "height": 844}, 0), ({"width": 1280, "height": 900}, 3)):
        page.set_viewport_size(size)
        page.goto(page.url.split("?")[0] + f"?tab=learn&seed={SEED}&amf=1&plant=1&step={step}")
        page.wait_for_selector("#learn-machine [data-ready='1'] .gm-box")
        machine = page.locator("#learn-machine .gw")
        said = [line.strip() for line in machine.aria_snapshot().splitlines()]
        assert not [line for line in said if unnamed.match(line)]
        assert sum('button "Block ' in line for line in said) == 12
        assert any('slider "Channels of block 11"' in line for line in said)
        stops = machine.locator("[tabindex='0'], button").evaluate_all(
            "l => l.map(one => [one.localName, one.getAttribute('role')])"
        )
        assert all(name == "button" or role for name, role in stops), stops
        free = machine.locator("svg:not([aria-hidden]) > :not(g):not([data-zone])")
        assert free.count() == 0, "what is drawn belongs to a part"
