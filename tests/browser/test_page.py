"""The page as a person sees it, in a real browser; the server has no network."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from demo import wording
from demo.document import BROWSER
from evaluation.photos import shipped_photos
from tests.browser.conftest import (
    DONE,
    SETTLED,
    SHEET,
    WORDS,
    arrive,
    legend,
    turn_to,
    type_words,
)

CAT = shipped_photos()["chelsea"].path
MOVED = """window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.moved += one.value)))
  .observe({ type: 'layout-shift', buffered: true });"""
EARLIER = """() => gclip.page.answered(JSON.stringify({ tab: "side", state: "fresh",
  at: performance.now(), query: location.search.slice(1).replace(/&?opacity=[^&]*/, "") }),
  "side", "", "", null, "0")"""
GIVE = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), files = new DataTransfer();
  files.items.add(new File([bytes], 'photo.jpg', { type: 'image/jpeg' }));
  const event = kind === 'paste' ? new ClipboardEvent(kind, { clipboardData: files })
    : new DragEvent(kind, { dataTransfer: files });
  Object.defineProperty(event, 'target', { value: document.body });
  document.dispatchEvent(event);
}"""
"""A photo dropped or pasted on the page, as a browser reports it."""
MIDDLE = """(mark) => {
  const [own, whole] = [mark, mark.ownerSVGElement].map((one) => one.getBoundingClientRect());
  return [(own.x + own.width / 2 - whole.x) / whole.width,
    (own.y + own.height / 2 - whole.y) / whole.height];
}"""
"""Where a mark's middle lies on its picture, in shares of the width and the height."""
HOSTILE = ["<img src=x onerror=hit()>", "${hit()}", "{{hit()}}", "قطة صغيرة", "🐸🦑"]


def upload(page: Page, path: Path = CAT) -> None:
    page.locator("#photo input[type=file]").set_input_files(str(path))


def words_are(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.locator("#words textarea")).to_have_value(words)


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def first_screen(page: Page, url: str, width: int, height: int, late: str = "") -> None:
    """Photo, words, switches and enough of the mask are seen without scrolling; nothing moves.

    Also where a file is a second late.
    """
    held: list[Route] = []
    if late:
        page.route(f"**/{late}", lambda route: held.append(route))
    page.set_viewport_size({"width": width, "height": height})
    page.add_init_script(MOVED)
    page.goto(url)
    page.wait_for_selector("#words textarea", state="attached")
    if late:
        page.wait_for_timeout(1000)
        held[0].continue_()
    page.wait_for_selector(DONE)
    expect(page.locator("#side-canvas")).to_contain_text("mIoU")
    boxes = [
        page.locator(one).bounding_box()
        for one in ("#photo", "#words", "#switches", "#side-canvas .gw-stage")
    ]
    *before, stage = boxes
    assert all(box["y"] + box["height"] <= height for box in before)
    assert stage["y"] + 0.4 * stage["height"] < height, "enough of the mask to know it"
    assert fits(page)
    page.wait_for_timeout(1500)  # what came late would have moved by now
    assert page.evaluate("window.moved") <= 0.05


@pytest.mark.parametrize(
    ("width", "height", "late"), [(390, 844, "style.css"), (768, 1024, "main.js")]
)
def test_the_first_screen_has_everything_and_does_not_move_if_code_or_style_is_late(
    phone: Page, url: str, width: int, height: int, late: str
) -> None:
    first_screen(phone, url, width, height, late)


def test_so_has_a_desktop_s_with_names_and_a_focus_that_is_seen(desktop: Page, url: str) -> None:
    first_screen(desktop, url, 1280, 800)
    desktop.keyboard.press("Tab")
    assert desktop.evaluate("document.activeElement.id") == "skip", "past the input"
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#tabs [role=tab]:focus")).to_have_text("Side by side")
    items = desktop.locator("#examples .gallery-item").all()
    names = [one.get_attribute("aria-label") for one in items]
    assert all(names) and len(set(names)) == len(names)
    assert "coffee" not in names[1].lower(), "the second is one that the model is good at"
    unnamed = "img:not([alt]), [role=application]:not([aria-label]), svg.plot:not([aria-label])"
    assert desktop.locator("#result").locator(unnamed).count() == 0
    for reached in ("#share button", "#photo .target", "#segment", "#amf input"):
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


