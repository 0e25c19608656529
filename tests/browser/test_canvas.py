"""The canvas: a mask on the photo, what its patches attend to, why they have their words. And How
it works."""

import base64
import re
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from gclip_core import assets
from tests.browser.conftest import (
    DESKTOP,
    FLOWER,
    PHONE,
    TABS,
    Visit,
    after,
    drawn,
    focused,
    found,
    offline,
    picture,
    saved,
    settled,
    share,
    switch,
    turn_to,
    type_words,
    words,
)
from tests.pictures import encoded, turned

PLACES = """async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame)
    const parts = document.querySelectorAll("#canvas .stage, #canvas .labels bdi")
    return [...parts].map(part => part.getBoundingClientRect().toJSON())
}"""
"""Measure the stage and its labels, two frames after a resize."""
RATIO = "image => image.naturalWidth / image.naturalHeight"
SHARE_DRAWN = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
    let drawn = 0
    for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0
    return 4 * drawn / data.length
}"""
BRING = """([kind, data]) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
    const files = new DataTransfer()
    files.items.add(new File([bytes], "photo.jpeg", {type: "image/jpeg"}))
    const held = {dataTransfer: files, clipboardData: files, bubbles: true, cancelable: true}
    const event = new {drop: DragEvent, paste: ClipboardEvent}[kind](kind, held)
    document.querySelector("#canvas .stage").dispatchEvent(event)
}"""
MANY = "horse, person, fence, bush, grass, tree, sky, a very long and quite unusual lamp"


def press(page: Page, x: float, y: float) -> None:
    """Click at fractions of the photo's width and height."""
    box = page.locator("#canvas .pad").bounding_box() or {}
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def name(page: Page, word: str) -> None:
    """Says what is at the open place."""
    page.get_by_placeholder("something else").fill(word)
    after(page, lambda: page.get_by_placeholder("something else").press("Enter"))


def scores(page: Page) -> dict[str, int]:
    """The scores of the open patch's words, in per cent."""
    expect(page.locator("#canvas .why")).to_be_visible()
    names = page.locator("#canvas .why :is(bdi, em)").all_inner_texts()
    values = page.locator("#canvas .why b").all_inner_texts()
    return {n: int(v.removesuffix(" %")) for n, v in zip(names, values, strict=True)}


def test_marks(flower: Page, visitor: Visit) -> None:
    """A place is named, moved, taken back and forgotten; a box has no word; a link has them all.

    Only after its button is pressed, the mouse draws a box, from one corner to the other.
    """
    dots, legend = flower.locator("#canvas .mark"), flower.locator("#canvas .legend")
    press(flower, 0.9, 0.9)
    name(flower, "rug; of mine,")
    expect(dots).to_have_count(1)
    expect(legend).to_contain_text("rug of mine")
    expect(flower.locator("#canvas .why")).to_be_hidden()
    after(flower, lambda: dots.press("ArrowLeft"))
    expect(dots).to_be_focused()
    press(flower, 0.2, 0.2)
    flower.get_by_role("button", name="Draw a box").click()
    pad = flower.locator("#canvas .pad")
    for key in ("Enter", "ArrowUp", "ArrowLeft", "Enter"):
        pad.press(key)
    after(flower, lambda: flower.get_by_role("button", name="none of these").click())
    expect(dots).to_have_count(2)
    other = visitor(**dict(parse_qsl(urlsplit(flower.url).query)))
    expect(other.locator("#canvas .mark")).to_have_count(2)
    assert other.locator("#canvas .entry b").all_inner_texts() == (
        flower.locator("#canvas .entry b").all_inner_texts()
    )
    after(flower, lambda: flower.locator("#canvas .undo").click())
    after(flower, lambda: dots.press("Delete"))
    expect(dots).to_have_count(0)
    expect(legend).not_to_contain_text("rug")
    flower.go_back()
    expect(dots).to_have_count(1)
    box = pad.bounding_box() or {}
    press(flower, 0.3, 0.3)
    flower.get_by_role("button", name="Draw a box").click()
    press(flower, 0.4, 0.4)  # a tap is no box
    expect(flower.locator("#canvas .hint .cancel")).to_be_visible()
    expect(flower.locator("#canvas .rectangle")).to_be_hidden()
    flower.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    flower.mouse.down()
    flower.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.75 * box["height"])
    flower.mouse.up()
    after(flower, lambda: flower.get_by_role("button", name="plant", exact=True).click())
    corners = r"0\.25\d*%2C0\.25\d*%2C0\.5\d*%2C0\.75\d*%2Cplant"
    expect(flower).to_have_url(re.compile(f"marks=.*{corners}"))
    press(flower, 0.1, 0.1)
    expect(flower.locator("#canvas .patch")).to_be_visible()


