"""Interactive parts of the page: pure JSON values in ``values``, gradio components here.

Usage (the function makes the component once; handlers return a new ``*_value`` for it)::

    from demo import widgets
    from demo.widgets import values

    mask = widgets.mask(empty="The mask appears here.")
    mask.select(on_pixel)                  # gr.SelectData.index == [row, column] in image pixels
    mask.input(on_opacity)                 # gr.EventData._data["value"]: opacity 0 to 1
    ... return values.mask_value(image, labels, names, title="AMF on, CS on", pick=True)

    attention = widgets.attention()        # select: index == [row, column] of a patch, from 0
    blocks = widgets.blocks()              # select: index == block number, from 1
    channels = widgets.channels()          # select: index == [first, last] channel, None: cleared
    swipe, scores = widgets.swipe(), widgets.scores()
    plot = widgets.plot()                  # shows what demo.drawing.plots returns

A value of None shows the skeleton with ``empty`` in it. Words of visitors reach the page only as
JSON values set by textContent; templates here hold no expression.
"""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from demo.widgets.values import LEVELS, level_colours

STATIC = Path(__file__).parent / "static"


def attention(value: Any = None, empty: str = "Attention appears here.", **more: Any) -> gr.HTML:
    """Hover, tap or arrow keys over the image show where that patch looks; also as a matrix."""
    return _widget("attention", value, empty, **more)


def blocks(value: Any = None, empty: str = "The blocks appear here.", **more: Any) -> gr.HTML:
    """Every block as a small pressable map."""
    return _widget("blocks", value, empty, **more)


def mask(value: Any = None, empty: str = "The mask appears here.", **more: Any) -> gr.HTML:
    """A mask over its image, with legend and opacity."""
    return _widget("mask", value, empty, **more)


def channels(value: Any = None, empty: str = "The norms appear here.", **more: Any) -> gr.HTML:
    """All weight norms of a block; a drag chooses channels."""
    return _widget("channels", value, empty, **more)


def swipe(value: Any = None, empty: str = "Two masks appear here.", **more: Any) -> gr.HTML:
    """Two pictures, one uncovered from the left."""
    return _widget("swipe", value, empty, **more)


def scores(value: Any = None, empty: str = "Choose a pixel.", **more: Any) -> gr.HTML:
    """The best words at one pixel under every variant."""
    return _widget("scores", value, empty, **more)


def plot(value: str | None = None, **more: Any) -> gr.HTML:
    """Shows the SVG that :mod:`demo.drawing.plots` returns; never give it other text."""
    css = "svg.plot { width: 100%; height: auto; max-width: 760px; display: block; }"
    return gr.HTML(value, css_template=css, js_on_load=None, apply_default_css=False, **more)


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _widget(name: str, value: Any, empty: str, **more: Any) -> gr.HTML:
    lut = f"const LUT = {json.dumps(level_colours())}, LEVELS = {LEVELS};\n"
    shown = html.escape(empty, quote=True)
    if any(sign in shown for sign in ("${", "{{", "`", "\\")):
        raise ValueError(f"empty must be plain words of the page's own, but {empty!r} came.")
    return gr.HTML(
        value,
        html_template=f'<div class="gw gw-{name}" data-empty="{shown}"></div>',
        css_template=_static("common.css") + _static(f"{name}.css"),
        js_on_load=lut + _static("common.js") + _static(f"{name}.js"),
        apply_default_css=False,
        **more,
    )