def test_a_photo_that_is_there_is_a_thumbnail_and_one_line_stands_over_the_tabs(
    stays: Page,
) -> None:
    target = stays.locator("#photo .target")
    expect(target).to_contain_text("Change photo")
    assert target.locator("img").bounding_box()["width"] < 120
    assert target.bounding_box()["height"] < 100
    above = stays.locator("#photo").bounding_box()["y"]
    assert above < stays.locator("#examples").bounding_box()["y"], "examples are below it"
    expect(stays.get_by_role("tab", name="Learn")).to_have_count(1)
    expect(stays.locator("#top button", has_text="Learn")).to_have_count(0)
    expect(stays.locator("#status p:visible")).to_have_count(1)
    expect(stays.locator("#link-notes p:visible")).to_have_count(0)


def test_the_mask_is_the_largest_thing_on_every_screen(desktop: Page, url: str) -> None:
    """As large as 600 × 560 allows at 1280 × 800, all three parts on one screen at 1440 × 900."""
    arrive(desktop, url, example="flower", words="flower, plant")
    stage, (height, width) = desktop.locator("#side-canvas .gw-stage"), (427, 640)
    for screen, room in (((1280, 800), (600, 560)), ((1920, 1080), (900, 760))):
        desktop.set_viewport_size({"width": screen[0], "height": screen[1]})
        desktop.evaluate(SETTLED, screen[0])
        assert stage.bounding_box()["width"] >= min(room[0], room[1] * width / height) - 1
    desktop.set_viewport_size({"width": 1440, "height": 900})
    desktop.evaluate(SETTLED, 1440)
    for card in ("#side-canvas .gw-stage", "#side-attention", "#side-norms"):
        box = desktop.locator(card).bounding_box()
        assert box["y"] + box["height"] <= 900, card
    desktop.set_viewport_size({"width": 768, "height": 1024})
    desktop.evaluate(SETTLED, 768)
    attention = desktop.locator("#side-attention").bounding_box()
    assert attention["y"] <= stage.bounding_box()["y"], "on a tablet it stands beside the mask"
    for narrow in (320, 768, 2560):
        desktop.set_viewport_size({"width": narrow, "height": 900})
        assert desktop.evaluate(SETTLED, narrow) <= narrow


def test_the_page_opens_undamaged_and_one_press_shows_what_cs_repairs(
    desktop: Page, url: str
) -> None:
    desktop.goto(url)
    desktop.wait_for_selector(DONE)
    canvas = desktop.locator("#side-canvas")
    expect(canvas.locator(".gw-sentence")).to_have_text(
        re.compile("^AMF lifts this mask from .* to ")
    )
    expect(desktop.locator("#result")).not_to_contain_text("Simulation")
    desktop.locator("#reasons").get_by_role("button", name=wording.SEE_REPAIR).click()
    expect(canvas.locator("[data-mode=swipe]")).to_have_attribute("aria-pressed", "true")
    shares = canvas.locator(".gw-bars .gw-percent").all_inner_texts()
    figures = [float(share.removesuffix(" %")) for share in shares]
    assert len(figures) == 4 and figures == sorted(figures), "neither < AMF < CS < both"
    expect(canvas.locator(".gw-now")).to_contain_text("both")
    desktop.locator("#cs input").uncheck()
    expect(canvas.locator(".gw-now")).to_contain_text("AMF")
    canvas.get_by_role("button", name="End it").click()
    expect(desktop.locator("#result")).not_to_contain_text("Simulation")
    assert "plant=" not in desktop.url
    expect(desktop.locator("#cs input")).to_be_checked()
    assert "cs=0" not in desktop.url


def test_before_is_named_on_its_button_and_why_these_blocks_is_folded(restored: Page) -> None:
    restored.locator("#amf input").check()
    modes = restored.locator("#side-canvas .gw-modes button")
    expect(modes).to_have_text(["Without AMF", "With AMF", "Swipe"])
    attention = restored.locator("#side-attention")
    expect(attention).to_contain_text("Block 12, without AMF")
    expect(attention.locator(".gw-axis").first).to_be_visible()
    why = attention.locator("details", has_text="Why these blocks")
    expect(why.locator("p")).to_be_hidden()
    why.locator("summary").click()
    expect(why.locator("p")).to_contain_text("AMF takes blocks")


