"""How it works: one patch in focus from the photo to the mask."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FLOWER, Visit, after, switch, turn_to


@pytest.fixture
def diagram(visitor: Visit) -> Page:
    return visitor(**FLOWER, tab="how")


def drawn(page: Page, part: str) -> str:
    """The pixels of a map."""
    return page.locator(f"#diagram {part} canvas").first.evaluate("canvas => canvas.toDataURL()")


def test_pointing(diagram: Page) -> None:
    """Hovering over any map moves the patch on all maps; a press pins it, Escape releases it.

    In the matrix, a row is a patch.
    """
    parts = (".layer .map", ".alone", ".mean", ".large")
    direction = diagram.locator("#diagram .directions [aria-pressed=true]")
    expect(direction).to_have_text("attention received")
    before = [drawn(diagram, part) for part in parts]
    received = drawn(diagram, ".received")
    diagram.locator("#diagram .mask").click(position={"x": 60, "y": 40})
    assert all(drawn(diagram, part) != old for part, old in zip(parts, before, strict=True))
    assert drawn(diagram, ".received") == received
    diagram.mouse.move(5, 5)
    expect(direction).to_have_text("what one patch attends to")
    kept = drawn(diagram, ".mean")
    diagram.locator("#diagram .cut").press("ArrowRight")
    assert drawn(diagram, ".mean") != kept
    expect(diagram.locator("#diagram .live")).to_contain_text("Patch in row ")
    diagram.locator("#diagram .cut").press("Escape")
    expect(direction).to_have_text("attention received")
    expect(diagram).not_to_have_url(re.compile("patch="))
    before = drawn(diagram, ".large")
    diagram.locator("#diagram .matrix").hover(position={"x": 10, "y": 3})
    assert drawn(diagram, ".large") != before


def test_amf(diagram: Page) -> None:
    """Without AMF, the fused blocks are unmarked and the mask comes from the last block alone."""
    flow, mask = diagram.locator("#diagram .flow"), drawn(diagram, ".mask")
    expect(flow).to_contain_class("amf")
    after(diagram, switch(diagram, "AMF", "diagram").click, "diagram")
    expect(flow).not_to_contain_class("amf")
    assert drawn(diagram, ".mask") != mask
    after(diagram, switch(diagram, "AMF", "diagram").click, "diagram")
    assert drawn(diagram, ".mask") == mask


def test_block(diagram: Page) -> None:
    """A press on a block enlarges it, with its matrix and norms, for the mean or for one head."""
    before = drawn(diagram, ".matrix")
    after(diagram, diagram.locator("#diagram .layer").nth(2).click, "diagram")
    expect(diagram.locator("#diagram .number")).to_have_text("3")
    expect(diagram.locator("#diagram .layer").nth(2)).to_have_attribute("aria-pressed", "true")
    mean = drawn(diagram, ".matrix")
    assert mean != before
    head = diagram.get_by_label("Head")
    after(diagram, lambda: head.select_option("head 2"), "diagram")
    assert drawn(diagram, ".matrix") != mean
    expect(head).to_have_value("head 2")


def test_cs(flower: Page) -> None:
    """On the damaged model the outlier is marked, and CS scales it down. This simulation ends with
    the photo that it was opened on."""
    switch(flower, "CS").click(force=True)
    after(flower, flower.get_by_role("button", name="See CS on a damaged copy").click)
    expect(flower.locator("#canvas .banner")).to_contain_text("which CS repairs")
    expect(flower.locator("#canvas .split")).to_be_visible()
    expect(flower.locator("#canvas .chip")).to_contain_text(["Without CS", "With CS"])
    turn_to(flower, "How it works")
    ratio = flower.locator("#diagram .suppressed small").first
    scaled = float(ratio.inner_text().removesuffix("×"))
    after(flower, switch(flower, "CS", "diagram").click, "diagram")
    assert float(ratio.inner_text().removesuffix("×")) > 4 * scaled
    turn_to(flower, "Segment")
    after(flower, flower.get_by_role("button", name="Dog", exact=True).click)
    after(flower, flower.get_by_role("button", name="Back to the undamaged model").click)
    expect(flower.locator("#canvas img")).to_have_attribute("src", re.compile("^photos/flower"))
