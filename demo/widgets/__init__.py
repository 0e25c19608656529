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

select: [row, column] in pixels; opacity, endSimulation, backgroundOff.
"""
maps = partial(_widget, "maps", empty="Attention appears here.")
"""Attention over the picture and as matrices; see :func:`values.maps_value`."""
norms = partial(_widget, "norms", empty="The norms appear here.")
"""One block's norms before and after CS, curves over all blocks.

select: a block from 1, or [first, last] channel, None for no choice; simulate.
"""
why = partial(_widget, "why")
"""The best words at a pixel under the methods that Compare shows, below its mask; closeWhy."""
blocks = partial(_widget, "blocks", empty="The blocks appear here.")
"""Every block as a small map; select: a block from 1; endSimulation."""
lesson = partial(_widget, "lesson", empty="The lesson appears here.")
"""Steps with a guess before each answer; ownPhoto, endSimulation."""
methods = partial(_widget, "methods", empty="The methods appear here.")
"""The methods on one picture as a sortable table.

select: the name of a row; endSimulation.
"""
machine = partial(_widget, "machine", empty="The machine appears here.")
"""From picture to mask in one linked diagram.

select: a block from 1; openMachine, closeMachine, flip.
"""


def card(elem_id: str, title: str) -> gr.HTML:
    """Bars and a sentence under a title; see :func:`values.card`."""
    return _widget("card", None, title, elem_id=elem_id, elem_classes=["panel"], label=title)


def lines(elem_id: str, label: str) -> gr.HTML:
    """Lines of words, read out as they change; see :func:`values.lines`."""
    return _widget("lines", values.lines(), "", elem_id=elem_id, label=label)


photo = partial(_widget, "photo", {"kind": "photo", "picture": "", "title": ""})
"""The target for a photo; ``picture`` names a blob; the event is photo."""
share = partial(_widget, "share", values.share())
"""The share picture and the link; ``picture`` names a blob."""
figures = partial(_widget, "figures", empty="The figure appears here.")
"""The figure and the share picture, shown and to take along; see :func:`values.figures`."""
offers = partial(_widget, "offers", values.offers([]))
"""Lines with choices, see :func:`values.offers`; select: one was pressed, which
``gclip.page.takeOffer`` reads."""


EVENTS = {
    "select": "select",  # brings what was chosen
    "endSimulation": "clear",  # of the canvas, the blocks, the methods and the lesson
    "backgroundOff": "submit",  # of the canvas: the background is switched off in the legend
    "opacity": "input",  # of the canvas: the value is in the page's address
    "simulate": "submit",  # of the norms
    "openMachine": "input",
    "closeMachine": "clear",
    "flip": "submit",  # of the machine: `gclip.page.flip` makes the new values of all switches
    "ownPhoto": "submit",  # of the lesson: its last button, which opens the file chooser
    "photo": "submit",  # of the photo: `gclip.page.photo` is the upload
    "closeWhy": "clear",  # the pixel whose words are shown is pinned no longer
}
"""The names of events here, and those of the fixed list that ``gr.HTML`` has. The document's head
has this table, too: a widget triggers an event by its name here."""


def on(widget: gr.HTML, event: str) -> Callable[..., Dependency]:
    """One of the EVENTS of a widget, to be called as an event listener of Gradio."""
    return getattr(widget, EVENTS[event])