def test_what_is_true_of_pointer_and_model_is_told(phone: Page, stays: Page, url: str) -> None:
    expect(stays.locator("#side-canvas .gw-hint")).to_contain_text("click for why")
    expect(stays.locator("#side-norms")).to_contain_text("Entropy of the norms")
    expect(stays.locator("#input")).to_contain_text("photos it was best at grass")
    arrive(phone, url)
    expect(phone.locator("#side-canvas .gw-hint")).to_contain_text("Tap a patch")


def test_a_photo_is_answered_at_once_with_words_that_are_in_it(restored: Page) -> None:
    restored.locator("#amf input").check()
    link = restored.locator("#share .gw-copy")
    expect(link).to_have_text(BROWSER["share"]["link"])
    for kind, photo, word in (
        ("choose", "coffee", "cup"),
        ("drop", "chelsea", "cat"),
        ("paste", "coffee", "cup"),
    ):
        path = shipped_photos()[photo].path
        if kind == "choose":
            upload(restored, path)
        else:
            restored.evaluate(GIVE, [kind, base64.b64encode(path.read_bytes()).decode()])
        words_are(restored, re.compile(f"^{word}"))  # what the photo is of comes first
        expect(legend(restored)).to_contain_text(word)
        expect(legend(restored)).not_to_contain_text("dog")
        assert "source=upload" in restored.url
    expect(link).to_have_text(BROWSER["share"]["without"])
    expect(restored.locator("#side-canvas")).to_contain_text(wording.GUESSED)
    canvas = restored.locator("#side-canvas")
    expect(canvas.locator(".gw-region canvas")).to_have_count(2)
    reason = "AMF makes this region .*cosines|AMF moves .* edge"
    expect(canvas.locator(".gw-sentence")).to_contain_text(re.compile(reason))
    expect(canvas).to_contain_text("photos AMF adds")
    canvas.locator(".gw-stage").click()
    expect(canvas.locator(".gw-sentence")).to_contain_text("this patch")
    expect(canvas.locator(".gw-region")).to_be_hidden()
    restored.keyboard.press("Escape")
    expect(canvas.locator(".gw-region")).to_be_visible()


def test_edges_follow_the_photo_by_one_control_and_every_score_says_so(restored: Page) -> None:
    score, edges = restored.locator("#side-canvas .gw-pill"), restored.locator("#refine")
    edges.get_by_label("none").click()
    expect(score).to_have_text(re.compile("^mIoU .* %, plain edges$"))
    plain = score.inner_text()
    assert "edges=none" in restored.url
    edges.get_by_label("guided filter").click()
    expect(score).to_have_text(re.compile("^mIoU .* %, edges refined$"))
    assert score.inner_text().split(",")[0] != plain.split(",")[0], "the mask is another"
    turn_to(restored, "Compare")
    expect(restored.locator("#methods [scope=colgroup]")).to_have_text(wording.PLAIN_SCORES)
    for name in restored.locator("#pair-canvas .gw-name-of").all():
        expect(name).to_contain_text("plain edges")


def test_a_pin_stays_at_its_place_on_the_photo_where_the_grid_changes(restored: Page) -> None:
    stage, place = restored.locator("#side-canvas .gw-stage"), (0.8, 0.3)
    box = stage.bounding_box()
    stage.click(position={"x": place[0] * box["width"], "y": place[1] * box["height"]})
    mark = restored.locator("#side-attention .gw-here").first
    grid = restored.locator("#side-attention svg:has(.gw-here)").first
    fine = grid.get_attribute("viewBox")

    def expect_in_place() -> None:
        columns, rows = map(int, grid.get_attribute("viewBox").split()[2:])
        x, y = mark.evaluate(MIDDLE)
        assert abs(x - place[0]) <= 0.51 / columns
        assert abs(y - place[1]) <= 0.51 / rows

    expect_in_place()
    restored.locator("#advanced > button").click()
    field = restored.locator("#short-side input")
    before = field.input_value()
    field.fill("112")
    field.press("Enter")
    expect(grid).not_to_have_attribute("viewBox", fine)
    expect_in_place()
    field.fill(before)
    field.press("Enter")
    expect(grid).to_have_attribute("viewBox", fine)
    expect_in_place()
    restored.locator("#advanced > button").click()
    restored.keyboard.press("Escape")


