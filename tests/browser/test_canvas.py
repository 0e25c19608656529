"""The canvas: a mask on the photo, what its patches look at, and why they have their words."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    DESKTOP,
    PHONE,
    after,
    encoded,
    give,
    legend,
    picture,
    share,
    type_words,
)

FIVE = {"example": "jockey", "words": "horse, person, fence, bush, grass"}


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


def test_opening(visitor: Callable[..., Page]) -> None:
    """A visitor without a link sees a mask at once, large, with its words and a sentence."""
    page = visitor()
    assert len(legend(page).all_inner_texts()) >= 2
    assert page.locator("#canvas .sentence").inner_text()
    box = page.locator("#canvas .stage").bounding_box() or {}
    ratio = page.locator("#canvas img").evaluate(
        "image => image.naturalWidth / image.naturalHeight"
    )
    assert box["width"] / box["height"] == pytest.approx(ratio, rel=0.01)
    assert box["width"] >= 660
    assert box["y"] + box["height"] <= DESKTOP["height"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_formats(desktop: Page, kind: str) -> None:
    """A photo of one's own gets a mask of what is asked for."""
    after(desktop, lambda: give(desktop, encoded(picture(), kind), f"photo.{kind.lower()}"))
    expect(legend(desktop)).to_have_text(["flower", "plant", "background"])
    after(desktop, lambda: type_words(desktop, "dog, grass"))
    assert share(desktop, "dog") > 5


