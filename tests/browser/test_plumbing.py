"""Around the answers: nothing stale, an address that follows, ways in; Compare, Export."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from demo import wording
from demo.document import BROWSER, GLOSSARY
from demo.tabs import TABS
from tests.browser.conftest import (
    DESKTOP,
    DONE,
    SETTLED,
    arrive,
    barriers,
    give,
    turn_to,
    type_words,
)

ANSWERED = "(tab) => (new URLSearchParams(location.search).get('tab') ?? 'side') === tab"
WIDTHS = (320, 390, 641, 1001, 2560)
"""The narrowest at which each arrangement of the page stands, a phone, and the widest."""
FADED = "document.querySelector('#tabs .tabitem').computedStyleMap().get('opacity').value < 0.6"


def test_a_camera_that_is_not_there_is_said_in_words(stays: Page) -> None:
    stays.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('Requested device not found', 'NotFoundError')); }"
    )
    stays.locator("#photo .foot button").click()
    expect(stays.locator("#photo .status")).to_have_text(BROWSER["camera"]["NotFoundError"])


def test_a_press_during_an_answer_still_opens_the_file_dialog(restored: Page) -> None:
    shown = restored.locator("#photo img")
    before = shown.get_attribute("src")
    with restored.expect_file_chooser():  # first: a loaded browser starts late to report dialogs
        restored.locator("#photo strong:visible").hover()
        restored.mouse.down()
        restored.locator("#examples .gallery-item").last.evaluate("one => one.click()")
        expect(shown).not_to_have_attribute("src", before or "")
        restored.mouse.up()


def test_what_is_refused_and_an_unknown_word_are_said_and_an_old_answer_stays_clearly_apart(
    restored: Page, tmp_path: Path
) -> None:
    type_words(restored, "x" * 300)
    expect(restored.locator("#status .problem").first).to_be_visible()
    expect(restored.locator("#status")).to_contain_text(wording.OLD)
    expect(restored.locator("#tabs")).to_have_attribute("data-state", "old")
    assert restored.locator("#side-canvas .gw-mask").count() > 0
    restored.wait_for_function(FADED)
    type_words(restored, "cat, qwzx")
    restored.wait_for_function("document.querySelector('#tabs').dataset.state === 'fresh'")
    expect(restored.locator("#status .note").first).to_contain_text("never met “qwzx”")
    (broken := tmp_path / "photo.png").write_bytes(b"\x89PNG not really")
    restored.locator("#photo input[type=file]").set_input_files(str(broken))
    expect(restored.locator("#status .problem").first).to_contain_text("damaged")
    assert restored.locator("#side-canvas .gw-mask").count() > 0


def test_an_answer_on_its_way_dims_the_last_one_and_the_host_s_keys_stay(stays: Page) -> None:
    seen = (
        "new Promise((done) => { const tabs = document.querySelector('#tabs');"
        " new MutationObserver(() => done('busy' in tabs.dataset)).observe(tabs,"
        " { attributes: true, attributeFilter: ['data-busy'] });"
        " document.querySelector('#cs input').click(); })"
    )
    for now in ("", "!"):
        assert stays.evaluate(seen)
        stays.wait_for_function("!('busy' in document.querySelector('#tabs').dataset)")
        stays.wait_for_function(f"{now}location.search.includes('cs=0')")
        assert "__theme=dark" in stays.url


def test_words_that_are_not_asked_yet_dim_the_answer_to_others(stays: Page) -> None:
    words, tabs = stays.locator("#words textarea"), stays.locator("#tabs")
    before = words.input_value()
    words.fill(f"{before}, cat")
    expect(tabs).to_have_attribute("data-edited", BROWSER["edited"])
    type_words(stays, before)
    expect(tabs).not_to_have_attribute("data-edited", BROWSER["edited"])


def test_a_tall_slow_picture_dims_the_last_answer_on_no_tall_page(restored: Page) -> None:
    held: list[Route] = []
    restored.route("**/gradio_api/upload", lambda route: held.append(route))
    give(restored, Image.linear_gradient("L").resize((100, 900)).convert("RGB"))
    restored.wait_for_function(FADED)
    restored.wait_for_timeout(1500)
    assert restored.evaluate(FADED), "for as long as it takes"
    assert len(held) == 1, "the file is still on its way"
    held[0].continue_()
    restored.wait_for_function("location.search.includes('source=upload')")
    restored.wait_for_function(f"!({FADED})")
    expect(restored.locator("#side-canvas .gw-stage")).to_have_css("aspect-ratio", "100 / 900")
    assert restored.evaluate("document.documentElement.scrollHeight") < 1800
    read = restored.locator("[aria-live], [role=status]").all_text_contents()
    assert not [text for text in read if "common." in text], "the name of a text is read out"


def test_the_address_follows_and_a_reload_keeps_everything(restored: Page) -> None:
    length = restored.evaluate("history.length")
    type_words(restored, "cat, grass, dog")
    restored.locator("#cs input").click()
    for part in ("dog", "cs=0"):
        restored.wait_for_function(f"location.search.includes('{part}')")
    turn_to(restored, "Compare")
    restored.wait_for_function("location.search.includes('tab=compare')")
    assert restored.evaluate("history.length") == length, "Back leaves the page at once"
    link = restored.locator("#share .gw-copy")
    link.click()
    expect(link).to_have_text(BROWSER["share"]["copied"])
    assert restored.evaluate("navigator.clipboard.readText()") == restored.url
    expect(link).to_have_text(BROWSER["share"]["link"])
    restored.locator("#pair-canvas .gw-stage").click(position={"x": 60, "y": 60})
    fold = restored.locator("#pair-canvas .gw-more")
    fold.locator("summary").click()
    pixel = fold.get_by_text("Pixel in row")
    expect(pixel).to_be_visible()
    asked = pixel.inner_text()
    restored.reload()
    restored.wait_for_selector(DONE)
    expect(restored.locator("#words textarea")).to_have_value("cat, grass, dog")
    expect(restored.locator("#cs input")).not_to_be_checked()
    expect(restored.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    fold.locator("summary").click()
    expect(pixel).to_be_visible()
    expect(pixel).to_have_text(asked)


def test_an_answer_that_comes_after_its_tab_was_left_changes_no_status_line(restored: Page) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    status = restored.locator("#status .status")
    before = status.inner_text()
    with restored.expect_request("**/queue/join*"):
        restored.route("**/queue/join*", hold_first)
        turn_to(restored, "Learn")
    turn_to(restored, "Side by side")
    restored.wait_for_function(ANSWERED, arg="side")
    held[0].continue_()
    expect(restored.locator(DONE)).to_be_visible()
    expect(status).to_contain_text(before.split(" · ")[0])
    assert "tab=learn" not in restored.url


def test_the_reasons_at_a_pinned_pixel_follow_the_words(restored: Page) -> None:
    restored.keyboard.press("Escape")
    restored.locator("#side-canvas .gw-stage").click(position={"x": 120, "y": 60})
    fold = restored.locator("#side-canvas .gw-more")
    fold.locator("summary").click()
    reasons = fold.locator(".gw-columns")
    expect(reasons).to_contain_text("person")
    type_words(restored, "sofa, kite")
    expect(reasons).to_contain_text("kite")
    expect(reasons).not_to_contain_text("person")
    restored.keyboard.press("Escape")
    expect(fold).to_be_hidden()


def test_a_backbone_that_is_not_here_changes_nothing_but_its_card(desktop: Page, url: str) -> None:
    """Whether a link names it or a person chooses it."""
    arrive(desktop, url, backbone="openai-vit-b-16")
    expect(desktop.locator("#fetch-card")).to_contain_text("MB to download")
    button = desktop.locator("#fetch").bounding_box()
    assert button["y"] + button["height"] <= DESKTOP["height"], "above the fold"
    expect(desktop.locator("#status .problem")).to_have_count(0)
    expect(desktop.locator("#tabs")).to_have_attribute("data-state", "fresh")
    assert "backbone=openai" not in desktop.url
    menu = desktop.locator("#backbone input")
    before = menu.input_value()
    menu.click()
    chosen = desktop.get_by_role("option", name=re.compile("MB to fetch")).last
    size = re.search("[0-9]+ MB", chosen.inner_text())[0]
    chosen.click()
    expect(desktop.locator("#fetch-card")).to_contain_text(f"{size} to download")
    expect(desktop.locator("#fetch-card")).to_contain_text("licence")
    expect(menu).to_have_value(before)
    expect(desktop.locator("#tabs")).to_have_attribute("data-state", "fresh")
    assert barriers(desktop, False, "#input") == []
    desktop.locator("#cs input").click()
    desktop.wait_for_function("location.search.includes('cs=0')")
    expect(desktop.locator("#tabs")).to_have_attribute("data-state", "fresh")


def test_arrow_keys_move_the_tabs_which_are_one_stop(stays: Page) -> None:
    stops = stays.locator("#tabs > .tab-wrapper [role=tab]:not([tabindex='-1'])")
    expect(stops).to_have_text(["Side by side"])
    stays.get_by_role("tab", name="Side by side").focus()
    stays.keyboard.press("ArrowRight")
    expect(stays.get_by_role("tab", name="Learn")).to_have_attribute("aria-selected", "true")
    stays.wait_for_function(ANSWERED, arg="learn")
    stays.keyboard.press("Home")
    expect(stays.get_by_role("tab", name="Side by side")).to_have_attribute("aria-selected", "true")


TERMS = ["ClearCLIP", "mIoU", "patch", "block", "Query-Query", "CS"]
PLACES = {**dict.fromkeys(TERMS, "Side by side"), "global token": "Attention"}


@pytest.mark.parametrize("term", PLACES)
def test_a_word_is_explained_where_it_first_stands(term: str, stays: Page) -> None:
    turn_to(stays, PLACES[term])
    word = stays.locator(f".term[data-term='{term}']:visible").first
    tip = stays.locator("#term-tip")
    word.hover()
    expect(tip).to_have_text(GLOSSARY[term])
    stays.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    word.focus()
    expect(tip).to_be_visible()
    stays.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_in_no_tab_anything_overflows_or_bars_the_way(stays: Page) -> None:
    tabs = stays.locator("#tabs > .tab-wrapper [role=tab]").all_inner_texts()
    assert len({tab.strip() for tab in tabs}) == len(TABS)
    for entry in TABS:
        stays.set_viewport_size(DESKTOP)
        turn_to(stays, entry.label)
        stays.wait_for_function(ANSWERED, arg=entry.name)
        # The machine is a button until it is pressed.
        for widget in stays.locator("#result .gw:not(.gw-machine):visible").all():
            expect(widget).to_have_attribute("data-ready", "1")
        place = "html" if entry is TABS[0] else "#result"
        assert barriers(stays, True, place) == [], entry.name
        for width in WIDTHS:
            stays.set_viewport_size({"width": width, "height": 900})
            assert stays.evaluate(SETTLED, width) <= width, (entry.name, width)
            if width == 390:
                assert barriers(stays, False, place) == [], entry.name
    stays.set_viewport_size(DESKTOP)
    turn_to(stays, TABS[0].label)
    stays.wait_for_function(ANSWERED, arg=TABS[0].name)
    expect(stays.locator(DONE)).to_be_visible()
    stays.locator("#status .status").evaluate(
        "line => (line.style.color = 'rgb(128 128 128 / 0.3)')"
    )
    assert "color-contrast" in barriers(stays, False, "#status")[0], "faint words are found"


PAINTED = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4)
    coloured += Math.max(...data.slice(i, i + 3)) - Math.min(...data.slice(i, i + 3)) > 8;
  return (4 * coloured) / data.length;
}"""
"""The share of a thumbnail's pixels that are not grey."""


