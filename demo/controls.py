"""Which component shows which setting, and what tabs and events share.

A tab is built from :class:`Controls` and returns a :class:`Tab`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo import problems, widgets, wording
from demo.settings import (
    FIELDS,
    Settings,
    as_control,
    as_text,
    choices,
    declaration,
    limits,
    read,
)
from gclip_core.errors import GclipError

logger = logging.getLogger(__name__)

Updates = dict[Any, Any]
"""What an event changes: a new value by component."""
HEAVY: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 2}
"""Queue of events that take long: a new picture, backbone or size, and Compare. A request
is heavy by its event, and large by its memory (:data:`demo.cost.LARGE_REQUEST`)."""
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 2}
"""Queue of all other events: switches, words, views of the picture at hand."""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **LIGHT}
"""Options of an event that no program calls and that answers too soon for a progress bar."""
RAW: dict[str, Any] = {"preprocess": False, **QUIET}
"""The same for an event that reads the settings: pydantic validates what the browser sent."""


def in_browser(js: str, inputs: Any = None, outputs: Any = None) -> dict[str, Any]:
    """Arguments of an event that the browser alone answers, with a JavaScript function."""
    return {"fn": None, "js": js, "inputs": inputs, "outputs": outputs, **QUIET}


def hint(text: str) -> None:
    """A line on how to point, of which the page shows the one for a mouse or for a finger."""
    for pointer, own in wording.by_pointer(text).items():
        gr.Markdown(own, elem_classes=["gclip-note", f"by-{pointer}"])


REPAIRED = ("plant", "amf", "cs")
"""Switches that are all on where CS repairs a simulation."""
COMPONENTS: dict[str, type[Component]] = {
    "words": gr.Textbox,
    "templates": gr.Dropdown,
    "short_side": gr.Number,
    "window": gr.Number,
    "stride": gr.Number,
    "logit_scale": gr.Number,
    "threshold": gr.Slider,
    "background": gr.Radio,
    "rest_weight": gr.Slider,
    "refine": gr.Radio,
    "method": gr.Dropdown,
    "amf": gr.Checkbox,
    "cs": gr.Checkbox,
    "amf_blocks": gr.Dropdown,
    "n_fused": gr.Slider,
    "heads": gr.Radio,
    "global_threshold": gr.Number,
    "cs_blocks": gr.Textbox,
    "cs_target": gr.Radio,
    "channel_threshold": gr.Number,
    "channels": gr.Textbox,
    "plant": gr.Checkbox,
    "plant_channel": gr.Number,
    "plant_gain": gr.Slider,
    "plant_blocks": gr.Textbox,
    "view_head": gr.Dropdown,
    "extras": gr.Checkbox,
    "left": gr.Dropdown,
    "right": gr.Dropdown,
}
"""The component of each setting that a person changes; the others have a hidden field."""
EXPLAINED = {
    "words": "Commas separate classes, semicolons synonyms",
    "templates": "Sentences that each word is put into before it is encoded: 80, 7 or 1.",
    "short_side": "Shorter side of the encoded picture in pixels. 0: the backbone’s own.",
    "window": "Encode overlapping windows of so many pixels: finer, slower. 0: one pass.",
    "stride": "Pixels from one window to the next. Fewer overlap more and cost more.",
    "logit_scale": "Factor of the cosines before the softmax: scores get sharper.",
    "threshold": "A pixel whose best score is lower gets no label.",
    "background": "What fits none of the words gets no label. Automatic: on for one word and for "
    "suggested words left as they are, off for words you type or change. Less weight leaves more "
    "pixels to your words.",
    "refine": "By its colours, without training. Compare and Learn have the plain masks of the "
    "papers.",
    "method": "AMF and CS are GCLIP’s: other methods use neither.",
    "amf": "Attention Map Fusion",
    "cs": "Channel Suppression",
    "amf_blocks": "Their attention goes into the last block. Counted from 1; type others, such as "
    "5 6 7.",
    "n_fused": "How many blocks AMF takes when they are chosen on the picture.",
    "heads": "each: head by head. mean: the mean of all heads goes into every head.",
    "global_threshold": "A patch is a global token if it gets so many times an equal share of "
    "attention.",
    "cs_blocks": "Where channels are suppressed: “7-11” counted from 1, “auto” or “backbone”.",
    "cs_target": "The mean or the median norm of the other channels.",
    "channel_threshold": "A channel is abnormal if its norm is so many times the median.",
    "channels": "Counted from 0, such as 100-120, 64; then Enter. Empty: the abnormal one of each "
    "block.",
}
"""The sentence at a setting's control."""


@dataclass(frozen=True)
class Tab:
    """A tab once it is built: its ``parts``, components by the names that its view has for them.

    After each of ``changes``, events of the tab that write a setting's control, the open tab is
    shown anew. ``masks`` are canvases; a press on one asks why its word was chosen there.
    """

    parts: dict[str, Component] = field(default_factory=dict)
    changes: Sequence[Dependency] = ()
    masks: Sequence[gr.HTML] = ()