def test_typed_words_win_over_suggested_ones_at_any_time(restored: Page) -> None:
    upload(restored)
    type_words(restored, "sofa, wall")
    expect(legend(restored)).to_contain_text("wall")
    expect(legend(restored)).not_to_contain_text("cat")
    expect(restored.locator("#side-canvas")).not_to_contain_text(wording.GUESSED)
    words_are(restored, "sofa, wall")
    assert "words=sofa%2C+wall" in restored.url
    waiting: list[Route] = []
    restored.route("**/gradio_api/upload*", lambda route: waiting.append(route))
    with restored.expect_request("**/gradio_api/upload*"):
        upload(restored, shipped_photos()["coffee"].path)
    type_words(restored, "sky, door")
    waiting[0].continue_()
    expect(legend(restored)).to_contain_text("door")
    expect(restored.locator("#photo img")).to_have_attribute("alt", "Your photo")
    words_are(restored, "sky, door")
    assert "words=sky%2C+door" in restored.url


def test_a_link_s_words_stay_for_the_first_photo_that_is_given(desktop: Page, url: str) -> None:
    desktop.goto(f"{url}?source=upload&words=dog")
    desktop.wait_for_selector("#tabs[data-state=none]:not([data-busy])")
    expect(desktop.locator("#link-notes")).to_contain_text("Choose that photo, or any other.")
    upload(desktop)
    expect(desktop.locator("#link-notes p")).to_have_count(0)
    expect(legend(desktop)).to_contain_text("dog")
    words_are(desktop, "dog")
    assert "words=dog" in desktop.url
    upload(desktop, shipped_photos()["coffee"].path)
    words_are(desktop, re.compile("cup"))


def test_words_stay_where_a_photo_is_refused(restored: Page) -> None:
    file = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    restored.locator("#photo input[type=file]").set_input_files(file)
    expect(restored.locator("#status .problem").first).to_be_visible()
    words_are(restored, WORDS)
    expect(legend(restored)).to_contain_text("person")


def test_the_nearest_known_word_is_used_until_that_is_undone_and_a_press_adds_a_word(
    restored: Page,
) -> None:
    chips = restored.locator("#chips")
    type_words(restored, "head, dog")
    expect(restored.locator("#side-canvas")).to_contain_text("“head” is not in the truth")
    expect(restored.locator("#result .term").first).to_be_visible()
    expect(restored.locator("#result .term[data-term=head]:visible")).to_have_count(0)
    type_words(restored, "golden retriever, grass")
    expect(chips).to_contain_text("“golden retriever” is not known: “dog” is used.")
    expect(legend(restored)).to_contain_text("dog")
    chips.get_by_role("button", name="Undo").click()
    expect(legend(restored)).to_contain_text("golden retriever")
    assert "nearest=0" in restored.url
    expect(chips).to_contain_text("“golden retriever” is not known.")
    chips.get_by_role("button", name="Use dog").click()
    expect(legend(restored)).not_to_contain_text("golden retriever")
    words_are(restored, "golden retriever, grass")
    chip = chips.locator(".chip").first
    word = chip.inner_text().removeprefix("+ ")
    chip.click()
    words_are(restored, f"golden retriever, grass, {word}")
    expect(legend(restored)).to_contain_text(word)


def test_background_is_automatic_and_can_be_switched(stays: Page) -> None:
    words = stays.locator("#words textarea").input_value()
    expect(legend(stays)).not_to_contain_text("background")
    stays.locator("#background").get_by_label("on", exact=True).click()
    expect(legend(stays)).to_contain_text("background")
    stays.locator("#background").get_by_label("automatic").click()
    expect(legend(stays)).not_to_contain_text("background")
    type_words(stays, "dog")
    expect(legend(stays)).to_contain_text("background")
    type_words(stays, words)
    expect(legend(stays)).not_to_contain_text("background")
    type_words(stays, "dog")
    legend(stays).get_by_role("button", name="Switch the background off").click()
    expect(legend(stays)).not_to_contain_text("background")
    expect(stays.locator("#background").get_by_label("off", exact=True)).to_be_checked()
    stays.locator("#background").get_by_label("automatic").click()
    type_words(stays, words)


