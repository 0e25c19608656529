"""The canvas: a mask on the photo, what its patches look at, and why they have their words."""

import io
import re
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    DESKTOP,
    FLOWER,
    PHONE,
    after,
    encoded,
    give,
    picture,
    share,
    turn_to,
    type_words,
)

TEN_KEYS = """pad => {
    const press = () => pad.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}))
    for (let i = 0; i < 10; i++) press()
}"""
NOTE = """() => {
    const [stage, live] = [".stage", ".live"].map(name => document.querySelector(`#canvas ${name}`))
    const note = () => noted.push([stage.classList.contains("looking"), live.textContent])
    window.noted = []
    new MutationObserver(note).observe(stage, {attributes: true})
    new MutationObserver(note).observe(live, {childList: true})
}"""
PLACES = """async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame)
    const parts = document.querySelectorAll("#canvas .stage, #canvas .labels bdi")
    return [...parts].map(part => part.getBoundingClientRect().toJSON())
}"""
"""Of the stage and its labels, two frames after a change of size."""
MANY = "horse, person, fence, bush, grass, tree, sky, a very long word of mine"


def press(page: Page, x: float, y: float) -> None:
    """Click at a share of the photo's width and height."""
    box = page.locator("#canvas .pad").bounding_box() or {}
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def scores(page: Page) -> dict[str, int]:
    """What the opened patch's words score, in per cent."""
    expect(page.locator("#canvas .why")).to_be_visible()
    names = page.locator("#canvas .why :is(bdi, em)").all_inner_texts()
    values = page.locator("#canvas .why b").all_inner_texts()
    return {n: int(v.removesuffix(" %")) for n, v in zip(names, values, strict=True)}


def test_keys(flower: Page) -> None:
    """Arrow keys, Enter and Escape do what pointing does, and a screen reader is told.

    While a key stays pressed the server is not asked for every patch.
    """
    pad, live = flower.locator("#canvas .pad"), flower.locator("#canvas .live")
    pad.focus()
    pad.press("ArrowRight")
    expect(live).to_have_text("Patch in row 11, column 16: flower")
    pad.press("ArrowUp")
    expect(live).to_have_text("Patch in row 10, column 16: flower")
    expect(flower.locator("#canvas .stage")).to_contain_class("looking")
    with flower.expect_request("**/queue/join*"):
        pad.press("Enter")
    assert scores(flower)["flower"] > 50
    expect(live).to_contain_text("flower")
    with flower.expect_request("**/queue/join*") as request:
        pad.evaluate(TEN_KEYS)
    assert request.value.post_data_json["event_data"]["index"] == 9 * 30 + 25
    pad.press("Escape")
    expect(flower.locator("#canvas .why")).to_be_hidden()
    expect(flower).not_to_have_url(re.compile("patch="))


def test_swipe(flower: Page) -> None:
    """The split follows the pointer and the arrow keys, and the mask follows the split."""
    flower.get_by_role("button", name="Swipe", exact=True).click()
    split = flower.get_by_role("slider", name="Where the two masks meet")
    mask = flower.locator("#canvas canvas.mask")
    read = "canvas => new Promise(requestAnimationFrame).then(() => canvas.toDataURL())"
    pictures = {mask.evaluate(read)}
    box = flower.locator("#canvas .stage").bounding_box() or {}
    middle = box["y"] + box["height"] / 2
    flower.mouse.move(box["x"] + box["width"] / 2, middle)
    flower.mouse.down()
    flower.mouse.move(box["x"] + 0.1 * box["width"], middle, steps=4)
    flower.mouse.up()
    assert float(split.input_value()) == pytest.approx(10, abs=2)
    pictures.add(mask.evaluate(read))
    split.press("End")
    expect(split).to_have_value("100")
    pictures.add(mask.evaluate(read))
    assert len(pictures) == 3
    flower.get_by_role("button", name="With AMF", exact=True).click()


def test_alone(flower: Page) -> None:
    """A press on a word shows it alone, and its cut-out is the photo where the mask has it."""
    word = flower.locator("#canvas .entry").first
    word.locator("button").first.click()
    expect(flower.locator("#canvas .labels bdi")).to_have_text(["flower"])
    with flower.expect_download() as download:
        flower.get_by_role("button", name="Save a cut-out of flower").click()
    assert download.value.suggested_filename == "flower-flower.png"
    image = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert list(image.size) == flower.locator("#canvas img").evaluate(
        "image => [image.naturalWidth, image.naturalHeight]"
    )
    opaque = sum(image.getchannel("A").histogram()[128:]) / (image.width * image.height)
    assert 100 * opaque == pytest.approx(share(flower, "flower"), abs=2)
    word.locator("button").first.click()
    expect(word.locator(".save")).to_be_hidden()


