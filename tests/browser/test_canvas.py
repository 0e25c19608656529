"""The canvas: a mask on the photo, what its patches attend to, and why they have their words."""

import base64
import io
import re
from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page, Route, expect

from gclip_core import assets
from tests.browser.conftest import (
    DESKTOP,
    FLOWER,
    PHONE,
    after,
    focused,
    give,
    legend,
    picture,
    share,
    switch,
    turn_to,
    type_words,
)
from tests.pictures import encoded

FIVE_KEYS = """pad => {
    const press = () => pad.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}))
    for (let i = 0; i < 5; i++) press()
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
"""Measure the stage and its labels, two frames after a resize."""
DRAWN = "canvas => canvas.toDataURL()"
SHARE_DRAWN = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
    let drawn = 0
    for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0
    return 4 * drawn / data.length
}"""
DROP = """(stage, data) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([bytes], "photo.jpeg", {type: "image/jpeg"}))
    stage.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true}))
}"""
MANY = "horse, person, fence, bush, grass, tree, sky, a very long word of mine"


def press(page: Page, x: float, y: float) -> None:
    """Click at fractions of the photo's width and height."""
    box = page.locator("#canvas .pad").bounding_box() or {}
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def scores(page: Page) -> dict[str, int]:
    """The scores of the open patch's words, in per cent."""
    expect(page.locator("#canvas .why")).to_be_visible()
    names = page.locator("#canvas .why :is(bdi, em)").all_inner_texts()
    values = page.locator("#canvas .why b").all_inner_texts()
    return {n: int(v.removesuffix(" %")) for n, v in zip(names, values, strict=True)}