def test_a_word_of_the_legend_is_cut_out_as_a_transparent_picture(restored: Page) -> None:
    button = legend(restored).get_by_role("button", name=re.compile("^Cut out ")).first
    word = button.get_attribute("aria-label").removeprefix("Cut out ")
    button.click()
    card = restored.get_by_role("region", name=f"Cut-out of {word}")
    with restored.expect_download() as download:
        card.get_by_role("link", name="Download PNG").click()
    assert download.value.suggested_filename == f"{word.replace(' ', '-')}-cut-out.png"
    cutout = Image.open(download.value.path())
    assert cutout.mode == "RGBA" and cutout.getchannel("A").getextrema() == (0, 255)
    expect(card).to_contain_text(f"{cutout.width} × {cutout.height} pixels")
    card.get_by_role("button", name="Close").click()
    expect(card).to_be_hidden()


def test_a_switch_that_does_nothing_says_why_and_offers_a_fault(restored: Page) -> None:
    restored.locator("#amf input").check()
    expect(restored.locator("#reasons")).to_contain_text("CS changes nothing")
    expect(restored.locator("#cs input")).to_have_css("opacity", "0.5")
    restored.locator("#reasons .gw-link").click()
    expect(restored.locator("#side-canvas")).to_contain_text("Simulation")
    assert restored.locator("#result").inner_text().count("Simulation") == 1, "with the mask"
    swipe = restored.locator("#side-canvas [data-mode=swipe]")
    expect(swipe).to_have_attribute("aria-pressed", "true")
    expect(restored.locator("#cs input")).to_have_css("opacity", "1")
    restored.locator("#side-canvas .gw-simulated button").click()
    expect(restored.locator("#side-canvas")).not_to_contain_text("Simulation")
    expect(swipe).to_have_attribute("aria-pressed", "false")
    expect(restored.locator("#side-canvas")).to_contain_text("Show only what changed")
    restored.locator("#amf input").click()
    expect(restored.locator("#side-attention")).to_contain_text("AMF is off")


def test_advanced_shows_four_fields_each_with_a_sentence(stays: Page) -> None:
    stays.locator("#advanced > button").click()
    shown = stays.locator("#advanced .block:not(.container):visible:has(.info-text)")
    expect(shown).to_have_count(4)
    ids = shown.evaluate_all("all => all.map((one) => one.id)")
    assert ids == ["short-side", "window", "amf-blocks", "channels"]
    stays.locator("#amf-blocks input").click()
    for counting in ("6 7", "7 8"):
        expect(stays.get_by_role("option", name=counting)).to_be_visible()
    stays.keyboard.press("Escape")
    stays.locator("#advanced > button").click()


def test_opacity_reaches_the_mask_and_the_link_without_a_request(stays: Page) -> None:
    """And stays when the next answer comes."""
    asked: list[str] = []
    stays.on("request", lambda request: asked.append(request.url))
    for value, now in (("25", ""), ("45", "!")):
        asked.clear()
        stays.locator("#side-canvas .gw-bar input").fill(value)
        stays.wait_for_function(f"location.search.includes('opacity=0.{value}')")
        stays.evaluate(EARLIER)  # an answer that was asked for before
        assert f"opacity=0.{value}" in stays.url
        assert not [one for one in asked if "queue/join" in one]
        stays.locator("#cs input").click()
        stays.wait_for_function(f"{now}location.search.includes('cs=0')")
        assert ("opacity=0.25" in stays.url) is (value == "25")
        expect(stays.locator("#status .problem")).to_have_count(0)


def test_what_of_a_link_cannot_be_followed_is_said_until_a_picture_is_chosen(
    desktop: Page, url: str
) -> None:
    desktop.goto(f"{url}?amf=maybe&method=maskclip")
    desktop.wait_for_selector("#side-canvas .gw-mask")
    expect(desktop.locator("#link-notes")).to_contain_text("left out")
    expect(desktop.locator("#reasons")).to_contain_text("uses neither AMF nor CS: they are GCLIP’s")
    for switch in ("#amf input", "#cs input"):
        expect(desktop.locator(switch)).to_have_css("opacity", "0.5")
    desktop.get_by_role("button", name="Example: Dog").click()
    expect(desktop.locator("#link-notes p")).to_have_count(0)


