"""The page as a person sees it, in a real browser at two widths; the server has no network."""

import contextlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Error, Page, Response, expect

from demo import wording
from demo.look import Request, Studio
from demo.settings import Settings
from demo.tabs import attention as attention_view
from demo.variants import VARIANTS
from gclip_core import assets
from tests.browser.conftest import CHROMIUM, DESKTOP, PHONE

DONE = "#says .status"
SEED, WORDS = 2, "strawberry, frog, grass"

MOVED = """window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.moved += one.value)))
  .observe({ type: 'layout-shift', buffered: true });"""
HOSTILE = [
    "<img src=x onerror=hit()>",
    "${hit()}",
    "{{hit()}}",
    "قطة صغيرة",
    "🐸🦑",
]

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


def arrive(page: Page, url: str, **query: object) -> None:
    page.goto(f"{url}?{urlencode({'seed': SEED, **query})}")
    page.wait_for_selector(DONE)


def toggle(page: Page, switch: str) -> None:
    """Press a switch and wait for the new answer."""
    said = {"amf": "#side-attention .gw > .gw-note", "cs": "#side-norms .gw-pill:last-child"}
    before = page.locator(said[switch]).inner_text()
    page.locator(f"#{switch} input").click()
    expect(page.locator(said[switch])).not_to_have_text(before)


def picture(page: Page, canvas: str, side: int = 0) -> str:
    """A mask, as the browser drew it; ``side`` 0 is the left one."""
    mask = page.locator(f"#{canvas} .gw-mask").nth(side)
    expect(mask).not_to_have_attribute("width", "300")  # a canvas that is not drawn yet
    return mask.evaluate("c => c.toDataURL()")


def asked_of(page: Page) -> list[str]:
    """Every request the page makes from now on; pictures inside a value are none."""
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith("data:") else None)
    return asked


def score(page: Page, mask: str) -> float:
    """The mIoU beside a mask's title, in percent."""
    text = page.locator(f"#{mask} .gw-pill").inner_text()
    return float(text.removeprefix("mIoU").removesuffix("%"))


def turn_to(page: Page, tab: str) -> None:
    """Choose a tab, on a narrow screen from the menu of those that found no room."""
    own = page.get_by_role("tab", name=tab)
    if not own.count():
        page.locator(".overflow-menu > button").first.click()
        own = page.locator(".overflow-dropdown button", has_text=tab)
    own.first.click()


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_it_opens_on_a_starred_scene_and_nothing_overflows_or_moves(page: Page, url: str) -> None:
    page.add_init_script(MOVED)
    page.goto(url)
    page.wait_for_selector(DONE)
    expect(page.locator("#side-canvas")).to_contain_text("mIoU")
    expect(page.locator("#says")).to_contain_text("model for emoji scenes answers here")
    expect(page.locator("#says")).to_contain_text("OpenAI ViT-B/16")
    expect(page.locator("#says")).to_contain_text("599 MB")
    assert fits(page)
    stage = page.locator("#side-canvas .gw-stage").bounding_box()
    cards = [page.locator(f"#side-{c}").bounding_box() for c in ("canvas", "attention", "norms")]
    if page.viewport_size == DESKTOP:
        assert len({round(card["y"]) for card in cards}) == 1, "one row"
        assert all(card["y"] + card["height"] <= DESKTOP["height"] for card in cards)
        assert stage["width"] > 350
    else:
        assert stage["y"] + stage["height"] <= PHONE["height"], "the canvas is on the first screen"
    page.wait_for_timeout(1500)  # what came late would have moved by now
    assert page.evaluate("window.moved") <= 0.05


def test_amf_changes_mask_and_last_attention_and_says_what_it_cannot_change(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url, cs=0)
    figures = desktop.locator("#side-attention canvas")
    desktop.wait_for_function(
        "document.querySelector('#side-attention .gw').matrices.filter(Boolean).length === 2"
    )
    before = [f.evaluate("c => c.toDataURL()") for f in figures.all()]
    assert len(before) == 4 and before[2] != before[3], "the last block without and with AMF"
    assert picture(desktop, "side-canvas") != picture(desktop, "side-canvas", 1)
    toggle(desktop, "amf")
    expect(figures).to_have_count(3)
    after = [f.evaluate("c => c.toDataURL()") for f in figures.all()]
    assert before[:2] == after[:2], "the blocks that AMF reads stay as they are"
    expect(desktop.locator("#side-attention")).to_contain_text("AMF is off")
    expect(desktop.locator("#side-canvas")).to_contain_text("there is nothing to compare")
    expect(desktop.locator("#side-canvas .gw-handle")).to_have_count(0)
    expect(desktop.locator("#side-norms")).to_contain_text("AMF changes no weights")


