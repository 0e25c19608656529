"""Learn: five steps on baked pictures; needs no model and no image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from demo import wording
from demo.controls import QUIET, Controls, Tab
from demo.learn.lesson import Step, figures_html, read_facts, steps
from demo.look import Studio
from gclip_core import assets

FIGURES_CSS = """
.learn-figures { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: flex-start; }
figure { flex: 1 1 200px; max-width: 420px; min-width: 0; margin: 0; }
img, svg { display: block; width: 100%; height: auto; margin: 0; border-radius: 6px; }
figcaption { font-size: 0.875rem; line-height: 1.4; margin-top: 0.3rem; }
figcaption { color: var(--body-text-color); }
"""


def build(studio: Studio, controls: Controls) -> Tab:
    """The steps, and nothing that answers to the settings."""
    gr.Markdown(wording.LEARN_INTRO, elem_classes=["gclip-note"])
    lesson()
    return Tab(looks=False)


def lesson(folder: Path | None = None) -> None:
    """Make the five steps inside the current gradio context; a guess reveals its answer."""
    facts = read_facts(folder)
    if facts is None:
        gr.Markdown(wording.LEARN_MISSING)
        return
    folder = folder or assets.path("learn")
    content = steps(facts)
    gr.Markdown(f"Pictures and numbers below: {facts['backbone']}, measured beforehand.")
    with gr.Tabs(elem_id="learn-steps") as tabs:
        for number, step in enumerate(content):
            with gr.Tab(step.title, id=number):
                _step(step, number, len(content), folder, tabs)


def _step(step: Step, number: int, count: int, folder: Path, tabs: gr.Tabs) -> None:
    gr.Markdown(step.lead)
    _figures(figures_html(step.first, folder))
    guess = gr.Radio(list(step.options), label=step.question, elem_id=f"learn-guess-{number + 1}")
    verdict = gr.Markdown("", elem_id=f"learn-verdict-{number + 1}")
    shown = _figures("")
    following = gr.Button("Next step", visible=False, size="sm", elem_id=f"learn-next-{number + 1}")

    def answer(chosen: str) -> tuple[str, str, Any]:
        start = "**Right.**" if chosen == step.options[step.right] else "**Not quite.**"
        html = figures_html(step.then, folder)
        return f"{start} {step.reveal}", html, gr.Button(visible=number + 1 < count)

    guess.input(answer, guess, [verdict, shown, following], **QUIET)
    following.click(lambda: gr.Tabs(selected=number + 1), None, tabs, **QUIET)


def _figures(html: str) -> gr.HTML:
    return gr.HTML(html, css_template=FIGURES_CSS, js_on_load=None, apply_default_css=False)