def test_touch(visitor: Callable[..., Page]) -> None:
    """A tap pins a patch and shows its words; another tap on it frees it. In the diagram, too, a
    tap chooses the patch."""
    phone = visitor(PHONE, **FLOWER)
    pad, place = phone.locator("#canvas .pad"), {"x": 100, "y": 100}
    pad.tap(position=place)
    assert sum(scores(phone).values()) == 100
    phone.get_by_role("button", name="Free this patch").tap()
    expect(phone.locator("#canvas .why")).to_be_hidden()
    pad.tap(position=place)
    expect(phone.locator("#canvas .why")).to_be_visible()
    pad.tap(position=place)
    expect(phone.locator("#canvas .why")).to_be_hidden()
    turn_to(phone, "How it works")
    mean = phone.locator("#diagram .mean canvas").first
    before = mean.evaluate("canvas => canvas.toDataURL()")
    phone.locator("#diagram .cut").tap(position={"x": 12, "y": 12})
    assert mean.evaluate("canvas => canvas.toDataURL()") != before


def test_views(flower: Page) -> None:
    """Both masks can be seen in turn and side by side; the switch chooses the one that is shown,
    also after nine quick presses."""
    without, with_amf, swipe = flower.locator("#canvas .views button").all()
    expect(with_amf).to_have_attribute("aria-pressed", "true")
    without.click()
    expect(flower.locator("#canvas .chip").first).to_contain_text("Without AMF")
    before = share(flower, "plant")
    swipe.click()
    expect(flower.locator("#canvas .chip")).to_contain_text(["Without AMF", "With AMF"])
    expect(flower.locator("#canvas .entry b").nth(1)).to_contain_text(f"{before} % → ")
    with_amf.click()
    for _ in range(9):
        flower.locator("#amf input").click()
    expect(flower).to_have_url(re.compile("amf=0"))
    expect(flower.locator(".pending")).to_have_count(0)
    expect(flower.locator("#amf input")).not_to_be_checked()
    expect(without).to_have_attribute("aria-pressed", "true")
    assert share(flower, "background") > 0
    after(flower, lambda: flower.get_by_role("checkbox", name="Background").uncheck())
    assert share(flower, "background") == 0


def test_labels(visitor: Callable[..., Page]) -> None:
    """Labels lie inside the picture and not over each other, however many there are."""
    page = visitor(example="jockey", words=MANY)
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        expect(page.locator("html")).to_have_js_property("clientWidth", size["width"])
        frame, *labels = page.evaluate(PLACES)
        assert len(labels) >= 3
        for i, label in enumerate(labels):
            assert frame["left"] <= label["left"] <= label["right"] <= frame["right"] + 1
            assert frame["top"] <= label["top"] <= label["bottom"] <= frame["bottom"] + 1
            assert not any(overlap(label, other) for other in labels[:i])


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether two boxes share a pixel."""
    across = a["left"] < b["right"] and b["left"] < a["right"]
    return across and a["top"] < b["bottom"] and b["top"] < a["bottom"]


def test_mouse(visitor: Callable[..., Page]) -> None:
    """Pointing shows where a patch looks; a press adds its words, which add up and are those of
    the mask that is shown; Escape frees it.

    An answer is announced by its sentence, and the patch's map is never that of another method.
    """
    page = visitor(example="jockey", words=MANY)
    stage, why = page.locator("#canvas .stage"), page.locator("#canvas .why")
    page.locator("#canvas .pad").hover()
    expect(stage).to_contain_class("looking")
    expect(why).to_be_hidden()
    press(page, 0.5, 0.5)
    values = scores(page)
    assert sum(values.values()) == 100
    assert "background" in values
    assert "5 more" in values
    assert list(values)[0] == "horse"
    page.mouse.move(5, 5)
    expect(why).to_be_visible()
    fused = page.locator("#canvas canvas.heat").evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="Without AMF", exact=True).click()
    page.wait_for_function(
        "old => document.querySelector('#canvas .heat').toDataURL() !== old", arg=fused
    )
    page.evaluate(NOTE)
    after(page, lambda: page.locator("#amf input").uncheck())
    assert sum(scores(page).values()) == 100
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Method").click()
    after(page, page.get_by_role("option", name="SCLIP", exact=True).click)
    expect(stage).to_contain_class("looking")
    is_looking, texts = zip(*page.evaluate("noted"), strict=True)
    assert not all(is_looking)
    assert not any(text.startswith("Patch") for text in texts)
    press(page, 0.1, 0.9)
    expect(page.locator("#canvas .why bdi").first).to_have_text("grass")
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    expect(stage).not_to_contain_class("looking")


def test_own_photo(shared: Page) -> None:
    """A photo of one's own gets a mask of what is asked for; it is upright, also if it was taken
    with a turned camera."""
    exif, image = Image.Exif(), picture()
    exif[0x0112] = 6
    after(shared, lambda: give(shared, encoded(image, "JPEG", exif=exif), "photo.jpeg"))
    box = shared.locator("#canvas .stage").bounding_box() or {}
    assert box["width"] / box["height"] == pytest.approx(image.height / image.width, rel=0.02)
    after(shared, lambda: type_words(shared, "dog, grass"))
    assert share(shared, "dog") > 5


def test_deleted_files(shared: Page) -> None:
    """If the server has deleted an answer's files the page says so, and the next answer comes."""
    files = "**/numbers.gz"
    shared.route(files, lambda route: route.fulfill(status=403))
    type_words(shared, "flower, sky")
    expect(shared.locator("#canvas .gone")).to_contain_text("load the page again")
    shared.unroute(files)
    after(shared, lambda: type_words(shared, "flower, leaf, sky"))
    expect(shared.locator("#canvas .gone")).to_have_count(0)
