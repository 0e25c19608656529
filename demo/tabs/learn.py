"""Learn: five steps on baked pictures; needs no model and no image."""

from __future__ import annotations

import gradio as gr

from demo import copy, learn
from demo.controls import Controls
from demo.service import Request, Service
from demo.tabs import Answer, Tab


def build(service: Service, controls: Controls) -> Tab:
    """The steps, and nothing that answers to the settings."""
    gr.Markdown(copy.LEARN_INTRO, elem_classes=["gclip-note"])
    learn.build()

    def show(service: Service, request: Request) -> tuple[Answer, None]:
        return {}, None

    return Tab(outputs=[], show=show)