def test_question_waits(flower: Page) -> None:
    """What is typed as an answer stays while the mask is drawn anew, and a box goes with its photo;
    on Learn, too, a file that cannot be used is refused aloud."""
    press(flower, 0.5, 0.4)
    answer = flower.get_by_placeholder("something else")
    answer.fill("rug")
    switch(flower, "AMF").click()
    expect(switch(flower, "AMF")).to_have_attribute("aria-checked", "false")
    settled(flower)
    expect(answer).to_have_value("rug")
    flower.get_by_role("button", name="Draw a box").click()
    pad = flower.locator("#canvas .pad")
    for key in ("Enter", "ArrowUp", "ArrowLeft", "Enter"):
        pad.press(key)
    expect(flower.locator("#canvas .rectangle")).to_be_visible()
    after(flower, flower.locator("#samples button").nth(4).click)
    expect(flower.locator("#canvas .rectangle")).to_be_hidden()
    expect(answer).to_be_hidden()
    turn_to(flower, "Learn")
    flower.locator("#choose").set_input_files(
        {"name": "photo.heic", "mimeType": "image/heic", "buffer": b"heic"}
    )
    expect(flower.get_by_text("Export the photo as JPEG")).to_be_visible()


def test_word_that_is_shown(flower: Page) -> None:
    """A marked thing is found on another photo, after a reload, too; the link has only its name."""
    press(flower, 0.5, 0.4)
    name(flower, "blorp")
    flower.locator("#canvas .mark").press("Enter")
    flower.get_by_role("button", name="Find “blorp” on other photos").click()
    expect(flower.locator("#toast")).to_contain_text("press “+ blorp”")
    flower.locator("#samples button").nth(4).click()
    settled(flower)
    after(flower, lambda: flower.locator("#chips").get_by_text("+ blorp").click())
    expect(flower.locator("#chips")).not_to_contain_text("does not know")
    flower.reload()
    settled(flower)
    expect(flower.locator("#chips")).not_to_contain_text("does not know")
    turn_to(flower, "Share")
    expect(flower.locator("#share .note")).to_contain_text("stays in this browser")
    assert "shown" not in flower.locator("#link").input_value()


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
    for _ in range(5):
        pad.press("ArrowRight")
    expect(flower).to_have_url(re.compile(rf"patch={(row - 1) * columns + column + 6}\b"))
    pad.press("Escape")
    expect(flower.locator("#canvas .why")).to_be_hidden()
    expect(flower).not_to_have_url(re.compile("patch="))


def test_alone(flower: Page) -> None:
    """A press on a word shows it alone; its cut-out is the photo inside the mask, without empty
    margins. A pinned patch selects its word to cut out, until the photo changes."""
    plant = flower.locator("#canvas .entry").nth(1)
    plant.click()
    expect(flower.locator("#canvas .labels bdi")).to_have_text(["plant"])
    expect(flower.locator("#canvas .cut")).to_have_text("Cut out plant")
    plant.click()
    file = saved(flower, "Cut out flower")
    assert file.suggested_filename == "flower-flower.png"
    image = Image.open(file.path())
    alpha = image.getchannel("A")
    assert alpha.getbbox() == (0, 0, *image.size)
    photo = Image.open(assets.path("photos", "flower.jpg"))
    opaque = sum(alpha.histogram()[128:]) / (photo.width * photo.height)
    assert 100 * opaque == pytest.approx(share(flower, "flower"), abs=2)
    flower.locator("#canvas .pad").click(position={"x": 5, "y": 5})  # while it says “✓”
    expect(flower.locator("#canvas .cut")).to_have_text("Cut out plant")
    after(flower, flower.locator("#samples button").first.click)
    expect(flower.locator("#canvas .why")).to_be_hidden()


