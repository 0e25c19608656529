"""The page as a person sees it, in a real browser at two widths; the server has no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import app
from demo import guard
from demo.service import Service
from gclip_core import assets

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WAIT = 60_000
DONE = "#says .status"

HOSTILE = [
    "<img src=x onerror=hit()>",
    "${hit()}",
    "{{hit()}}",
    "قطة صغيرة",
    "🐸🦑",
]

expect.set_options(timeout=WAIT)
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    demo = app.build(Service())
    options = app.launch_settings(app.parser().parse_args([])) | {"server_port": None}
    _, address, _ = demo.launch(
        **options, app_kwargs=guard.app_settings(demo), prevent_thread_lock=True, quiet=True
    )
    yield address
    demo.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A visitor's own page, at both widths; a script error anywhere fails the test."""
    yield from visitor(browser, request.param)


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Page]:
    yield from visitor(browser, DESKTOP)


def visitor(browser: Browser, size: dict[str, int]) -> Iterator[Page]:
    opened = browser.new_page(viewport=size)
    opened.set_default_timeout(WAIT)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert not errors


def arrive(page: Page, url: str, **query: object) -> None:
    page.goto(f"{url}?{urlencode({'seed': 2, **query})}")
    page.wait_for_selector(DONE)


def toggle(page: Page, switch: str) -> None:
    """Press a switch and wait for the new answer."""
    before = page.locator("#chosen-attention .card").inner_html()
    page.locator(f"#{switch} input").click()
    page.wait_for_function(
        "before => document.querySelector('#chosen-attention .card').innerHTML !== before"
        " || document.querySelector('#says .problem')",
        arg=before,
    )


