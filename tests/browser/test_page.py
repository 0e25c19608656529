"""The page as a person sees it, in a real browser; the server has no network."""

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Route, expect

from demo import wording
from demo.look import Request, Studio
from demo.settings import Settings
from evaluation.photos import star_photos
from tests.browser.conftest import CHROMIUM, DESKTOP

DONE = "#tabs[data-state]:not([data-busy])"
CAT = star_photos()["chelsea"].path
WORDS = "dog, person, grass"
MOVED = """window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.moved += one.value)))
  .observe({ type: 'layout-shift', buffered: true });"""
GIVE = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), files = new DataTransfer();
  files.items.add(new File([bytes], 'cat.jpg', { type: 'image/jpeg' }));
  const event = kind === 'paste' ? new ClipboardEvent(kind, { clipboardData: files })
    : new DragEvent(kind, { dataTransfer: files });
  Object.defineProperty(event, 'target', { value: document.body });
  document.dispatchEvent(event);
}"""
"""A photo dropped or pasted on the page, as a browser reports it."""
HOSTILE = ["<img src=x onerror=hit()>", "${hit()}", "{{hit()}}", "قطة صغيرة", "🐸🦑"]

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


def arrive(page: Page, url: str, **query: object) -> None:
    page.goto(f"{url}?{urlencode({'example': 'dog', 'words': WORDS, **query})}")
    page.wait_for_selector(DONE)


def upload(page: Page, path: Path = CAT) -> None:
    page.locator("#photo input[type=file]").set_input_files(str(path))


def type_words(page: Page, words: str) -> None:
    """At one stroke: a suggestion that comes between two would be added to."""
    field = page.locator("#words textarea")
    field.evaluate(
        "(field, words) => { field.value = words; field.dispatchEvent(new Event('input',"
        " { bubbles: true })) }",
        words,
    )
    field.press("Enter")


def words_are(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.locator("#words textarea")).to_have_value(words)


def legend(page: Page) -> Any:
    return page.locator("#side-canvas .gw-legend")


def turn_to(page: Page, tab: str) -> None:
    """Choose a tab, on a narrow screen from the menu of those that found no room."""
    own = page.get_by_role("tab", name=tab)
    if not own.count():
        page.locator(".overflow-menu > button").first.click()
        own = page.locator(".overflow-dropdown button", has_text=tab)
    own.first.click()


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


# --- the first screen -----------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (768, 1024)])
def test_photo_words_switches_and_mask_are_on_the_first_screen(
    desktop: Page, url: str, width: int, height: int
) -> None:
    desktop.set_viewport_size({"width": width, "height": height})
    desktop.add_init_script(MOVED)
    desktop.goto(url)
    desktop.wait_for_selector(DONE)
    expect(desktop.locator("#side-canvas")).to_contain_text("mIoU")
    boxes = [
        desktop.locator(one).bounding_box()
        for one in ("#photo", "#words", "#switches", "#side-canvas .gw-stage")
    ]
    *before, stage = boxes
    assert all(box["y"] + box["height"] <= height for box in before)
    assert stage["y"] + 0.4 * stage["height"] < height, "enough of the mask to know it"
    assert fits(desktop)
    desktop.wait_for_timeout(1500)  # what came late would have moved by now
    assert desktop.evaluate("window.moved") <= 0.05


@pytest.mark.parametrize("name", ["main.js", "style.css"])
def test_a_page_whose_code_or_style_comes_late_answers_and_does_not_move(
    phone: Page, url: str, name: str
) -> None:
    late: list[Route] = []
    phone.route(f"**/{name}", lambda route: late.append(route))
    phone.add_init_script(MOVED)
    phone.goto(url)
    phone.wait_for_selector("#words textarea", state="attached")
    phone.wait_for_timeout(1000)
    late[0].continue_()
    phone.wait_for_selector(DONE)
    assert phone.evaluate("window.moved") <= 0.05


def test_drop_a_photo_is_the_largest_thing_of_the_input(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    target = desktop.locator("#photo .target").bounding_box()
    for other in ("#words", "#examples", "#switches", "#segment"):
        box = desktop.locator(other).bounding_box()
        assert box["width"] * box["height"] < target["width"] * target["height"], other
    above = desktop.locator("#photo").bounding_box()["y"]
    assert above < desktop.locator("#examples").bounding_box()["y"], "examples are below it"


def test_one_line_stands_over_the_tabs_and_learn_is_a_tab_alone(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    expect(desktop.get_by_role("tab", name="Learn")).to_have_count(1)
    expect(desktop.locator("#top button", has_text="Learn")).to_have_count(0)
    expect(desktop.locator("#says p:visible")).to_have_count(1)
    expect(desktop.locator("#link-notes p:visible")).to_have_count(0)


# --- a photo of one's own -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["choose", "drop", "paste"])
def test_a_photo_is_answered_at_once_with_words_that_are_in_it(
    desktop: Page, url: str, kind: str
) -> None:
    arrive(desktop, url)
    if kind == "choose":
        upload(desktop)
    else:
        desktop.evaluate(GIVE, [kind, base64.b64encode(CAT.read_bytes()).decode()])
    words_are(desktop, re.compile("cat"))
    expect(legend(desktop)).to_contain_text("cat")
    expect(legend(desktop)).not_to_contain_text("dog")
    assert "source=upload" in desktop.url


def test_typed_words_win_over_suggested_ones(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    upload(desktop)
    type_words(desktop, "sofa, wall")
    expect(legend(desktop)).to_contain_text("wall")
    expect(legend(desktop)).not_to_contain_text("cat")
    words_are(desktop, "sofa, wall")
    assert "words=sofa%2C+wall" in desktop.url


def test_words_typed_while_a_photo_is_uploaded_stay(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    waiting: list[Route] = []
    desktop.route("**/gradio_api/upload*", lambda route: waiting.append(route))
    with desktop.expect_request("**/gradio_api/upload*"):
        upload(desktop)
    type_words(desktop, "sofa, wall")
    waiting[0].continue_()
    expect(legend(desktop)).to_contain_text("wall")
    expect(desktop.locator("#photo img")).to_have_attribute("alt", "Your photo")
    words_are(desktop, "sofa, wall")
    assert "words=sofa%2C+wall" in desktop.url


def test_no_term_is_explained_within_a_typed_word(desktop: Page, url: str) -> None:
    arrive(desktop, url, words="head, dog")
    expect(desktop.locator("#side-canvas")).to_contain_text("“head” is not in the truth")
    expect(desktop.locator("#result .term").first).to_be_visible()
    expect(desktop.locator("#result .term[data-term=head]")).to_have_count(0)


def test_one_press_adds_a_word_that_the_model_sees_besides(desktop: Page, url: str) -> None:
    arrive(desktop, url, words="dog")
    chip = desktop.locator("#chips .chip").first
    word = chip.inner_text().removeprefix("+ ")
    chip.click()
    words_are(desktop, f"dog, {word}")
    expect(legend(desktop)).to_contain_text(word)


def test_a_word_never_met_offers_the_nearest_that_is_known(desktop: Page, url: str) -> None:
    arrive(desktop, url, words="golden retriever, grass")
    expect(desktop.locator("#chips")).to_contain_text("golden retriever: try")
    desktop.locator("#chips .gw-link", has_text="dog").click()
    words_are(desktop, "dog, grass")
    expect(legend(desktop)).to_contain_text("dog")


def test_background_is_automatic_and_can_be_switched(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    expect(legend(desktop)).not_to_contain_text("rest")
    desktop.locator("#background").get_by_label("on", exact=True).click()
    expect(legend(desktop)).to_contain_text("rest")
    desktop.locator("#background").get_by_label("automatic").click()
    expect(legend(desktop)).not_to_contain_text("rest")
    type_words(desktop, "dog")
    expect(legend(desktop)).to_contain_text("rest")


def test_a_broken_upload_is_refused_in_words_and_the_last_answer_stays(
    desktop: Page, url: str, tmp_path: Path
) -> None:
    arrive(desktop, url)
    broken = tmp_path / "photo.png"
    broken.write_bytes(b"\x89PNG not really")
    upload(desktop, broken)
    expect(desktop.locator("#says .problem").first).to_contain_text("damaged")
    assert desktop.locator("#side-canvas .gw-mask").count() > 0


def test_copy_link_says_first_that_an_upload_stays_here(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    expect(desktop.locator("#photo-stays .row")).to_have_count(0)
    upload(desktop)
    expect(desktop.locator("#photo-stays")).to_contain_text(wording.PHOTO_STAYS.text)


def test_a_share_card_is_one_press_away_where_export_is_behind_the_menu(
    phone: Page, url: str
) -> None:
    arrive(phone, url)
    upload(phone)
    phone.locator("#photo-stays .gw-link").click()
    expect(phone.get_by_role("tab", name="Export")).to_have_attribute("aria-selected", "true")
    expect(phone.locator("#card img")).to_be_visible()


# --- switches and settings ------------------------------------------------------------------------


def test_a_switch_that_does_nothing_is_dimmed_says_why_and_offers_a_simulation(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url)
    expect(desktop.locator("#reasons")).to_contain_text("CS changes nothing")
    expect(desktop.locator("#cs input")).to_have_css("opacity", "0.5")
    desktop.locator("#reasons .gw-link").click()
    expect(desktop.locator("#side-canvas")).to_contain_text("Simulation")
    assert desktop.locator("#result").inner_text().count("Simulation") == 1, "with the mask"
    expect(desktop.locator("#cs input")).to_have_css("opacity", "1")
    desktop.locator("#side-canvas .gw-simulated .gw-link").click()
    expect(desktop.locator("#side-canvas")).not_to_contain_text("Simulation")


def test_another_method_leaves_both_switches_unused_and_says_so(desktop: Page, url: str) -> None:
    arrive(desktop, url, method="maskclip")
    expect(desktop.locator("#reasons")).to_contain_text("Any but GCLIP leaves them unused")
    for switch in ("#amf input", "#cs input"):
        expect(desktop.locator(switch)).to_have_css("opacity", "0.5")


def test_amf_changes_the_mask(desktop: Page, url: str) -> None:
    arrive(desktop, url, cs=0)
    expect(legend(desktop)).to_contain_text("changed from ClearCLIP")
    desktop.locator("#amf input").click()
    expect(desktop.locator("#side-attention")).to_contain_text("AMF is off")


def test_advanced_shows_four_fields_each_with_a_sentence(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    desktop.locator("#advanced > button").click()
    shown = desktop.locator("#advanced .block:not(.container):visible:has(.info-text)")
    expect(shown).to_have_count(4)
    ids = shown.evaluate_all("all => all.map((one) => one.id)")
    assert ids == ["short-side", "window", "amf-blocks", "channels"]
    desktop.locator("#amf-blocks input").click()
    for counting in ("6 7", "7 8"):
        expect(desktop.get_by_role("option", name=counting)).to_be_visible()


def test_a_list_of_words_can_be_taken_and_has_no_unknown_word(phone: Page, url: str) -> None:
    arrive(phone, url)
    for fold in ("#advanced > button", "#all-settings > button"):
        phone.locator(fold).click()
    phone.locator("#preset input").click()
    phone.get_by_role("option", name="Cityscapes 19").click()
    words_are(phone, re.compile("^road, sidewalk, "))
    expect(legend(phone)).to_contain_text("sidewalk")
    expect(phone.locator("#chips")).not_to_contain_text("try")
    assert fits(phone)


def test_opacity_reaches_the_mask_and_the_link_without_a_request(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    asked: list[str] = []
    desktop.on("request", lambda request: asked.append(request.url))
    desktop.locator("#side-canvas .gw-bar input").fill("25")
    desktop.wait_for_function("location.search.includes('opacity=0.25')")
    assert not [one for one in asked if not one.startswith("data:")]


# --- links, words of strangers, names -------------------------------------------------------------


def test_a_link_restores_every_setting(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="channels", example="jockey", cs=0, amf_blocks="4-5", opacity=0.3)
    desktop.locator("#copy-link").click()
    expect(desktop.locator("#copy-link")).to_have_text(wording.COPIED)
    link = desktop.evaluate("navigator.clipboard.readText()")
    assert link == desktop.url, "which a reload would show again"
    assert {"tab=channels", "example=jockey", "cs=0", "amf_blocks=4-5"} <= set(
        re.split("[?&]", link)
    )


@pytest.mark.parametrize(
    ("query", "note"), [("seed=7&words=moon", "drawn scene"), ("amf=maybe", "left out")]
)
def test_a_link_that_cannot_be_followed_is_said_and_the_page_opens(
    desktop: Page, url: str, query: str, note: str
) -> None:
    desktop.goto(f"{url}?{query}")
    desktop.wait_for_selector("#side-canvas .gw-mask")
    expect(desktop.locator("#link-notes")).to_contain_text(note)
    expect(legend(desktop)).not_to_contain_text("moon")


def test_hostile_words_are_shown_as_they_are_and_run_nothing(phone: Page, url: str) -> None:
    phone.add_init_script("window.ran = 0; window.hit = () => { window.ran += 1; };")
    arrive(phone, url, words=", ".join(HOSTILE), cs=0)
    for word in HOSTILE:
        expect(phone.locator("#side-canvas")).to_contain_text(word)
    phone.wait_for_timeout(500)  # a picture that is not there fails a little later
    assert phone.evaluate("window.ran") == 0
    type_words(phone, "x" * 300)
    expect(phone.locator("#says .problem").first).to_contain_text("xxx")
    assert fits(phone)


def test_the_python_of_export_makes_the_page_s_labels(
    desktop: Page, url: str, studio: Studio
) -> None:
    arrive(desktop, url, tab="export", amf=0, threshold=0.99)
    code = desktop.locator("#python textarea")
    expect(code).to_have_value(re.compile("threshold=0.99"))
    made: dict[str, Any] = {}
    exec(code.input_value(), made)
    settings = Settings(example="dog", words=WORDS, amf=False, threshold=0.99)
    look = studio.look(Request(settings))
    assert (made["labels"].numpy() == look.mask(look.chosen).labels).all()


def test_controls_have_names_and_show_where_the_focus_is(desktop: Page, url: str) -> None:
    arrive(desktop, url)
    assert desktop.viewport_size == DESKTOP
    desktop.keyboard.press("Tab")
    assert desktop.evaluate("document.activeElement.id") == "skip", "past the input"
    items = desktop.locator("#examples .gallery-item").all()
    names = [one.get_attribute("aria-label") for one in items]
    assert all(names) and len(set(names)) == len(names)
    unnamed = "img:not([alt]), [role=application]:not([aria-label]), svg.plot:not([aria-label])"
    assert desktop.locator("#result").locator(unnamed).count() == 0
    for reached in ("#copy-link", "#photo .target", "#segment", "#amf input"):
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