def test_cs_changes_nothing_in_a_healthy_model_and_says_so(desktop: Page, url: str) -> None:
    arrive(desktop, url, amf=0)
    expect(desktop.locator("#side-norms")).to_contain_text("No abnormal channel before the last")
    expect(desktop.locator("#side-canvas")).to_contain_text("CS changes nothing")
    without, with_cs = desktop.locator("#side-canvas .gw").evaluate(
        "canvas => canvas.labels.map((side) => Array.from(side))"
    )
    assert len(set(without)) > 1 and without == with_cs, "every pixel keeps its word"


def test_cs_changes_the_mask_where_a_channel_is_planted_and_the_plot_stays_where_it_is(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url, amf=0, plant=1)
    norms = desktop.locator("#side-norms")
    expect(norms).to_contain_text("CS brings channel 77 of block 7")
    assert picture(desktop, "side-canvas") != picture(desktop, "side-canvas", 1)
    expect(desktop.locator("#side-canvas .gw-changed")).to_be_visible()
    toggle(desktop, "cs")
    expect(norms).to_contain_text("It would bring channel 77 of block 7")
    expect(norms).to_contain_text("what CS would do")


def test_a_simulation_is_named_on_every_card_and_switched_off_by_one_press(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url, plant=1)
    for card in ("canvas", "attention", "norms"):
        expect(desktop.locator(f"#side-{card}")).to_contain_text("Simulation")
        assert desktop.locator(f"#side-{card}").inner_text().lower().count("simulation") == 1
    expect(desktop.locator("#says")).not_to_contain_text("Simulation")
    shown = {
        "Compare": ("iou-table", "pair-canvas", "variant-clip"),
        "Attention": ("block-strip", "live-attention", "class-token", "block-scores"),
        "Channels": ("similarity",),
    }
    for tab, named in shown.items():
        turn_to(desktop, tab)
        for card in named:
            expect(desktop.locator(f"#{card}")).to_contain_text("Simulation")
    expect(desktop.locator("#similarity")).to_contain_text("the truth")
    turn_to(desktop, "Export")
    expect(desktop.locator("#lost")).to_contain_text("Simulation")
    turn_to(desktop, "Side by side")
    desktop.locator("#side-norms .gw-link").click()
    expect(desktop.locator("#side-canvas")).not_to_contain_text("Simulation")
    turn_to(desktop, "Export")
    expect(desktop.locator("#lost")).not_to_contain_text("Simulation")
    turn_to(desktop, "Side by side")
    desktop.get_by_role("button", name="Simulate an abnormal channel").click()
    expect(desktop.locator("#side-norms .gw-simulated")).to_be_visible()


def test_a_switch_is_light_and_keeps_the_mask_where_it_is_whatever_it_is_called(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url, plant=1)
    expect(desktop.locator("#side-canvas .gw-changed")).to_be_visible()
    loaded = "['canvas', 'maps'].every((kind) => document.querySelector(`#side .gw-${kind}`)"
    desktop.wait_for_function(f"{loaded}.matrices.filter(Boolean).length === 2)")
    stage = desktop.locator("#side-canvas .gw-stage")
    places, sizes = [stage.bounding_box()], {}

    def count(response: Response) -> None:
        with contextlib.suppress(Error):  # a stream that goes on has no body yet
            sizes[response.url] = sizes.get(response.url, 0) + len(response.body())

    desktop.on("requestfinished", lambda request: count(request.response()))
    toggle(desktop, "cs")
    desktop.wait_for_timeout(2000)
    held = {url: size for url, size in sizes.items() if "/blob/" in url}
    assert len(held) == 1, "the new matrix; picture and the other matrix are kept"
    assert sum(size for url, size in sizes.items() if url not in held) <= 90_000
    places.append(stage.bounding_box())
    toggle(desktop, "amf")
    expect(desktop.locator("#side-canvas .gw-title")).to_have_text(["ClearCLIP"])
    desktop.wait_for_timeout(1000)  # the canvas is built anew
    places.append(stage.bounding_box())
    assert places[0] == places[1] == places[2]