def test_turned_photo(desktop: Page) -> None:
    """A photo that was taken with a turned camera is upright, and so is its mask."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = picture()
    after(desktop, lambda: give(desktop, encoded(image, "JPEG", exif=exif), "photo.jpeg"))
    box = desktop.locator("#canvas .stage").bounding_box() or {}
    assert box["width"] / box["height"] == pytest.approx(image.height / image.width, rel=0.02)


def test_views(desktop: Page) -> None:
    """Both masks can be seen in turn and side by side; the switch chooses the one that is shown."""
    without, with_amf, swipe = desktop.locator("#canvas .views button").all()
    expect(with_amf).to_have_attribute("aria-pressed", "true")
    without.click()
    expect(desktop.locator("#canvas .chip").first).to_contain_text("Without AMF")
    swipe.click()
    expect(desktop.locator("#canvas .chip")).to_contain_text(["Without AMF", "With AMF"])
    with_amf.click()
    after(desktop, lambda: desktop.locator("#amf input").uncheck())
    expect(without).to_have_attribute("aria-pressed", "true")


def test_swipe(desktop: Page) -> None:
    """The split follows the pointer and the arrow keys, and the mask follows the split."""
    desktop.get_by_role("button", name="Swipe", exact=True).click()
    split = desktop.get_by_role("slider", name="Where the two masks meet")
    mask = desktop.locator("#canvas canvas.mask")
    read = "canvas => canvas.toDataURL()"
    pictures = {mask.evaluate(read)}
    box = desktop.locator("#canvas .stage").bounding_box() or {}
    middle = box["y"] + box["height"] / 2
    desktop.mouse.move(box["x"] + box["width"] / 2, middle)
    desktop.mouse.down()
    desktop.mouse.move(box["x"] + 0.1 * box["width"], middle, steps=4)
    desktop.mouse.up()
    assert float(split.input_value()) == pytest.approx(10, abs=2)
    pictures.add(mask.evaluate(read))
    split.press("End")
    expect(split).to_have_value("100")
    pictures.add(mask.evaluate(read))
    assert len(pictures) == 3


def test_mouse(visitor: Callable[..., Page]) -> None:
    """Pointing shows where a patch looks; a press adds its words, which add up; Escape frees it."""
    page = visitor(**FIVE)
    stage, why = page.locator("#canvas .stage"), page.locator("#canvas .why")
    page.locator("#canvas .pad").hover()
    expect(stage).to_contain_class("looking")
    expect(why).to_be_hidden()
    press(page, 0.5, 0.5)
    values = scores(page)
    assert sum(values.values()) == 100
    assert "background" in values
    assert "2 more" in values
    assert list(values)[0] == "horse"
    page.mouse.move(5, 5)
    expect(why).to_be_visible()
    press(page, 0.1, 0.9)
    expect(page.locator("#canvas .why bdi").first).to_have_text("grass")
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    expect(stage).not_to_contain_class("looking")


def test_explained_view(visitor: Callable[..., Page]) -> None:
    """What is explained is the mask that is shown, also after a switch; the patch stays pinned."""
    page = visitor(**FIVE)
    press(page, 0.5, 0.5)
    scores(page)
    heat = page.locator("#canvas canvas.heat")
    fused = heat.evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="Without AMF", exact=True).click()
    expect(page.locator("#canvas .why")).to_be_visible()
    page.wait_for_function(
        "old => document.querySelector('#canvas .heat').toDataURL() !== old", arg=fused
    )
    after(page, lambda: page.locator("#amf input").uncheck())
    assert sum(scores(page).values()) == 100


def test_keys(desktop: Page) -> None:
    """Arrow keys, Enter and Escape do what pointing does, and a screen reader is told."""
    pad, live = desktop.locator("#canvas .pad"), desktop.locator("#canvas .live")
    pad.focus()
    pad.press("ArrowRight")
    expect(live).to_have_text("Patch in row 11, column 16: flower")
    pad.press("ArrowUp")
    expect(live).to_have_text("Patch in row 10, column 16: flower")
    expect(desktop.locator("#canvas .stage")).to_contain_class("looking")
    pad.press("Enter")
    assert scores(desktop)["flower"] > 50
    expect(live).to_contain_text("flower")
    pad.press("Escape")
    expect(desktop.locator("#canvas .why")).to_be_hidden()


def test_touch(visitor: Callable[..., Page]) -> None:
    """A tap pins a patch and shows its words; another tap on it frees it."""
    page = visitor(PHONE, {"has_touch": True, "is_mobile": True}, example="flower")
    pad, why = page.locator("#canvas .pad"), page.locator("#canvas .why")
    pad.tap()
    assert sum(scores(page).values()) == 100
    pad.tap()
    expect(why).to_be_hidden()


def test_alone(desktop: Page) -> None:
    """A press on a word shows it alone, and its cut-out is the photo where the mask has it."""
    word = desktop.locator("#canvas .entry").first
    word.locator("button").first.click()
    expect(desktop.locator("#canvas .labels bdi")).to_have_text(["flower"])
    with desktop.expect_download() as download:
        desktop.get_by_role("button", name="Save a cut-out of flower").click()
    assert download.value.suggested_filename == "flower-flower.png"
    image = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert list(image.size) == desktop.locator("#canvas img").evaluate(
        "image => [image.naturalWidth, image.naturalHeight]"
    )
    opaque = sum(image.getchannel("A").histogram()[128:]) / (image.width * image.height)
    assert 100 * opaque == pytest.approx(share(desktop, "flower"), abs=2)
    word.locator("button").first.click()
    expect(word.locator(".save")).to_be_hidden()


def test_background(desktop: Page) -> None:
    """Without the background every pixel has one of the words."""
    assert share(desktop, "background") > 0
    after(desktop, lambda: desktop.get_by_role("checkbox", name="Background").uncheck())
    assert share(desktop, "background") == 0


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_labels(visitor: Callable[..., Page], size: dict[str, int]) -> None:
    """Labels lie inside the picture and not over each other, however many there are."""
    page = visitor(
        size, **FIVE | {"words": f"{FIVE['words']}, tree, sky, a very long word of mine"}
    )
    places = page.locator("#canvas .stage, #canvas .labels bdi").evaluate_all(
        "parts => parts.map(part => part.getBoundingClientRect().toJSON())"
    )
    frame, *labels = places
    assert len(labels) >= 3
    for i, label in enumerate(labels):
        assert frame["left"] <= label["left"] <= label["right"] <= frame["right"] + 1
        assert frame["top"] <= label["top"] <= label["bottom"] <= frame["bottom"] + 1
        assert not any(overlap(label, other) for other in labels[:i])


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether two boxes share a pixel."""
    across = a["left"] < b["right"] and b["left"] < a["right"]
    return across and a["top"] < b["bottom"] and b["top"] < a["bottom"]
