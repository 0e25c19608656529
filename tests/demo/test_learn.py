"""Learn: what it says follows from what was measured, and a guess comes before each reveal."""

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.learn import lesson
from demo.tabs import learn
from gclip_core import assets

FOLDER = assets.path("learn")


@pytest.fixture
def facts() -> dict:
    return copy.deepcopy(lesson.read_facts())


def test_the_baked_numbers_are_of_the_model_that_ships(facts: dict) -> None:
    weights = assets.path("built-in", "model.safetensors").read_bytes()
    assert facts["weights"] == hashlib.sha256(weights).hexdigest(), "run: python -m demo.learn.bake"


def test_five_steps_ask_before_they_tell_and_every_picture_is_there(facts: dict) -> None:
    steps = lesson.steps(facts)
    assert len(steps) == 5
    for step in steps:
        assert step.question.endswith("?")
        assert 0 <= step.right < len(step.options) == 3
        assert step.first and step.then
        for figure in (*step.first, *step.then):
            assert (FOLDER / figure.file).is_file(), figure.file
            assert figure.alt or figure.file.endswith(".svg")


@pytest.mark.parametrize(
    ("off", "on", "right"), [(0.5, 0.6, 0), (0.6, 0.5, 1), (0.6, 0.605, 2), (0.6, 0.595, 2)]
)
def test_amf_is_praised_only_where_it_helped(
    facts: dict, off: float, on: float, right: int
) -> None:
    facts["amf"].update(off=off, on=on)
    step = lesson.steps(facts)[2]
    assert step.right == right
    assert f"{100 * on:.1f} %" in step.reveal
    assert ("unlike in the paper" in step.reveal) == (right != 0)


def test_without_truth_no_accuracy_is_claimed(facts: dict) -> None:
    facts.update(built_in=False, backbone="OpenAI ViT-B/16", chosen_of=None)
    facts["clip"] = {"clip": None, "clearclip": None}
    facts["amf"].update(off=None, on=None, changed=0.1)
    facts["cs"].update(healthy=None, sick=None, cured=None)
    steps = lesson.steps(facts)
    assert not any("fresh scenes" in step.reveal for step in steps)
    assert steps[2].right == 1
    assert "emoji" not in steps[4].reveal


def test_a_planted_channel_is_called_a_simulation(facts: dict) -> None:
    facts["cs"]["planted"] = True
    assert "a simulation" in lesson.steps(facts)[3].lead
    facts["cs"]["planted"] = False
    assert "simulation" not in lesson.steps(facts)[3].lead


def test_the_values_are_said_to_follow_the_paper_only_where_they_do(facts: dict) -> None:
    facts["cs"]["similar"] = {"sick": [0.5, 0.4], "cured": [0.6, 0.2]}
    assert "not both" not in lesson.steps(facts)[3].reveal
    facts["cs"]["similar"] = {"sick": [0.5, 0.1], "cured": [0.6, 0.2]}
    assert "not both" in lesson.steps(facts)[3].reveal


def test_fallen_back_blocks_are_not_called_global(facts: dict) -> None:
    facts["amf"].update(reason="no run of blocks: middle blocks taken", blocks=[6, 7])
    assert "its middle blocks 6 and 7" in lesson.steps(facts)[2].lead
    facts["amf"]["reason"] = "global tokens in every block from 6 to 11"
    assert "Here these are blocks 6 and 7" in lesson.steps(facts)[2].lead


def test_a_model_without_global_tokens_is_said_to_have_none(facts: dict) -> None:
    facts["tokens"]["counts"] = [0] * facts["n_blocks"]
    assert "no patch reaches" in lesson.steps(facts)[1].reveal


def test_captions_are_escaped() -> None:
    figure = lesson.Figure("picture.webp", "<b>", '"><script>')
    html = lesson.figures_html([figure], FOLDER)
    assert "<b>" not in html
    assert "<script>" not in html


def test_nothing_baked_is_no_error(tmp_path: Path) -> None:
    assert lesson.read_facts(tmp_path) is None


@pytest.fixture(scope="module")
def shown() -> Iterator:
    import gradio as gr
    from playwright.sync_api import sync_playwright

    with gr.Blocks(analytics_enabled=False) as demo:
        learn.lesson()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, run_history=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        tab.goto(url)
        yield tab
        browser.close()
    demo.close()


def test_a_guess_reveals_its_answer_and_leads_on(shown) -> None:  # noqa: ANN001
    shown.wait_for_selector("#learn-guess-1")
    assert shown.locator("figure").count() == 1
    shown.locator("#learn-guess-1 input").nth(0).check()
    shown.wait_for_selector("#learn-verdict-1 strong")
    assert shown.locator("#learn-verdict-1").inner_text().startswith("Not quite.")
    shown.wait_for_function("document.querySelectorAll('figure').length === 3")
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    shown.locator("#learn-next-1").click()
    shown.wait_for_selector("#learn-guess-2")