def test_keys(flower: Page) -> None:
    """Arrow keys, Enter and Escape work like the pointer, and a screen reader is told."""
    pad, live = flower.locator("#canvas .pad"), flower.locator("#canvas .live")
    pad.focus()
    pad.press("ArrowRight")
    expect(flower.locator("#canvas .stage")).to_contain_class("looking")
    row, column, rows, columns = focused(flower)
    assert (row, column) == (rows // 2, columns // 2)
    expect(live).to_have_text(f"Patch in row {row + 1}, column {column + 1}: flower")
    pad.press("ArrowUp")
    expect(live).to_have_text(f"Patch in row {row}, column {column + 1}: flower")
    expect(flower.locator("#canvas .stage")).to_contain_class("looking")
    pad.press("Enter")
    assert scores(flower)["flower"] > 50
    expect(live).to_contain_text("flower")
    pad.evaluate(FIVE_KEYS)
    expect(flower).to_have_url(re.compile(rf"patch=\w+\.{(row - 1) * columns + column + 6}\b"))
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
    flower.get_by_role("button", name="Swipe", exact=True).click()
    expect(split).to_be_hidden()


def test_alone(flower: Page) -> None:
    """A press on a word shows it alone; its cut-out is the photo inside the mask, without empty
    margins. A pinned patch selects its word to cut out."""
    plant = flower.locator("#canvas .entry").nth(1)
    plant.click()
    expect(flower.locator("#canvas .labels bdi")).to_have_text(["plant"])
    expect(flower.locator("#canvas .cut")).to_have_text("Cut out plant")
    plant.click()
    with flower.expect_download() as download:
        flower.get_by_role("button", name="Cut out flower").click()
    assert download.value.suggested_filename == "flower-flower.png"
    image = Image.open(io.BytesIO(download.value.path().read_bytes()))
    alpha = image.getchannel("A")
    assert alpha.getbbox() == (0, 0, *image.size)
    pixels = flower.locator("#canvas img").evaluate(
        "({naturalWidth: w, naturalHeight: h}) => w * h"
    )
    opaque = sum(alpha.histogram()[128:]) / pixels
    assert 100 * opaque == pytest.approx(share(flower, "flower"), abs=2)
    flower.locator("#canvas .pad").click(position={"x": 5, "y": 5})
    expect(flower.locator("#canvas .cut")).to_have_text("Cut out plant")


def test_download(flower: Page) -> None:
    """The photo with its mask, at the photo's own size."""
    with flower.expect_download() as download:
        flower.get_by_role("button", name="Download picture").click()
    assert download.value.suggested_filename == "flower-outlined.png"
    image = Image.open(io.BytesIO(download.value.path().read_bytes()))
    plain = Image.open(assets.path("photos", "flower.jpg"))
    assert image.size == plain.size
    assert ImageStat.Stat(ImageChops.difference(image.convert("RGB"), plain)).mean[0] > 20


def test_touch(visitor: Callable[..., Page]) -> None:
    """A tap pins a patch and shows its words; a second tap releases it. A tap chooses the patch in
    the diagram, too."""
    phone = visitor(PHONE, **FLOWER)
    pad, place = phone.locator("#canvas .pad"), {"x": 100, "y": 100}
    pad.tap(position=place)
    assert sum(scores(phone).values()) == 100
    phone.get_by_role("button", name="Release this patch").tap()
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


def test_switches(flower: Page) -> None:
    """A press shows the other mask before the server answers and changes the setting, even after
    five quick presses. Swipe shows both masks, Changes the pixels that differ."""
    amf, mask = switch(flower, "AMF"), flower.locator("#canvas canvas.mask")
    expect(amf).to_have_attribute("aria-checked", "true")
    expect(switch(flower, "CS")).to_be_disabled()
    expect(flower.locator("#canvas .idle")).to_contain_text("no outlier channel")
    fused, before = mask.evaluate(DRAWN), share(flower, "plant")
    held = list[Route]()
    flower.route("**/queue/join*", lambda route: held.append(route))
    amf.click()
    assert mask.evaluate(DRAWN) != fused
    expect(amf).to_have_attribute("aria-checked", "false")
    alone = share(flower, "plant")
    for route in held:
        route.continue_()
    flower.unroute("**/queue/join*")
    for _ in range(4):
        amf.click()
    expect(amf).to_have_attribute("aria-checked", "false")
    expect(flower).to_have_url(re.compile("amf=0"))
    amf.click()
    expect(flower).not_to_have_url(re.compile("amf="))
    assert mask.evaluate(DRAWN) == fused
    flower.get_by_role("button", name="Swipe", exact=True).click()
    expect(flower.locator("#canvas .chip")).to_contain_text(["Without AMF", "With AMF"])
    expect(flower.locator("#canvas .entry b").nth(1)).to_have_text(f"{alone} → {before} %")
    flower.get_by_role("button", name="Changes", exact=True).click()
    expect(flower.locator("#canvas .stage")).to_contain_class("changes")
    opaque = mask.evaluate(SHARE_DRAWN)
    changed = (
        flower.locator("#canvas .sentence").inner_text().split("changes ")[1].split("\u00a0%")[0]
    )
    assert 100 * opaque == pytest.approx(float(changed), abs=2)
    flower.get_by_role("button", name="Changes", exact=True).click()
    after(flower, lambda: flower.get_by_role("checkbox", name="Background").uncheck())
    assert share(flower, "background") == 0


def test_photo_that_amf_changes(visitor: Callable[..., Page]) -> None:
    """Where AMF hardly changes the mask, a link leads to a photo where it does, and to Changes. The
    photo is shown before its answer."""
    page = visitor(example="china", short_side=0, refine="guided")
    held = list[Route]()
    page.route("**/queue/join*", lambda route: held.append(route))
    page.get_by_role("button", name="See AMF at work").click()
    expect(page.locator("body")).to_contain_class("coming")
    expect(page.locator("#canvas .mask")).to_have_css("visibility", "hidden")
    for route in held:
        route.continue_()
    page.unroute("**/queue/join*")
    expect(page.locator("#photo img")).to_have_attribute("src", re.compile("teddy"))
    expect(page.locator("#canvas .stage")).to_contain_class("changes")
    expect(page.locator("#canvas .sentence")).to_contain_text("AMF changes")
    expect(page.locator("#canvas .elsewhere")).to_be_hidden()
    expect(page.locator("#canvas img")).to_have_attribute("src", re.compile("teddy"))  # not small


def test_photo_alone(flower: Page) -> None:
    """While a button is held, or after a press, the photo is shown without its mask."""
    photo = flower.get_by_role("button", name="Photo", exact=True)
    mask = flower.locator("#canvas .mask")
    photo.hover()
    flower.mouse.down()
    expect(mask).to_have_css("opacity", "0")
    flower.wait_for_timeout(500)
    flower.mouse.up()
    expect(mask).to_have_css("opacity", "1")
    photo.click()
    expect(mask).to_have_css("opacity", "0")
    photo.press("Enter")
    expect(mask).to_have_css("opacity", "1")
    photo.press("Tab")
    expect(flower.get_by_role("button", name="Full screen")).to_be_focused()


def test_background_has_words(flower: Page) -> None:
    """A press says what the background is there; another press makes it a word."""
    after(flower, lambda: type_words(flower, "flower"))
    press(flower, 0.02, 0.02)
    add = flower.locator("#canvas .why .add")
    word = add.inner_text().removeprefix("+ ")
    expect(flower.locator("#canvas .why em")).to_have_text(f"background ({word})")
    after(flower, add.click)
    expect(flower.locator("#words textarea")).to_have_value(f"flower, {word}")
    assert share(flower, word) > 0
    expect(flower).not_to_have_url(re.compile("patch="))  # new words release it


def test_many_words(flower: Page) -> None:
    """Words without pixels are named in one line, and a background without any is left out."""
    after(flower, lambda: type_words(flower, "flower, plant, fork, zebra, airplane"))
    expect(flower.locator("#canvas .entry:visible")).to_have_count(2)
    expect(flower.locator("#canvas .absent")).to_have_text("Not found: fork, zebra, airplane")


def test_nothing_found(visitor: Callable[..., Page]) -> None:
    """A message over the photo says so, beside the way back from the damaged copy."""
    page = visitor(example="flower", words="bus", backbone="built-in-damaged")
    banner = page.locator("#canvas .banner")
    expect(banner).to_contain_text("None of these words was found in this photo. Simulation:")
    expect(banner.get_by_role("button")).to_have_text("Back to the undamaged model")
    expect(page.locator("#canvas .cut")).to_be_hidden()


def test_dropped_photo(flower: Page) -> None:
    """A photo dropped on the canvas replaces the photo."""
    data = base64.b64encode(encoded(picture(), "JPEG")).decode()
    after(flower, lambda: flower.locator("#canvas .stage").evaluate(DROP, data))
    expect(legend(flower).first).to_have_text("dog")


def test_labels(visitor: Callable[..., Page]) -> None:
    """Labels lie inside the picture and do not overlap, however many there are."""
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
    """Whether two boxes overlap."""
    across = a["left"] < b["right"] and b["left"] < a["right"]
    return across and a["top"] < b["bottom"] and b["top"] < a["bottom"]


def test_mouse(visitor: Callable[..., Page]) -> None:
    """Hovering shows what a patch attends to; a press adds its words, which add up and belong to
    the mask that is shown; Escape releases it.

    The answer's sentence is announced, and a patch's map never belongs to another method.
    """
    page = visitor(example="jockey", words=MANY)
    stage, why = page.locator("#canvas .stage"), page.locator("#canvas .why")
    page.locator("#canvas .pad").hover()
    expect(stage).to_contain_class("looking")
    expect(why).to_be_hidden()
    press(page, 0.5, 0.5)
    values = scores(page)
    assert sum(values.values()) == pytest.approx(100, abs=3)
    assert any(name.startswith("background") for name in values)
    assert "5 more" in values
    assert list(values)[0] == "horse"
    page.mouse.move(5, 5)
    expect(why).to_be_visible()
    fused = page.locator("#canvas canvas.heat").evaluate("canvas => canvas.toDataURL()")
    page.evaluate(NOTE)
    after(page, switch(page, "AMF").click)
    page.wait_for_function(
        "old => document.querySelector('#canvas .heat').toDataURL() !== old", arg=fused
    )
    assert sum(scores(page).values()) == pytest.approx(100, abs=3)
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


def test_own_photo(flower: Page) -> None:
    """An uploaded photo gets a mask of the typed words, upright even if the camera was turned."""
    exif, image = Image.Exif(), picture()
    exif[0x0112] = 6
    after(flower, lambda: give(flower, encoded(image, "JPEG", exif=exif), "photo.jpeg"))
    box = flower.locator("#canvas .stage").bounding_box() or {}
    assert box["width"] / box["height"] == pytest.approx(image.height / image.width, rel=0.02)
    after(flower, lambda: type_words(flower, "grass, dog, sky"))
    assert share(flower, "dog") > 5


def test_deleted_files(flower: Page) -> None:
    """If the server has deleted an answer's files, the page says so, and the next answer works."""
    files = "**/numbers.gz"
    flower.route(files, lambda route: route.fulfill(status=404))
    type_words(flower, "flower, sky")
    expect(flower.locator("#canvas .gone")).to_contain_text("Reload the page")
    flower.unroute(files)
    after(flower, lambda: type_words(flower, "flower, leaf, sky"))
    expect(flower.locator("#canvas .gone")).to_have_count(0)


def test_photo_on_its_way(flower: Page) -> None:
    """A photo is shown at once, without the previous mask, which comes back if the server refuses
    the photo."""
    legend, photo = flower.locator("#canvas .legend"), flower.locator("#canvas img")
    before = photo.get_attribute("src") or ""
    held = list[Route]()
    flower.route("**/upload*", lambda route: held.append(route))
    give(flower, encoded(picture(), "PNG"))
    expect(photo).to_have_attribute("src", re.compile("^blob:"))
    expect(legend).to_be_hidden()
    for route in held:
        route.fulfill(status=413)
    expect(photo).to_have_attribute("src", before)
    flower.unroute("**/upload*")
    expect(legend).to_be_visible()
    after(flower, lambda: give(flower, encoded(picture(), "PNG")))
    expect(legend).to_be_visible()
    expect(photo).not_to_have_attribute("src", re.compile(f"^blob:|{re.escape(before)}"))
