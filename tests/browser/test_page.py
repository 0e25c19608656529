"""The page around the canvas: photos, words, errors, files; servers that are killed, forget photos,
ask for a password, or have no TLS."""

import re

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, Page, Request, Route, expect

from gclip_core import assets
from tests.browser import PLAIN_HTTP
from tests.browser.conftest import (
    FLOWER,
    Visit,
    after,
    give,
    legend,
    own,
    picture,
    saved,
    settled,
    turn_to,
    type_words,
    words,
)
from tests.demo.visitor import serving
from tests.pictures import encoded, png_bomb

NO_STORAGE = """for (const name of ["indexedDB", "localStorage", "sessionStorage"])
    Object.defineProperty(window, name, {
        get() { throw new DOMException("no", "SecurityError") }
    })"""


def test_files(flower: Page) -> None:
    """Files have readable names; the picture has the photo's own size, with its mask."""
    file = saved(flower, "Download picture")
    assert file.suggested_filename == "flower-outlined.png"
    image = Image.open(file.path())
    plain = Image.open(assets.path("photos", "flower.jpg"))
    assert image.size == plain.size
    assert ImageStat.Stat(ImageChops.difference(image.convert("RGB"), plain)).mean[0] > 20
    turn_to(flower, "Share")
    names = {"Mask (PNG": "mask.png", "Cut-outs": "cut-outs.zip", "Annotations": "coco.json"}
    for button, name in names.items():
        assert saved(flower, button).suggested_filename == name


def test_compare(flower: Page) -> None:
    """Every method has a mask and a row; a press compares a mask with GCLIP's, whose patches have
    scores; the same press closes it. All masks become one figure."""
    turn_to(flower, "Compare")
    masks, large = flower.locator("#masks button"), flower.locator("#large")
    expect(flower.get_by_role("row")).to_have_count(1 + masks.count())
    masks.nth(1).click()
    expect(large).to_be_in_viewport()
    expect(large.locator(".split")).to_be_visible()
    expect(masks.nth(1)).to_have_attribute("aria-pressed", "true")
    gclip = large.locator(".views button").first
    expect(gclip).to_contain_text("GCLIP")
    gclip.click()
    large.locator(".pad").click()
    expect(large.locator(".why")).to_be_visible()
    after(flower, masks.nth(2).click, "large")
    expect(large.locator(".split")).to_be_visible()
    masks.nth(2).click()
    expect(large).to_be_hidden()
    assert saved(flower, "Save as one figure").suggested_filename == "methods.png"


def test_words(flower: Page) -> None:
    """A new photo has its own words; typed words are one chip away.

    An example is a button with a name that the keyboard can reach and press.
    """
    first, second = flower.locator("#samples button").all()[2:4]
    assert first.inner_text()
    after(flower, lambda: type_words(flower, ""))
    expect(words(flower)).not_to_have_value("")
    before = words(flower).input_value()
    first.focus()
    after(flower, lambda: flower.keyboard.press("Enter"))
    expect(words(flower)).not_to_have_value(before)
    after(flower, lambda: type_words(flower, "cat, wall"))
    first.focus()
    flower.keyboard.press("Tab")
    expect(second).to_be_focused()
    after(flower, lambda: flower.keyboard.press("Enter"))
    expect(second).to_be_focused()
    expect(words(flower)).not_to_have_value("cat, wall")
    after(flower, flower.get_by_role("button", name="↺ cat, wall").click)
    expect(words(flower)).to_have_value("cat, wall")
    expect(legend(flower)).to_have_text(["cat", "wall", "background"])


REFUSED = {
    "<img src=x onerror=document.title=1>.png": (b"no picture", "image"),
    "bomb.png": (png_bomb(30_000, 30_000), "pixels"),
    "IMG_1.HEIC": (b"ftypheic", "Export the photo as JPEG"),
}


def test_refused(flower: Page) -> None:
    """A file that cannot be read leaves photo, words and mask as they are, and a sentence says why,
    until the next photo. 201 classes stay in the box; fewer words work."""
    before, alert = legend(flower).all_inner_texts(), flower.get_by_role("alert")
    for name, (data, why) in REFUSED.items():
        give(flower, data, name)
        expect(alert).to_contain_text(why)
        settled(flower)
        expect(legend(flower)).to_have_text(before)
        expect(flower.locator("#canvas img")).to_have_attribute("src", "photos/flower")
    assert flower.title() == "GCLIP"
    many = ", ".join(f"word {i}" for i in range(201))
    type_words(flower, many)
    expect(alert).to_contain_text("200 classes")
    expect(words(flower)).to_have_value(many)
    expect(legend(flower)).to_have_text(before)
    after(flower, lambda: type_words(flower, "flower"))
    expect(legend(flower)).to_have_text(["flower", "background"])
    expect(alert).to_be_hidden()