def test_a_fault_is_named_on_whatever_tab_is_turned_to(desktop: Page, url: str) -> None:
    arrive(desktop, url, plant=1)
    named = re.compile(f"damaged on purpose|{re.escape(BROWSER['elsewhere'])}")
    for tab in ("Compare", "Attention", "Channels", "Export", "Learn", "Side by side"):
        turn_to(desktop, tab)
        expect(desktop.locator("#result .tabitem:visible").get_by_text(named).first).to_be_visible()
    desktop.get_by_role("button", name="End it").click()
    expect(desktop.locator("#result .tabitem:visible").get_by_text(named)).to_have_count(0)


def test_channels_show_the_mask_without_a_simulation_as_long_as_there_is_one(
    desktop: Page, url: str
) -> None:
    for _ in range(2):  # the second answer comes from the cache, before the tab is drawn
        arrive(desktop, url, tab="channels", plant=1)
        masks = desktop.locator("#channels-off, #channels-on, #channels-untouched")
        expect(masks.locator(".gw-mask:visible")).to_have_count(3)
    desktop.locator("#plant input").click()
    expect(masks.locator(".gw-mask:visible")).to_have_count(2)
    expect(desktop.locator("#channels-untouched")).to_be_hidden()


def test_compare_shows_what_differs_from_one_mask_and_how_much(stays: Page) -> None:
    turn_to(stays, "Compare")
    stays.wait_for_selector("#methods .gw[data-ready='1']")
    rows = stays.locator("#methods tbody tr")
    expect(rows.filter(has_text="compared with")).to_have_attribute("data-name", "clearclip")
    methods = rows.and_(stays.locator(":not([data-name=truth])"))  # truth has grey: no word
    for row in methods.filter(has_text="differ").all():
        share = float(row.locator(".share").inner_text().split()[0].lstrip("<")) / 100
        painted = row.locator("canvas").evaluate(PAINTED)
        assert painted == pytest.approx(share, abs=0.02), "only what differs has a colour"
    clip = rows.and_(stays.locator("[data-name=clip]")).locator("canvas")
    stays.locator("#methods").get_by_role("button", name="Masks").click()
    assert clip.evaluate(PAINTED) > 0.5
    stays.locator("#methods").get_by_role("button", name="What differs").click()
    assert clip.evaluate(PAINTED) < 0.5
    turn_to(stays, "Side by side")


def test_compare_is_sorted_by_what_is_pressed_and_opens_a_row(stays: Page) -> None:
    turn_to(stays, "Compare")
    stays.wait_for_selector("#methods .gw[data-ready='1']")
    rows = stays.locator("#methods tbody tr:not([data-name=truth])")
    years = [int(row.locator("td").first.inner_text()) for row in rows.all()]
    assert years == sorted(years) and len(years) == 7
    expect(rows.locator(".dot").first).to_be_visible()
    stays.locator("#methods thead button", has_text="mIoU").click()
    cells = rows.locator("td[data-column='score mIoU']").all_inner_texts()
    scores = list(map(float, cells))
    assert scores == sorted(scores, reverse=True)
    for name, title in (("naclip", "NACLIP"), ("gclip", "GCLIP")):
        stays.locator(f"#methods tr[data-name={name}] .open").click()
        expect(stays.locator("#pair-canvas")).to_contain_text(title)
        expect(stays.locator("#pair-canvas .gw-stage")).to_be_in_viewport()
        expect(stays.locator(f"#methods tr.chosen[data-name={name}]")).to_be_visible()
    turn_to(stays, "Side by side")