def test_touch(visitor: Visit) -> None:
    """A tap pins a patch and shows its words; a second tap releases it. A tap chooses the patch in
    the diagram, too."""
    phone = visitor(PHONE, **FLOWER)
    pad, place = phone.locator("#canvas .pad"), {"x": 100, "y": 100}
    pad.tap(position=place)
    assert sum(scores(phone).values()) == 100
    phone.get_by_role("button", name="Release this patch").tap()
    expect(phone.locator("#canvas .why")).to_be_hidden()
    for is_pinned in (True, False):
        pad.tap(position=place)
        expect(phone.locator("#canvas .why")).to_be_visible(visible=is_pinned)
    turn_to(phone, "How it works")
    mean = phone.locator("#diagram .mean canvas").first
    before = drawn(mean)
    phone.locator("#diagram .patches").tap(position={"x": 12, "y": 12})
    assert drawn(mean) != before


def test_switches(flower: Page) -> None:
    """A press shows the other mask and changes the setting, even after five quick presses. Swipe
    shows both masks, on both sides of a split that follows the pointer and the keys; Changes shows
    the pixels that differ, and Photo hides the mask until the next press."""
    amf, mask = switch(flower, "AMF"), flower.locator("#canvas canvas.mask")
    expect(amf).to_have_attribute("aria-checked", "true")
    expect(switch(flower, "CS")).to_be_disabled()
    note = flower.get_by_text("no outlier channel")
    for is_said in (True, False):
        switch(flower, "CS").click(force=True)
        expect(note).to_be_visible(visible=is_said)
    fused, before = drawn(mask), share(flower, "plant")
    for _ in range(5):
        amf.click()
    expect(amf).to_have_attribute("aria-checked", "false")
    assert "amf=0" in flower.url
    assert drawn(mask) != fused
    alone = share(flower, "plant")
    amf.click()
    assert "amf=" not in flower.url
    assert drawn(mask) == fused
    flower.get_by_role("button", name="Swipe", exact=True).click()
    expect(flower.locator("#canvas .badge")).to_contain_text(["Without AMF", "With AMF"])
    expect(flower.locator("#canvas .entry b").nth(1)).to_have_text(f"{alone} → {before} %")
    split = flower.get_by_role("slider", name="Where the two masks meet")
    pictures = {drawn(mask)}
    width = (split.bounding_box() or {})["width"]
    split.drag_to(split, target_position={"x": width / 10, "y": 50})
    assert float(split.input_value()) == pytest.approx(10, abs=4)
    pictures.add(drawn(mask))
    split.press("End")
    expect(split).to_have_value("100")
    assert len(pictures | {drawn(mask)}) == 3
    flower.get_by_role("button", name="Changes", exact=True).click()
    expect(flower.locator("#canvas")).to_have_attribute("data-mode", "changes")
    opaque = mask.evaluate(SHARE_DRAWN)
    changed = found(r"changes ([\d.]+)\s%", flower.locator("#canvas .sentence").inner_text())
    assert 100 * opaque == pytest.approx(float(changed), abs=2)
    flower.get_by_role("button", name="Changes", exact=True).click()
    expect(split).to_be_hidden()
    photo = flower.get_by_role("button", name="Photo", exact=True)
    photo.click()
    expect(mask).to_have_css("opacity", "0")
    photo.press("Enter")
    expect(mask).to_have_css("opacity", "1")
    after(flower, lambda: flower.get_by_role("checkbox", name="Leave the rest").uncheck())
    assert share(flower, "background") == 0