def test_photo_on_its_way(flower: Page) -> None:
    """A photo is shown at once, without the previous mask, which comes back, with a sentence, if
    the server refuses the photo. A choice made meanwhile stays: an example, or words."""
    legend_, photo = flower.locator("#canvas .legend"), flower.locator("#canvas img")
    held, mine = list[Route](), encoded(picture(), "PNG")
    flower.route("**/photos", lambda route: held.append(route))
    give(flower, mine)
    expect(photo).to_have_attribute("src", re.compile("^blob:"))
    expect(legend_).to_be_hidden()
    held.pop().fulfill(status=422, json={"error": "<b>No</b> picture."})
    expect(flower.get_by_role("alert")).to_have_text("<b>No</b> picture.")
    expect(photo).to_have_attribute("src", "photos/flower")
    expect(legend_).to_be_visible()
    give(flower, mine)
    expect(flower.locator("body")).to_have_attribute("data-phase", "sending")
    with flower.expect_event("requestfailed"):  # nobody wants this photo on the server now
        flower.locator("#samples button").nth(2).click()
    settled(flower)
    held.clear()
    give(flower, mine)
    expect(flower).to_have_url(re.compile("example=china"))
    type_words(flower, "zebra, dog")
    held.pop().continue_()
    expect(legend(flower)).to_have_text(["zebra", "dog", "background"])
    expect(words(flower)).to_have_value("zebra, dog")
    expect(flower).to_have_url(re.compile("photo="))


def test_forget(flower: Page) -> None:
    """“Forget my photos” takes them from the browser, the address and the server."""
    name = own(flower)
    flower.locator("#canvas .pad").click(position={"x": 40, "y": 40})
    after(flower, flower.get_by_role("button", name="none of these").click)
    turn_to(flower, "Share")
    flower.get_by_role("button", name="Forget my photos").click()
    expect(flower.locator("#toast")).to_contain_text("forgotten")
    expect(flower).not_to_have_url(re.compile(f"{name}|marks="))
    assert flower.request.get(f"{flower.url.split('?')[0]}photos/{name}").status == 404
    flower.reload()
    turn_to(flower, "Segment")
    expect(flower.locator("#canvas img")).to_have_attribute("src", re.compile("^photos/teddy-part"))


# --- servers --------------------------------------------------------------------------------------


def test_photo_is_sent_again(flower: Page, url: str, sent: list[Request]) -> None:
    """An open page goes on when the server has dropped its photo."""
    httpx.delete(f"{url}/photos/{own(flower)}").raise_for_status()
    goes_on(flower, sent)


@pytest.mark.long
def test_killed(visitor: Visit, sent: list[Request]) -> None:
    """An open page goes on when another server has taken the place of its own."""
    with serving("--quiet") as server:
        page = visitor(at=server.url, **FLOWER)
        own(page)
    type_words(page, "dog, sky")
    expect(page.locator("#toast")).to_contain_text("does not respond")
    with serving("--quiet", port=server.port):
        goes_on(page, sent)


def goes_on(page: Page, sent: list[Request]) -> None:
    """The page sends its photo again, once, and keeps the words and the tab."""
    after(page, lambda: type_words(page, "grass, dog"))
    expect(legend(page)).to_have_text(["grass", "dog", "background"])
    turn_to(page, "How it works")
    expect(page.locator("#canvas img")).to_have_attribute("src", re.compile("^blob:"))
    page.reload()
    settled(page)
    uploads = [one for one in sent if one.method == "POST" and one.url.endswith("/photos")]
    assert "tab=how" in page.url and len(uploads) == 2


def test_poor_browser(visitor: Visit, url: str) -> None:
    """The page works without a secure context: upload, files, the link. Where the browser stores
    nothing, a photo is kept until the page is closed, which is said."""
    page = visitor(at=url.replace("127.0.0.1", PLAIN_HTTP), script=NO_STORAGE, **FLOWER)
    assert page.evaluate("[isSecureContext, !!crypto.subtle, !!navigator.clipboard]") == [False] * 3
    own(page)
    expect(page.locator("#toast")).to_contain_text("stores nothing")
    after(page, page.locator("#samples button").first.click)
    after(page, page.go_back)
    expect(legend(page).first).to_have_text("dog")
    expect(page.locator("#canvas img")).to_have_attribute("src", re.compile("^blob:"))
    turn_to(page, "Share")
    page.get_by_role("button", name="Copy without it").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.reload()
    turn_to(page, "Segment")
    expect(legend(page).first).to_have_text("dog")


@pytest.mark.long
def test_login(browser: Browser) -> None:
    """With ``--auth``, the page asks for name and password, and then works."""
    with serving("--quiet", "--auth", "ann:secret") as server:
        page = browser.new_page()
        page.goto(f"{server.url}/?example=dog&short_side=160")
        expect(page.get_by_role("alert")).to_be_hidden()
        for password in ("wrong", "secret"):
            page.get_by_label("Name").fill("ann")
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Log in").click()
            if password == "wrong":
                expect(page.get_by_role("alert")).to_contain_text("Try again")
        settled(page)
        own(page)
        expect(legend(page).first).to_have_text("dog")


@pytest.mark.long
def test_plain_page(browser: Browser) -> None:
    """``python app.py --plain``: an example's mask is shown, and AMF changes it."""
    with serving("--quiet", "--plain") as server:
        page = browser.new_page()
        page.goto(server.url)
        page.locator("tr.tr-body").first.click()
        masks = page.locator(".mask")
        expect(masks.first).to_be_visible()
        first = masks.first.get_attribute("src") or ""
        page.get_by_label("AMF").uncheck()
        expect(masks.first).not_to_have_attribute("src", first)
        expect(page.locator(".toast-body")).to_have_count(0)