def test_a_phone_shows_hostile_words_and_a_list(phone: Page, url: str) -> None:
    phone.add_init_script("window.ran = 0; window.hit = () => { window.ran += 1; };")
    arrive(phone, url, words=", ".join(HOSTILE), cs=0, short=112, nearest=0)
    for word in HOSTILE:
        expect(phone.locator("#side-canvas")).to_contain_text(word)
    type_words(phone, "x" * 300)
    expect(phone.locator("#status .problem").first).to_contain_text("xxx")
    assert fits(phone)
    assert phone.evaluate("window.ran") == 0
    for fold in ("#advanced > button", "#all-settings > button"):
        phone.locator(fold).click()
    phone.locator("#preset input").click()
    phone.get_by_role("option", name="Cityscapes 19").click()
    words_are(phone, re.compile("^road, sidewalk, "))
    expect(legend(phone)).to_contain_text("bicycle")
    expect(phone.locator("#chips")).not_to_contain_text("try")
    assert fits(phone)


def test_a_phone_shares_the_picture_of_its_own_photo_by_the_browser_s_sheet(
    phone: Page, url: str
) -> None:
    phone.add_init_script(SHEET)
    arrive(phone, url)
    upload(phone)
    words_are(phone, re.compile("cat"))
    button = phone.locator("#share button").first
    button.click()
    expect(button).to_have_text("Shared")
    name, kind, width = phone.evaluate("window.shared")
    assert name.startswith("cat") and name.endswith(".png")
    assert (kind, width) == ("image/png", 1080)
    expect(button).to_have_text(BROWSER["share"]["picture"])
    phone.evaluate("window.refused = true")
    button.click()
    expect(button).to_have_text("Ready: press again")
    phone.evaluate("window.refused = false")
    button.click()
    expect(button).to_have_text("Shared")
    expect(phone.locator("#share .gw-copy")).to_have_text(BROWSER["share"]["without"])
    assert fits(phone)


def test_without_a_sheet_the_share_picture_is_downloaded(stays: Page) -> None:
    with stays.expect_download() as download:
        stays.locator("#share").get_by_role("button", name=BROWSER["share"]["picture"]).click()
    assert download.value.suggested_filename == "dog-person-grass.png"
    with Image.open(download.value.path()) as picture:
        assert picture.width == 1080


def test_on_a_phone_the_label_of_the_command_ends_before_the_button_that_copies(
    phone: Page, url: str
) -> None:
    arrive(phone, url, tab="export")
    label = phone.locator("#command [data-testid=block-info]")
    label.scroll_into_view_if_needed()
    copy = phone.locator("#command button").first.bounding_box()
    right = label.evaluate(
        "(one) => { const range = document.createRange(); range.selectNodeContents(one);"
        " return range.getBoundingClientRect().right; }"
    )
    assert right <= copy["x"]


def test_export_shows_the_figure_and_gives_it_as_png_and_pdf_and_a_zip(restored: Page) -> None:
    turn_to(restored, "Export")
    figures = restored.locator("#figures")
    expect(figures.get_by_role("img")).to_have_count(2)
    expect(figures.get_by_role("img", name="The figure: masks")).to_be_visible()
    for label, first in (
        ("PNG, 300 dpi", b"\x89PNG"),
        ("PDF", b"%PDF"),
        ("Mask, overlay and settings as a zip", b"PK"),
    ):
        with restored.expect_download() as download:
            figures.get_by_role("button", name=label).click()
        assert Path(download.value.path()).read_bytes().startswith(first)
    button = figures.get_by_role("button", name=BROWSER["share"]["picture"])
    expect(button).to_be_enabled()
    expect(restored.locator("#link")).to_contain_text("A photo of your own is not in it.")


def refusing(status: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, body="{}")


def test_a_refused_or_broken_request_is_no_longer_waited_for(desktop: Page, url: str) -> None:
    """What is shown is of an earlier request then; the next is answered as ever."""
    arrive(desktop, url, amf=0)
    tabs, switch = desktop.locator("#tabs"), desktop.locator("#cs input")
    for status in (429, 503):
        desktop.route("**/queue/join*", refusing(status))
        switch.click()
        expect(tabs).to_have_attribute("data-state", "old")
        expect(desktop.locator("#tabs[data-busy]")).to_have_count(0)
        desktop.unroute_all()
        switch.click()
        expect(tabs).to_have_attribute("data-state", "fresh")
    desktop.route("**/queue/join*", lambda route: route.abort())
    with desktop.expect_navigation():  # Gradio loads the page anew once the server answers
        switch.click()
    desktop.unroute_all()
    desktop.wait_for_selector(DONE)
    upload(desktop)
    words_are(desktop, re.compile("cat"))
