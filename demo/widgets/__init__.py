"""Interactive parts of the page: pure JSON values in ``values``, gradio components here.

A function makes a component once; handlers return a new value, None for the skeleton with
``empty`` in it. Words of visitors reach the page only as JSON values, which become text nodes;
templates here contain no expression.
"""

import html
from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr

from demo.widgets import values


def _widget(
    name: str,
    value: Any = None,
    empty: str = "",
    elem_classes: Sequence[str] = (),
    after: str = "",
    **more: Any,
) -> gr.HTML:
    """A component that the widget NAME of ``demo/web/main.js`` draws.

    ``after`` is the ``elem_id`` of a widget above it that is drawn first, so that this one is not
    moved.
    """
    data = f'data-empty="{html.escape(empty)}" data-after="{after}"'
    return gr.HTML(
        value,
        html_template=f'<div class="gw gw-{name}" {data}></div>',
        js_on_load=f"gclip.ready.then(() => gclip.mount('{name}', element, props, trigger, watch))",
        apply_default_css=False,
        elem_classes=[f"w-{name}", *elem_classes],
        **more,
    )


attention = partial(_widget, "attention", empty="Attention appears here.")
"""Pointing shows where a patch looks; also as a matrix. select: [row, column] of a patch."""
canvas = partial(_widget, "canvas", empty="The mask appears here.")
"""A picture with one mask, or two to swipe between; pointing shows where a patch looks.

select: [row, column] in pixels; input: opacity; clear: the simulation is to be switched off;
submit: the background is.
"""
maps = partial(_widget, "maps", empty="Attention appears here.")
"""Attention over the picture and as matrices; see :func:`values.maps_value`."""
norms = partial(_widget, "norms", empty="The norms appear here.")
"""One block's norms before and after CS, curves over all blocks.

select: a block from 1, or [first, last] channel, None for no choice; submit: simulate a fault.
"""
why = partial(_widget, "why")
"""The best words at a pixel under every variant, shown under its mask; clear: it was closed."""
blocks = partial(_widget, "blocks", empty="The blocks appear here.")
"""Every block as a small map; select: a block from 1; clear: the simulation is to end."""
lesson = partial(_widget, "lesson", empty="The lesson appears here.")
"""Steps with a guess before each answer; submit: the visitor's own photo is chosen."""
methods = partial(_widget, "methods", empty="The methods appear here.")
"""The methods on one picture as a sortable table.

select: the name of a row; clear: the simulation is to end.
"""
machine = partial(_widget, "machine", empty="The machine appears here.")
"""From picture to mask in one linked diagram.

input: it was opened; clear: closed; select: a block from 1; submit: ``gclip.flip`` flips switches.
"""


def card(elem_id: str, title: str) -> gr.HTML:
    """Bars and a sentence under a title; see :func:`values.card`."""
    return _widget("card", None, title, elem_id=elem_id, elem_classes=["panel"], label=title)


def lines(elem_id: str, label: str) -> gr.HTML:
    """Lines of words, read out as they change; see :func:`values.lines`."""
    return _widget("lines", values.lines(), "", elem_id=elem_id, label=label)


photo = partial(_widget, "photo", {"kind": "photo", "picture": "", "title": ""})
"""The target for a photo; ``picture`` names a blob. submit: ``gclip.page.photo`` is an upload."""
offers = partial(_widget, "offers", values.offers([]))
"""Lines with choices, see :func:`values.offers`; select: one was pressed, which
``gclip.page.takeOffer`` reads."""
