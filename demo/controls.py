"""The Gradio half of the settings: their controls, and what tabs and events share.

A tab is built from :class:`Controls` and returns a :class:`Tab`; ``demo.tabs`` says how one is
added.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo import settings as declared
from demo import wording
from demo.look import Look, Request
from demo.settings import FIELDS, Settings
from gclip_core.errors import GclipError

logger = logging.getLogger(__name__)

Answer = dict[Any, Any]
HEAVY: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 2}
"""Queue of events for a new picture, backbone or size, for Compare and for Export."""
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 2}
"""Queue of all other events: switches, words, views of the picture at hand."""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **LIGHT}
"""Options of an event that no program calls and that answers too soon for a progress bar."""
RAW: dict[str, Any] = {"preprocess": False, **QUIET}
"""The same for an event that reads the settings: pydantic validates what the browser sent."""


def in_browser(js: str, inputs: Any = None, outputs: Any = None) -> dict[str, Any]:
    """Arguments of an event that the browser alone answers, with a JavaScript function."""
    return {"fn": None, "js": js, "inputs": inputs, "outputs": outputs, **QUIET}


@dataclass(frozen=True)
class Tab:
    """A tab once it is built: its outputs, and how to fill them from a look.

    ``show`` returns a value for each output it changes; it is called when the tab is opened and
    whenever a setting changes while the tab is open. ``keep`` False: what it shows does not last.
    ``own`` is what a tab that shows everybody the same asks for, whatever the settings.
    After each of ``changes``, events of the tab that write a setting's control, the open tab is
    shown anew. ``masks`` are canvases; a press on one asks why its word was chosen there.
    """

    outputs: list[Any] = field(default_factory=list)
    show: Callable[[Look], Answer] = lambda _: {}
    keep: bool = True
    own: Request | None = None
    changes: Sequence[Dependency] = ()
    masks: list[gr.HTML] = field(default_factory=list)


class Controls:
    """The control of every setting, made from its declaration, in the order they were made.

    Their values are those of ``opening``. Hidden fields are made first, and the switch of the
    simulation, which many events write and a tab renders; the other controls where they are shown.
    """

    def __init__(self, opening: Settings | None = None) -> None:
        self.opening = opening or Settings()
        self.parts: dict[str, Component] = {}
        self.asking: list[Component] = []
        self.written: set[str] = set()
        for name in FIELDS:
            if declared.declared(name)["control"] == "hidden":
                value = declared.as_text(name, getattr(self.opening, name))
                self.parts[name] = gr.Textbox(value, visible=False, elem_id=f"hidden-{name}")
                self.written.add(name)
        self.make("plant", render=False)

    def make(self, name: str, asks: bool = True, **more: Any) -> Component:
        """The control of a setting; ``asks``: a change of it makes the page answer.

        ``more`` are options of the component; its ``elem_id`` is the setting's name.
        """
        made = declared.declared(name)
        low, high = declared.limits(name)
        whole = FIELDS[name].annotation is int
        options: dict[str, Any] = {
            "value": declared.as_control(name, getattr(self.opening, name)),
            "label": made["label"],
            "info": declared.EXPLAINED.get(name),
            "elem_id": name.replace("_", "-"),
        }
        kind = getattr(gr, made["control"])
        if kind in (gr.Slider, gr.Number):
            options |= {"minimum": low, "maximum": high}
        if kind is gr.Slider:
            options["step"] = 1 if whole else None
        if kind is gr.Number:
            options["precision"] = 0 if whole else None
        if kind in (gr.Dropdown, gr.Radio):
            options["choices"] = declared.choices(name)
        self.parts[name] = kind(**{**options, **more})
        if asks:
            self.asking.append(self.parts[name])
        return self.parts[name]

    @property
    def components(self) -> list[Component]:
        """Inputs of an event that needs the settings made so far; all once the page is built."""
        return list(self.parts.values())

    def __getitem__(self, name: str) -> Component:
        return self.parts[name]

    def settings(self, values: Sequence[Any]) -> Settings:
        """Settings from the values of :attr:`components`; of those made since, the defaults.

        Raises:
            GclipError: the value of a field is no such setting.
        """
        return declared.read(dict(zip(self.parts, values, strict=False)))

    def updates(self, settings: Settings) -> dict[Component, Any]:
        """Every component's value for these settings."""
        return {
            part: (declared.as_text if name in self.written else declared.as_control)(
                name, getattr(settings, name)
            )
            for name, part in self.parts.items()
        }


def in_words(event: Callable[..., Any]) -> Callable[..., Any]:
    """An event or endpoint whose refusals reach the visitor in words; other errors are logged."""

    @wraps(event)
    def asked(*values: Any, **named: Any) -> Any:
        try:
            return event(*values, **named)
        except GclipError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            logger.exception("an event failed")
            raise gr.Error(wording.failed(error), print_exception=False) from error

    return asked


def chosen(event: gr.SelectData, count: int) -> tuple[int, ...]:
    """The ``count`` whole numbers from 0 that were chosen in a widget.

    Raises:
        GclipError: a program sent something else.
    """
    index = event.index if isinstance(event.index, (list, tuple)) else (event.index,)
    if len(index) != count or not all(type(one) is int and 0 <= one < 10**5 for one in index):
        raise GclipError(f"{count} whole numbers were expected, but {str(event.index)[:40]} came.")
    return tuple(index)


@in_words
def place_chosen(event: gr.SelectData) -> str:
    """The place (row, column) that was chosen in a widget."""
    return "{},{}".format(*chosen(event, 2))


@in_words
def block_chosen(event: gr.SelectData) -> str:
    """The block (from 1) that was chosen in a widget."""
    return str(*chosen(event, 1))


def slide_opacity(mask: gr.HTML, controls: Controls) -> None:
    """Let a mask's own slider set the page's opacity, in the browser alone, from the address."""
    read = "() => new URLSearchParams(location.search).get('opacity')"
    mask.input(**in_browser(read, outputs=controls["opacity"]))