def picture(page: Page, row: str) -> str:
    """The mask of a row, as the browser drew it."""
    return page.locator(f"#{row}-mask canvas").first.evaluate("c => c.toDataURL()")


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_it_opens_on_a_starred_scene_and_nothing_overflows(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(DONE)
    expect(page.locator("#chosen-mask")).to_contain_text("mIoU")
    expect(page.locator("#says")).to_contain_text("emoji scenes, not photos")
    expect(page.locator("#says")).to_contain_text("OpenAI ViT-B/16")
    expect(page.locator("#says")).to_contain_text("599 MB")
    assert fits(page)
    if page.viewport_size == DESKTOP:
        row = page.locator("#row-chosen").bounding_box()
        assert row["y"] + row["height"] <= DESKTOP["height"]


def test_amf_changes_mask_and_last_attention_and_says_what_it_cannot_change(
    desktop: Page, url: str
) -> None:
    arrive(desktop, url, cs=0)
    figures = desktop.locator("#chosen-attention img")
    before, mask = [f.get_attribute("src") for f in figures.all()], picture(desktop, "chosen")
    toggle(desktop, "amf")
    after = [f.get_attribute("src") for f in figures.all()]
    assert before[:2] == after[:2], "the blocks that AMF reads stay as they are"
    assert before[2] != after[2] and before[3] != after[3]
    expect(desktop.locator("#chosen-attention")).to_contain_text("AMF off")
    desktop.wait_for_function(
        "m => document.querySelector('#chosen-mask canvas').toDataURL() !== m", arg=mask
    )
    assert picture(desktop, "chosen") == picture(desktop, "plain")
    expect(desktop.locator("#chosen-norms")).to_contain_text("AMF changes no weights")


def test_cs_changes_nothing_in_a_healthy_model_and_says_so(page: Page, url: str) -> None:
    arrive(page, url, amf=0)
    expect(page.locator("#chosen-norms")).to_contain_text("No abnormal channel in this model")
    expect(page.locator("#chosen-note")).to_contain_text("changes nothing")
    assert picture(page, "chosen") == picture(page, "plain")


def test_cs_changes_mask_and_norms_where_a_channel_is_planted(desktop: Page, url: str) -> None:
    arrive(desktop, url, amf=0, plant=1)
    expect(desktop.locator("#says")).to_contain_text("Simulation")
    expect(desktop.locator("#chosen-norms")).to_contain_text("CS brings channel 77")
    assert picture(desktop, "chosen") != picture(desktop, "plain")
    norms = "#{}-norms svg"
    chosen, plain = (desktop.locator(norms.format(row)).inner_html() for row in ("chosen", "plain"))
    assert chosen != plain


def test_an_uploaded_photo_and_typed_words_give_a_mask(page: Page, url: str) -> None:
    arrive(page, url)
    photo = assets.path("photos", "chelsea.png")
    page.locator("#image input[type=file]").set_input_files(str(photo))
    page.wait_for_function("!document.querySelector('#chosen-mask').innerText.includes('mIoU')")
    page.locator("#words textarea").fill("cat; kitten, grass")
    page.locator("#words textarea").press("Enter")
    expect(page.locator("#chosen-mask .gw-legend")).to_contain_text("cat")


def test_a_broken_upload_is_refused_in_words_and_the_work_stays(
    desktop: Page, url: str, tmp_path: Path
) -> None:
    arrive(desktop, url)
    broken = tmp_path / "photo.png"
    broken.write_bytes(b"\x89PNG not really")
    desktop.locator("#image input[type=file]").set_input_files(str(broken))
    expect(desktop.locator("#says .problem")).to_contain_text("damaged")
    expect(desktop.locator("#words textarea")).to_have_value("strawberry, frog, grass")
    assert desktop.locator("#chosen-mask canvas").count() > 0


def test_hostile_words_are_shown_as_they_are_and_run_nothing(desktop: Page, url: str) -> None:
    desktop.add_init_script("window.ran = 0; window.hit = () => { window.ran += 1; };")
    arrive(desktop, url, words=", ".join(HOSTILE), cs=0)
    for tab in ("Compare", "Export", "Side by side"):
        desktop.get_by_role("tab", name=tab).click()
        desktop.wait_for_timeout(1500)
    assert desktop.evaluate("window.ran") == 0
    legend = desktop.locator("#chosen-mask")
    shown = legend.text_content()
    assert all(word in shown for word in HOSTILE)
    desktop.locator("#words textarea").fill("x" * 300)
    desktop.locator("#words textarea").press("Enter")
    expect(desktop.locator("#says .problem")).to_contain_text("xxx")
    assert fits(desktop)


def test_compare_shows_all_variants_and_what_changed(page: Page, url: str) -> None:
    arrive(page, url, tab="compare")
    for name in ("clip", "clearclip", "amf", "cs", "amf_cs"):
        expect(page.locator(f"#variant-{name}")).to_contain_text("mIoU")
    expect(page.locator("#change .badge")).to_contain_text("% of the pixels")
    expect(page.locator("#swipe input")).to_be_visible()
    assert not page.locator("#variant-sclip").is_visible()
    page.locator("#extras input").click()
    expect(page.locator("#variant-sclip")).to_contain_text("SCLIP")
    assert fits(page)


def test_truth_lists_iou_and_a_new_scene_brings_new_words(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="truth")
    expect(desktop.locator("#iou-table")).to_contain_text("strawberry")
    expect(desktop.locator("#similarity")).to_contain_text("the truth")
    desktop.locator("#scene button").first.click()
    desktop.locator("#new-scene").click()
    expect(desktop.locator("#words textarea")).not_to_have_value("strawberry, frog, grass")
    expect(desktop.locator("#iou-table")).not_to_contain_text("frog")


def test_a_link_restores_every_setting(desktop: Page, url: str) -> None:
    arrive(desktop, url, tab="export", seed=3, cs=0, amf_blocks="4-5", opacity=0.3)
    link = desktop.locator("#link textarea").input_value()
    assert link.startswith(url)
    assert "seed=3" in link
    desktop.goto(link)
    desktop.wait_for_selector(DONE)
    expect(desktop.locator("#link textarea")).to_have_value(link)
    expect(desktop.locator("#cs input")).not_to_be_checked()
    expect(desktop.locator("#python")).to_contain_text("cs=False")
    with desktop.expect_download() as download:
        desktop.locator("#download").click()
    assert download.value.suggested_filename.endswith(".zip")


def test_a_bad_link_is_said_and_the_page_opens(desktop: Page, url: str) -> None:
    desktop.goto(f"{url}?seed=-5&amf=maybe")
    desktop.wait_for_selector("#chosen-mask canvas")
    expect(desktop.locator("#link-notes")).to_contain_text("left out")