def test_an_uploaded_photo_and_typed_words_give_a_mask(page: Page, url: str) -> None:
    arrive(page, url)
    photo = assets.path("photos", "chelsea.jpg")
    page.locator("#image input[type=file]").set_input_files(str(photo))
    page.wait_for_function("!document.querySelector('#side-canvas').innerText.includes('mIoU')")
    expect(page.locator("#says")).to_contain_text(wording.OLD_WORDS)
    page.locator("#words textarea").fill("cat; kitten, grass")
    page.locator("#words textarea").press("Enter")
    expect(page.locator("#side-canvas .gw-legend")).to_contain_text("cat")
    expect(page.locator("#says")).not_to_contain_text(wording.OLD_WORDS)


def test_a_broken_upload_is_refused_in_words_and_the_work_stays(
    desktop: Page, url: str, tmp_path: Path
) -> None:
    arrive(desktop, url)
    broken = tmp_path / "photo.png"
    broken.write_bytes(b"\x89PNG not really")
    desktop.locator("#image input[type=file]").set_input_files(str(broken))
    expect(desktop.locator("#says .problem").first).to_contain_text("damaged")
    expect(desktop.locator("#words textarea")).to_have_value("strawberry, frog, grass")
    assert desktop.locator("#side-canvas .gw-mask").count() > 0


def test_hostile_words_are_shown_as_they_are_and_run_nothing(phone: Page, url: str) -> None:
    phone.add_init_script("window.ran = 0; window.hit = () => { window.ran += 1; };")
    arrive(phone, url, words=", ".join(HOSTILE), cs=0)
    shown = {"Compare": "#pair-canvas", "Export": "#python", "Side by side": "#side-canvas"}
    for tab in shown:
        turn_to(phone, tab)
        expect(phone.locator(shown[tab])).to_contain_text(HOSTILE[0])
    phone.wait_for_timeout(500)  # a picture that is not there fails a little later
    assert phone.evaluate("window.ran") == 0
    legend = phone.locator("#side-canvas")
    shown = legend.text_content()
    assert all(word in shown for word in HOSTILE)
    phone.locator("#words textarea").fill("x" * 300)
    phone.locator("#words textarea").press("Enter")
    expect(phone.locator("#says .problem").first).to_contain_text("xxx")
    assert fits(phone)


def test_compare_shows_all_variants_the_truth_and_any_two_of_them(phone: Page, url: str) -> None:
    asked = asked_of(phone)
    arrive(phone, url, tab="compare")
    for name in ("clip", "clearclip", "amf", "cs", "amf_cs"):
        expect(phone.locator(f"#variant-{name}")).to_contain_text("mIoU")
    phone.wait_for_timeout(500)
    assert sum("queue/join" in one for one in asked) == 2, "reading the link, and one answer"
    expect(phone.locator("#variant-amf_cs .gw-title")).to_have_text("GCLIP")
    expect(phone.locator("#variant-truth .gw-title")).to_have_text("Truth")
    assert not phone.locator("#variant-sclip").is_visible()
    expect(phone.locator("#favoured")).to_contain_text("That favours MaskCLIP")
    changed = phone.locator("#pair-canvas .gw-entry", has=phone.locator(".gw-changed"))
    expect(changed).to_contain_text("changed from ClearCLIP")
    before = changed.inner_text()
    phone.locator("#left input").click()
    phone.get_by_role("option", name="Truth", exact=True).click()
    expect(changed).to_contain_text("changed from Truth")
    assert changed.inner_text().splitlines()[-1] != before.splitlines()[-1]
    phone.locator("#extras input").click()
    expect(phone.locator("#variant-sclip")).to_contain_text("SCLIP")
    assert fits(phone)