def test_photo_that_amf_changes(visitor: Visit) -> None:
    """Where AMF hardly changes the mask, a sentence says so, and a press leads to a photo where it
    does, which is shown before its answer."""
    page = visitor(example="china", short_side=0, refine="guided")
    held = list[Route]()
    page.route("**/queue/join*", lambda route: held.append(route))
    expect(page.locator("#canvas .sentence")).to_contain_text("AMF hardly changes this mask")
    switch(page, "AMF").click()
    switch(page, "AMF").click()
    page.get_by_role("button", name="See AMF at work").click()
    expect(page.locator("#canvas")).to_have_attribute("data-shows", "next")
    expect(page.locator("#canvas .mask")).to_be_hidden()
    for route in held:
        route.continue_()
    page.unroute("**/queue/join*")
    settled(page)
    expect(page.locator("#canvas")).to_have_attribute("data-mode", "swipe")
    expect(page.locator("#canvas .sentence")).to_contain_text("AMF changes")
    expect(page.locator("#canvas .idle")).to_be_hidden()
    expect(page.locator("#canvas img")).to_have_attribute("src", "photos/teddy-part")  # not small


def test_no_request(visitor: Visit, sent: list[Request]) -> None:
    """The page has what it shows: switches, comparisons, opacity, a word, a patch, and a tab that
    was open before need no network."""
    page = visitor(**FLOWER, backbone="built-in-damaged")
    for tab in (*TABS, "How it works"):
        turn_to(page, tab)
    with offline(page, sent):
        for idea in ("AMF", "CS", "AMF"):
            after(page, switch(page, idea, "diagram").click, "diagram")
        page.locator("#diagram .patches").click(position={"x": 12, "y": 12})
        for tab in TABS[::-1]:
            turn_to(page, tab)
        masks = set[str]()
        for idea in ("AMF", "CS", "AMF", "CS"):
            switch(page, idea).click()
            masks.add(drawn(page.locator("#canvas .mask")))
        assert len(masks) == 4
        for name in ("Swipe", "Changes", "Photo"):
            for _ in range(2):
                page.locator("#canvas").get_by_role("button", name=name, exact=True).click()
        page.locator("#canvas").get_by_label("Opacity").fill("20")
        page.locator("#canvas .entry").first.click()
        press(page, 0.5, 0.5)
        assert scores(page)