class Controls:
    """The control of every setting, made from its declaration, in the order they were made.

    Their values are those of ``opening``. Hidden fields are made first, and the switch of the
    simulation, which many events write and a tab renders; the other controls where they are shown.
    """

    def __init__(self, opening: Settings | None = None) -> None:
        self.opening = opening or Settings()
        self.parts: dict[str, Component] = {}
        self.asking: list[Component] = []
        self.hidden: set[str] = set()
        for name in FIELDS:
            if name not in COMPONENTS:
                value = as_text(name, getattr(self.opening, name))
                self.parts[name] = gr.Textbox(value, visible=False, elem_id=f"hidden-{name}")
                self.hidden.add(name)
        self.make("plant", render=False)

    def make(self, name: str, asks: bool = True, **more: Any) -> Component:
        """The control of a setting; ``asks``: a change of it makes the page answer.

        ``more`` are options of the component; its ``elem_id`` is the setting's name.
        """
        component = COMPONENTS[name]
        options: dict[str, Any] = {
            "value": as_control(name, getattr(self.opening, name)),
            "label": declaration(name)["label"],
            "info": EXPLAINED.get(name),
            "elem_id": name.replace("_", "-"),
        }
        if component in (gr.Slider, gr.Number):
            low, high = limits(name)
            options |= {"minimum": low, "maximum": high}
            if FIELDS[name].annotation is int:
                options |= {"step": 1} if component is gr.Slider else {"precision": 0}
        if component in (gr.Dropdown, gr.Radio):
            options["choices"] = choices(name)
        self.parts[name] = component(**{**options, **more})
        if asks:
            self.asking.append(self.parts[name])
        return self.parts[name]

    @property
    def components(self) -> list[Component]:
        """Inputs of an event that needs the settings made so far; all once the page is built."""
        return list(self.parts.values())

    def __getitem__(self, name: str) -> Component:
        return self.parts[name]

    def reader(self) -> Callable[[Sequence[Any]], Settings]:
        """What reads the settings from the values of :attr:`components`, as they are now.

        A control that is made later keeps its default. It raises a GclipError for a value that is
        no such setting.
        """
        names = tuple(self.parts)
        return lambda values: read(dict(zip(names, values, strict=True)))

    def updates(self, settings: Settings) -> dict[Component, Any]:
        """Every component's value for these settings."""
        values: dict[Component, Any] = {}
        for name, part in self.parts.items():
            write = as_text if name in self.hidden else as_control
            values[part] = write(name, getattr(settings, name))
        return values


def show_errors(event: Callable[..., Any]) -> Callable[..., Any]:
    """An event or endpoint whose refusals reach the visitor in words; other errors are logged."""

    @wraps(event)
    def checked(*values: Any, **named: Any) -> Any:
        try:
            return event(*values, **named)
        except GclipError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            logger.exception("an event failed")
            raise gr.Error(problems.sentence(error), print_exception=False) from error

    return checked


def selected_numbers(event: gr.SelectData, count: int) -> tuple[int, ...]:
    """The ``count`` whole numbers from 0 that were chosen in a widget.

    Raises:
        GclipError: a program sent something else.
    """
    index = event.index if isinstance(event.index, (list, tuple)) else (event.index,)
    are_valid = all(type(number) is int and 0 <= number < 10**5 for number in index)
    if len(index) != count or not are_valid:
        raise GclipError(f"{count} whole numbers were expected, but {str(event.index)[:40]} came.")
    return tuple(index)


@show_errors
def place_chosen(event: gr.SelectData) -> str:
    """The place (row, column) that was chosen in a widget."""
    return "{},{}".format(*selected_numbers(event, 2))


@show_errors
def block_chosen(event: gr.SelectData) -> str:
    """The block (from 1) that was chosen in a widget."""
    return str(*selected_numbers(event, 1))


def slide_opacity(mask: gr.HTML, controls: Controls) -> None:
    """Let a mask's own slider set the page's opacity, in the browser alone, from the address."""
    from_address = "() => new URLSearchParams(location.search).get('opacity')"
    widgets.on(mask, "opacity")(**in_browser(from_address, outputs=controls["opacity"]))


def simulate(controls: Controls) -> dict[str, Any]:
    """Arguments of an event that switches the simulation on, and with it AMF and CS."""
    switches = [controls[name] for name in REPAIRED]
    return in_browser("(...a) => gclip.page.simulate(...a)", switches, switches)


def unplant(controls: Controls) -> dict[str, Any]:
    """Arguments of an event that switches the simulation off; AMF and CS are as before it."""
    switches = [controls[name] for name in REPAIRED]
    return in_browser("(...a) => gclip.page.endSimulation(...a)", switches, switches)