def test_compare_lists_iou_and_a_new_scene_brings_new_words(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="truth")  # a tab that links of earlier pages name
    expect(desktop.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    expect(desktop.locator("#iou-table")).to_contain_text("strawberry")
    heads, first = (
        desktop.locator(f"#iou-table {row} > *").all_inner_texts()
        for row in ("thead tr", "tbody tr:first-child")
    )
    scores = dict(zip(heads[1:], map(float, first[1:]), strict=True))
    most = max(scores.values())
    expect(desktop.locator("#favoured")).to_contain_text(f"mIoU {most} %. Ahead of")
    said = desktop.locator("#favoured").inner_text()
    best = re.search("Best on this picture: (.*), mIoU", said)[1].split(" and ")
    assert best == [name for name, score in scores.items() if score == most]
    expect(desktop.locator(".variants .gw-pill", has_text="best: ")).to_have_count(len(best))
    desktop.locator("#scene button").first.click()
    desktop.locator("#new-scene").click()
    expect(desktop.locator("#words textarea")).not_to_have_value("strawberry, frog, grass")
    expect(desktop.locator("#iou-table")).not_to_contain_text("frog")


def test_a_link_restores_every_setting(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="export", seed=3, cs=0, amf_blocks="4-5", opacity=0.3)
    link = desktop.locator("#link textarea").input_value()
    assert link.startswith(url)
    assert "seed=3" in link and "cs=0" in link
    assert "tab=" not in link
    desktop.goto(link)
    desktop.wait_for_selector(DONE)
    expect(desktop.get_by_role("tab", name="Side by side")).to_have_attribute(
        "aria-selected", "true"
    )  # whoever follows a link wants the answer, not the way to take it along
    turn_to(desktop, "Export")
    expect(desktop.locator("#link textarea")).to_have_value(link)
    expect(desktop.locator("#cs input")).not_to_be_checked()
    expect(desktop.locator("#python")).to_contain_text("cs=False")
    with desktop.expect_download() as download:
        desktop.locator("#download").click()
    assert download.value.suggested_filename.endswith(".zip")


def test_pointing_shows_the_library_s_attention_and_asks_nothing_of_the_server(
    desktop: Page, url: str, studio: Studio
) -> None:
    arrive(desktop, url, tab="attention", block=6)
    stage = desktop.locator("#live-attention .gw-stage").first
    stage.scroll_into_view_if_needed()
    desktop.wait_for_timeout(500)
    asked, box = asked_of(desktop), stage.bounding_box()
    for step in range(20):
        desktop.mouse.move(box["x"] + 4 + step * 5, box["y"] + 4 + step * 3)
    row, column = 5, 7
    settings = Settings(seed=SEED, words=WORDS, view_block=5)
    look = studio.look(Request(settings))
    view = attention_view.see(look)
    height, width = look.grid
    desktop.mouse.move(
        box["x"] + box["width"] * (column + 0.5) / width,
        box["y"] + box["height"] * (row + 0.5) / height,
    )
    said = desktop.locator("#live-attention .gw-info")
    expect(said).to_contain_text(f"Patch in row {row + 1}, column {column + 1} looks most at")
    assert asked == []
    used = (view.matrix, view.used_plain, view.used_fused)
    best = [divmod(int(one[row * width + column].argmax()), width) for one in used]
    for y, x in best:
        expect(said).to_contain_text(f"row {y + 1}, column {x + 1}" if (y, x) != (row, column)
                                     else "itself")  # fmt: skip
    stage.focus()
    desktop.keyboard.press("ArrowRight")
    desktop.keyboard.press("ArrowDown")
    expect(said).to_contain_text(f"Patch in row {row + 2}, column {column + 2} looks")
    assert asked == []
    desktop.keyboard.press("Enter")
    expect(said).to_contain_text("(pinned)")
    assert fits(desktop)


def test_a_block_and_a_head_are_chosen(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="attention")
    desktop.locator("#block-strip button").nth(7).click()
    expect(desktop.locator("#live-attention")).to_contain_text("Block 8 of 12")
    expect(desktop.locator("#class-token .gw-pill")).to_have_text("Block 8 of 12")
    desktop.locator("#head input").click()
    desktop.get_by_role("option", name="2", exact=True).click()
    expect(desktop.locator("#class-token")).to_contain_text("Shown: head 2")
    desktop.get_by_role("button", name="Show as matrix").click()
    canvas = desktop.locator("#live-attention canvas").first
    assert canvas.get_attribute("width") == canvas.get_attribute("height")


def test_a_drag_over_channels_suppresses_them_and_segments_anew(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="channels", amf=0, cs=0)
    expect(desktop.locator("#channels-said")).to_contain_text("No abnormal channel")
    assert picture(desktop, "channels-off") == picture(desktop, "channels-on")
    plot = desktop.locator("#channel-norms .gw-plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    desktop.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 100)
    desktop.mouse.down()
    desktop.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 100, steps=4)
    desktop.mouse.up()
    expect(desktop.locator("#channels-said")).to_contain_text("CS changes block")
    expect(desktop.locator("#channels-typed input")).not_to_have_value("")
    expect(desktop.locator("#cs input")).to_be_checked()
    assert picture(desktop, "channels-off") != picture(desktop, "channels-on")
    desktop.locator("#channels-typed input").fill("")
    desktop.locator("#channels-typed input").press("Enter")
    expect(desktop.locator("#channels-said")).to_contain_text("No abnormal channel")


def test_a_planted_channel_is_marked_a_simulation_and_cs_brings_the_mask_back(
    phone: Page, url: str
) -> None:
    arrive(phone, url, tab="channels", amf=0)
    healthy = score(phone, "channels-off")
    phone.locator("#plant input").click()
    expect(phone.locator("#channels-off")).to_contain_text("Simulation, CS off")
    expect(phone.locator("#channel-norms")).to_contain_text("Simulation")
    expect(phone.locator("#similarity")).to_contain_text("Simulation")
    sick = score(phone, "channels-off")
    assert sick < 0.8 * healthy
    assert score(phone, "channels-on") == pytest.approx(healthy, abs=2)
    gain = phone.locator("#plant-gain input[type=number]")
    gain.fill("1")
    gain.press("Enter")
    pill = phone.locator("#channels-off .gw-pill")
    expect(pill).to_have_text(f"mIoU {healthy:.1f} %")
    assert fits(phone)


def test_a_press_on_any_mask_names_the_best_words_of_every_variant(page: Page, url: str) -> None:
    arrive(page, url)
    stage, why = page.locator("#side-canvas .gw-stage"), page.locator("#why .gw")
    expect(why).to_be_hidden()
    for _ in range(1 if page.viewport_size == DESKTOP else 2):
        stage.click(position={"x": 20, "y": 20})
    expect(why).to_be_visible()
    titles = why.locator("h2").all_inner_texts()
    assert titles == [v.title for v in VARIANTS.values() if not v.asked_for]
    for part in why.locator("ol").all():
        assert part.locator("li").count() == len(WORDS.split(",")) + 1, "and the rest"
        assert part.locator(".gw-label").count() == 1
    first = why.get_attribute("aria-label")
    page.keyboard.press("Escape")
    expect(why).to_be_hidden()
    turn_to(page, "Compare")
    other = page.locator("#variant-clip .gw-stage")
    other.scroll_into_view_if_needed()
    for _ in range(1 if page.viewport_size == DESKTOP else 2):
        other.click(position={"x": 60, "y": 60})
    expect(why).to_be_visible()
    assert why.get_attribute("aria-label") != first
    page.locator("#words textarea").fill("frog, sky")
    page.locator("#words textarea").press("Enter")
    expect(why).to_be_hidden()  # it was about other words
    assert fits(page)


def test_a_pinned_patch_goes_with_its_picture(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    desktop.locator("#side-canvas .gw-stage").click(position={"x": 20, "y": 20})
    here = desktop.locator("#side-attention .gw-here")
    expect(here).not_to_have_count(0)
    desktop.keyboard.press("Escape")
    desktop.locator("#side-canvas .gw-stage").click(position={"x": 60, "y": 60})
    expect(here).not_to_have_count(0)
    desktop.locator("#examples .gallery-item").nth(1).click()
    desktop.wait_for_function("location.search.includes('seed=186')")
    expect(here).to_have_count(0)
    expect(desktop.locator("#side-canvas .gw-here")).to_have_count(0)


def test_an_earlier_link_to_a_pixel_opens_its_words(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="why", pixel="10,200")
    expect(desktop.get_by_role("tab", name="Side by side")).to_have_attribute(
        "aria-selected", "true"
    )
    expect(desktop.locator("#why .gw")).to_have_attribute(
        "aria-label", "Pixel in row 11, column 201"
    )
    box = desktop.locator("#why .gw").bounding_box()
    assert box["x"] > 0 and box["y"] > 0


def test_a_class_keeps_its_colour_whatever_its_place_in_the_list(desktop: Page, url: str) -> None:
    arrive(desktop, url, words="frog, strawberry, grass")
    seen = []
    for words in ("frog, strawberry, grass", "grass, sky, frog"):
        desktop.locator("#words textarea").fill(words)
        desktop.locator("#words textarea").press("Enter")
        names = desktop.locator("#side-canvas .gw-legend .gw-name")
        expect(names.filter(has_text="strawberry")).to_have_count(words.count("strawberry"))
        swatches = desktop.locator("#side-canvas .gw-swatch")
        colours = swatches.evaluate_all("all => all.map((one) => one.style.background)")
        seen.append(dict(zip(names.all_inner_texts(), colours, strict=False)))
    assert seen[0]["grass"] == seen[1]["grass"] != ""


def test_copy_link_puts_the_view_on_the_clipboard(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="channels", cs=0)
    desktop.locator("#copy-link").click()
    expect(desktop.locator("#copy-link")).to_have_text("Link copied")
    desktop.wait_for_function("navigator.clipboard.readText().then(t => t.includes('seed='))")
    link = desktop.evaluate("navigator.clipboard.readText()")
    assert link == desktop.url, "which a reload would show again"
    assert "tab=channels" in link and "cs=0" in link


def test_opacity_reaches_every_mask_and_the_link_without_a_request(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    asked = asked_of(desktop)
    before = picture(desktop, "side-canvas")
    desktop.locator("#side-canvas .gw-bar input").fill("25")
    assert picture(desktop, "side-canvas") != before
    assert asked == []
    desktop.get_by_role("tab", name="Export").click()
    expect(desktop.locator("#link textarea")).to_have_value(re.compile("opacity=0.25"))


def test_the_python_of_export_makes_the_page_s_labels(
    desktop: Page, url: str, studio: Studio
) -> None:
    arrive(desktop, url, tab="export", amf=0, threshold=0.99)
    code = desktop.locator("#python .cm-content")
    expect(code).to_contain_text("threshold=0.99")
    made: dict[str, Any] = {}
    exec(code.inner_text(), made)
    settings = Settings(seed=SEED, words=WORDS, amf=False, threshold=0.99)
    look = studio.look(Request(settings))
    shown = look.mask(look.chosen).labels
    assert (made["labels"].numpy() == shown).all()
    assert (shown == -1).any()


def test_controls_have_names_and_show_where_the_focus_is(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    desktop.keyboard.press("Tab")
    assert desktop.evaluate("document.activeElement.id") == "skip", "past the input"
    assert desktop.evaluate("document.activeElement.getAttribute('href')") == "#tabs"
    names = [
        one.get_attribute("aria-label") for one in desktop.locator("#examples .gallery-item").all()
    ]
    assert all(names), names
    assert len(set(names)) == len(names)
    third = desktop.locator("#examples .gallery-item").nth(2)
    third.hover()
    expect(desktop.locator("#term-tip")).to_have_text(names[2].removeprefix("Example: "))
    unnamed = "img:not([alt]), [role=application]:not([aria-label]), svg.plot:not([aria-label])"
    assert desktop.locator("#result").locator(unnamed).count() == 0
    for reached in ("#copy-link", "#segment", "#amf input", "#side-canvas .gw-entry"):
        desktop.locator(reached).first.focus()
        desktop.keyboard.press("Shift+Tab")
        desktop.keyboard.press("Tab")
        seen = desktop.evaluate(
            "(s) => { const e = document.activeElement, style = getComputedStyle(e);"
            " return e.matches(s) && style.outlineStyle !== 'none'"
            " && parseFloat(style.outlineWidth) >= 2; }",
            reached,
        )
        assert seen, reached


def test_a_list_of_words_can_be_taken_and_changed(phone: Page, url: str) -> None:
    arrive(phone, url)
    phone.locator("#advanced button").first.click()
    phone.locator("#preset input").click()
    phone.get_by_role("option", name="Cityscapes 19").click()
    words = phone.locator("#words textarea")
    expect(words).to_have_value(re.compile("^road, sidewalk, "))
    expect(phone.locator("#side-canvas")).to_contain_text("sidewalk")
    words.fill("moon, water")
    words.press("Enter")
    expect(phone.locator("#side-canvas")).not_to_contain_text("sidewalk")
    assert fits(phone)


def test_a_bad_link_is_said_and_the_page_opens(desktop: Page, url: str) -> None:
    desktop.goto(f"{url}?seed=-5&amf=maybe")
    desktop.wait_for_selector("#side-canvas .gw-mask")
    expect(desktop.locator("#link-notes")).to_contain_text("left out")