def test_background_has_words(flower: Page) -> None:
    """A press says what the background is there; another press makes it a word. Words without
    pixels are named in one line, and a background without any is left out."""
    after(flower, lambda: type_words(flower, "flower"))
    press(flower, 0.02, 0.02)
    add = flower.locator("#canvas .why .add")
    word = add.inner_text().removeprefix("+ ")
    expect(flower.locator("#canvas .why em")).to_have_text(f"background (nearest: {word})")
    after(flower, add.click)
    expect(words(flower)).to_have_value(f"flower, {word}")
    assert share(flower, word) > 0
    expect(flower).not_to_have_url(re.compile("patch="))  # new words release it
    after(flower, lambda: type_words(flower, "flower, plant, fork, zebra, airplane"))
    expect(flower.locator("#canvas .entry:visible")).to_have_count(2)
    expect(flower.locator("#canvas .absent")).to_have_text("Not found: fork, zebra, airplane")


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether two boxes overlap."""
    across = a["left"] < b["right"] and b["left"] < a["right"]
    return across and a["top"] < b["bottom"] and b["top"] < a["bottom"]


def test_mouse(visitor: Visit) -> None:
    """Hovering shows what a patch attends to; a press adds its words, which add up and belong to
    the mask that is shown, whose sentence is announced; Escape releases it.

    The mask is large and in view. Labels lie inside it and do not overlap, however many there are.
    """
    page = visitor(example="jockey", words=MANY)
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        expect(page.locator("html")).to_have_js_property("clientWidth", size["width"])
        frame, *labels = page.evaluate(PLACES)
        assert frame["bottom"] <= size["height"] and frame["width"] > 0.5 * size["width"]
        assert len(labels) >= 3
        for i, label in enumerate(labels):
            assert frame["left"] <= label["left"] <= label["right"] <= frame["right"] + 1
            assert frame["top"] <= label["top"] <= label["bottom"] <= frame["bottom"] + 1
            assert not any(overlap(label, other) for other in labels[:i])
    stage, why = page.locator("#canvas .stage"), page.locator("#canvas .why")
    page.locator("#canvas .pad").hover()
    expect(stage).to_contain_class("looking")
    expect(why).to_be_hidden()
    press(page, 0.5, 0.5)
    values = scores(page)
    assert sum(values.values()) == pytest.approx(100, abs=3)
    assert any(name.startswith("background") for name in values)
    assert "5 more" in values and list(values)[0] == "horse"
    page.mouse.move(5, 5)
    expect(why).to_be_visible()
    expect(stage).not_to_contain_class("looking")
    page.get_by_role("button", name="What it attends to").click()
    expect(stage).to_contain_class("looking")
    heat = page.locator("#canvas canvas.heat")
    fused = drawn(heat)
    switch(page, "AMF").click()
    expect(page.locator("#canvas .live")).to_contain_text("AMF would")
    assert drawn(heat) != fused
    assert sum(scores(page).values()) == pytest.approx(100, abs=3)
    page.locator("#settings > summary").click()
    after(page, lambda: page.get_by_label("Method").select_option("SCLIP"))
    expect(stage).to_contain_class("looking")
    press(page, 0.1, 0.9)
    expect(page.locator("#canvas .why bdi").first).to_have_text("grass")
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    expect(stage).not_to_contain_class("looking")


def test_own_photo(flower: Page) -> None:
    """A photo that is dropped or pasted gets a mask of the typed words, upright even if the
    camera was turned."""
    for kind, width in (("drop", 200), ("paste", 240)):
        image = picture(width)
        file = base64.b64encode(encoded(image, "JPEG", exif=turned(6))).decode()
        after(flower, partial(flower.evaluate, BRING, [kind, file]))
        box = flower.locator("#canvas .stage").bounding_box() or {}
        shown = flower.locator("#canvas img").evaluate(RATIO)
        for ratio in (box["width"] / box["height"], shown):
            assert ratio == pytest.approx(image.height / image.width, rel=0.02)
    after(flower, lambda: type_words(flower, "grass, dog, sky"))
    assert share(flower, "dog") > 5


# --- how it works ---------------------------------------------------------------------------------


def part(page: Page, name: str) -> str:
    """The pixels of a map of the diagram."""
    return drawn(page.locator(f"#diagram {name} canvas").first)


@pytest.fixture
def diagram(visitor: Visit) -> Page:
    return visitor(**FLOWER, tab="how")


def test_pointing(diagram: Page) -> None:
    """Hovering over any map moves the patch on all maps, and on the photo; a press pins it, Escape
    releases it. In the matrix, a row is a patch."""
    parts = (".layer .map", ".alone", ".mean", ".large")
    direction = diagram.locator("#diagram .directions [aria-pressed=true]")
    expect(direction).to_have_text("attention received")
    before = [part(diagram, name) for name in parts]
    received = part(diagram, ".received")
    diagram.locator("#diagram .result").click(position={"x": 60, "y": 40})
    assert all(part(diagram, name) != old for name, old in zip(parts, before, strict=True))
    assert part(diagram, ".received") == received
    diagram.mouse.move(5, 5)
    expect(direction).to_have_text("what one patch attends to")
    kept = part(diagram, ".mean")
    diagram.locator("#diagram .patches").press("ArrowRight")
    assert part(diagram, ".mean") != kept
    expect(diagram.locator("#diagram .live")).to_contain_text("Patch in row ")
    row, column, _, columns = spot = focused(diagram, "#diagram .flow")
    turn_to(diagram, "Segment")
    assert focused(diagram) == spot
    expect(diagram).to_have_url(re.compile(rf"patch={row * columns + column + 1}\b"))
    turn_to(diagram, "How it works")
    diagram.locator("#diagram .patches").press("Escape")
    expect(direction).to_have_text("attention received")
    expect(diagram).not_to_have_url(re.compile("patch="))
    before = part(diagram, ".large")
    diagram.locator("#diagram .matrix").hover(position={"x": 10, "y": 3})
    assert part(diagram, ".large") != before


def test_blocks(diagram: Page) -> None:
    """Without AMF, the fused blocks are unmarked and the mask comes from the last block alone. A
    press on a block enlarges it, with its matrix and norms, for the mean or for one head."""
    flow, mask = diagram.locator("#diagram .flow"), part(diagram, ".result")
    expect(flow).to_contain_class("amf")
    after(diagram, switch(diagram, "AMF", "diagram").click, "diagram")
    expect(flow).not_to_contain_class("amf")
    assert part(diagram, ".result") != mask
    before = part(diagram, ".matrix")
    after(diagram, diagram.locator("#diagram .layer").nth(2).click, "diagram")
    expect(diagram.locator("#diagram .number")).to_have_text("3")
    mean = part(diagram, ".matrix")
    assert mean != before
    head = diagram.get_by_label("Head")
    after(diagram, lambda: head.select_option("head 2"), "diagram")
    assert part(diagram, ".matrix") != mean
    expect(head).to_have_value("head 2")


def test_cs(flower: Page) -> None:
    """On the damaged model the outlier is marked, and CS scales it down. A message over the photo
    says if no word was found. This simulation ends with the photo and the switches that it
    was opened on."""
    switch(flower, "AMF").click()
    switch(flower, "CS").click(force=True)
    after(flower, flower.get_by_role("button", name="See CS on a damaged copy").click)
    expect(flower.locator("#simulation")).to_contain_text("CS repairs it")
    expect(flower.locator("#canvas .split")).to_be_visible()
    expect(flower.locator("#canvas .badge")).to_contain_text(["Without CS", "With CS"])
    turn_to(flower, "How it works")
    ratio = flower.locator("#diagram .suppressed .peak + small").first
    scaled = float(ratio.inner_text().removesuffix("×"))
    after(flower, switch(flower, "CS", "diagram").click, "diagram")
    assert float(ratio.inner_text().removesuffix("×")) > 4 * scaled
    turn_to(flower, "Segment")
    after(flower, lambda: type_words(flower, "bus"))
    expect(flower.locator("#canvas .banner")).to_contain_text("None of these words was found")
    after(flower, flower.get_by_role("button", name="Dog", exact=True).click)
    after(flower, flower.get_by_role("button", name="Back to the undamaged model").click)
    expect(flower.locator("#canvas img")).to_have_attribute("src", re.compile("^photos/flower"))
    expect(switch(flower, "AMF")).to_have_attribute("aria-checked", "false")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("is_pressed", [True, False], ids=["pointer", "keys"])
def test_unknown_word_is_one_press_away(
    visitor: Visit, size: dict[str, int], is_pressed: bool
) -> None:
    """The page says that the model does not know it, and a press shows what it is."""
    page = visitor(size, **FLOWER)
    after(page, lambda: type_words(page, "Pikachu"))
    expect(page.get_by_text("This model does not know “Pikachu”.")).to_be_visible()
    expect(page.locator("#canvas .hint")).to_contain_text("Press Pikachu on the photo.")
    pad = page.locator("#canvas .pad")
    act = pad.click if is_pressed else lambda: pad.press("Enter")
    after(page, act)
    assert "Pikachu" in page.url.partition("marks=")[2]
    assert 0 < share(page, "Pikachu") < 100
    expect(page.get_by_text("This model does not know “Pikachu”.")).to_be_hidden()
