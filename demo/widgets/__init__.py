"""Interactive parts of the page: pure JSON values in ``values``, gradio components here.

A function makes a component once; handlers return a new value, None for the skeleton with
``empty`` in it. Words of visitors reach the page only as JSON values, which become text nodes;
templates here contain no expression.
"""

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

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

select: [row, column] in pixels; on_opacity, on_end_simulation, on_background_off.
"""
maps = partial(_widget, "maps", empty="Attention appears here.")
"""Attention over the picture and as matrices; see :func:`values.maps_value`."""
norms = partial(_widget, "norms", empty="The norms appear here.")
"""One block's norms before and after CS, curves over all blocks.

select: a block from 1, or [first, last] channel, None for no choice; on_simulate.
"""
why = partial(_widget, "why")
"""The best words at a pixel under the methods that Compare shows, below its mask; on_close_why."""
blocks = partial(_widget, "blocks", empty="The blocks appear here.")
"""Every block as a small map; select: a block from 1; on_end_simulation."""
lesson = partial(_widget, "lesson", empty="The lesson appears here.")
"""Steps with a guess before each answer; on_own_photo, on_end_simulation."""
methods = partial(_widget, "methods", empty="The methods appear here.")
"""The methods on one picture as a sortable table.

select: the name of a row; on_end_simulation.
"""
machine = partial(_widget, "machine", empty="The machine appears here.")
"""From picture to mask in one linked diagram.

select: a block from 1; on_open_machine, on_close_machine, on_flip.
"""


def card(elem_id: str, title: str) -> gr.HTML:
    """Bars and a sentence under a title; see :func:`values.card`."""
    return _widget("card", None, title, elem_id=elem_id, elem_classes=["panel"], label=title)


def lines(elem_id: str, label: str) -> gr.HTML:
    """Lines of words, read out as they change; see :func:`values.lines`."""
    return _widget("lines", values.lines(), "", elem_id=elem_id, label=label)


photo = partial(_widget, "photo", {"kind": "photo", "picture": "", "title": ""})
"""The target for a photo; ``picture`` names a blob; on_photo."""
share = partial(_widget, "share", values.share())
"""The share picture and the link; ``picture`` names a blob."""
figures = partial(_widget, "figures", empty="The figure appears here.")
"""The figure and the share picture, shown and to take along; see :func:`values.figures`."""
offers = partial(_widget, "offers", values.offers([]))
"""Lines with choices, see :func:`values.offers`; select: one was pressed, which
``gclip.page.takeOffer`` reads."""


# gr.HTML has a fixed list of events. These are the names of what some of them mean here.

Event = Callable[..., Dependency]


def on_end_simulation(widget: gr.HTML) -> Event:
    """A person ends the simulation, in the canvas, the blocks, the methods or the lesson."""
    return widget.clear


def on_background_off(canvas: gr.HTML) -> Event:
    """A person switches the background off in the legend."""
    return canvas.submit


def on_opacity(canvas: gr.HTML) -> Event:
    """A person moves the slider of opacity; the value is in the page's address."""
    return canvas.input


def on_simulate(norms: gr.HTML) -> Event:
    """A person asks for the simulation."""
    return norms.submit


def on_open_machine(machine: gr.HTML) -> Event:
    """A person opens the machine."""
    return machine.input


def on_close_machine(machine: gr.HTML) -> Event:
    """A person closes the machine."""
    return machine.clear


def on_flip(machine: gr.HTML) -> Event:
    """A person flips a switch in the machine; ``gclip.page.flip`` makes the new values of all."""
    return machine.submit


def on_own_photo(lesson: gr.HTML) -> Event:
    """A person presses the last button of the lesson, which opens the file chooser."""
    return lesson.submit


def on_photo(photo: gr.HTML) -> Event:
    """A photo of a visitor's is uploaded: ``gclip.page.photo``."""
    return photo.submit


def on_close_why(why: gr.HTML) -> Event:
    """The pixel whose words are shown is pinned no longer."""
    return why.clear
