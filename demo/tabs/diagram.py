"""The machine as a part of tabs: its value out of a look, and what pressing it sets."""

from typing import Any

import gradio as gr
from gradio.events import Dependency

from demo import widgets, wording
from demo.controls import QUIET, RAW, Answer, Controls, Tab, in_words
from demo.learn import lesson
from demo.look import Look, Studio
from demo.settings import Settings
from demo.tabs import drawn
from demo.views import learn
from demo.views import machine as views
from demo.widgets.diagram import machine_value
from demo.widgets.values import Json

SWITCHES = ("method", "amf", "cs", "plant")
"""What a switch on the machine flips, in its order; AMF and CS are GCLIP's."""
SET = ("method", "amf", "cs", "plant", "view_block", "step", "told")
"""The settings that a press on the machine may change."""


def value(look: Look) -> Json:
    """The machine of a look."""
    return machine_value(views.see(look), drawn.picture(look).name)


def strip(studio: Studio, controls: Controls) -> Tab:
    """The machine under a heading, folded; what it shows is worked out once it is opened."""
    opened = controls.hidden("machine")
    with gr.Accordion(wording.MACHINE, open=False, elem_id="machine-fold") as fold:
        machine = widgets.machine(elem_id="side-machine")

    def show(look: Look) -> Answer:
        return (
            {fold: gr.Accordion(open=True), machine: value(look)} if look.settings.machine else {}
        )

    def wired() -> list[Dependency]:
        return [
            fold.expand(lambda: "1", None, opened, **QUIET),
            fold.collapse(lambda: "0", None, opened, **QUIET),
            *wire(machine, studio, controls),
        ]

    return Tab(outputs=[fold, machine], show=show, wire=wired)


def wire(machine: gr.HTML, studio: Studio, controls: Controls) -> list[Dependency]:
    """A press on the machine sets what it names: a block, a step of the lesson, a switch.

    A switch is flipped in the browser, so that the page asks for its answer and nothing else.
    """

    def press(event: gr.SelectData, *raw: Any) -> list[Any]:
        settings = controls.settings(raw)
        backbone = studio.backbone(studio.name_of(settings))
        own = learn.has_own_fault(backbone, settings.channel_threshold)
        made = controls.updates(pressed(settings, event.index, own))
        return [made[controls[name]] for name in SET]

    flipped = [controls[name] for name in SWITCHES]
    return [
        machine.select(
            in_words(press),
            controls.components,
            [controls[name] for name in SET],
            trigger_mode="always_last",
            **RAW,
        ),
        machine.submit(
            fn=None, js="(...on) => gclip.flip(...on)", inputs=flipped, outputs=flipped, **QUIET
        ),
    ]


def pressed(settings: Settings, what: Any, own: bool) -> Settings:
    """The settings after a press on ``what``: a pair of its kind and which.

    ``own``: the model has an abnormal channel itself. What is no such pair changes nothing.
    """
    kind, which = what if isinstance(what, list) and len(what) == 2 else (None, None)
    if type(which) is not int:
        return settings
    if kind == "block" and which > 0:
        return settings.changed(view_block=min(which, 64) - 1)
    if kind in ("step", "go"):
        step = which if kind == "go" else settings.step + which
        step = min(max(step, 0), lesson.COUNT)
        sets = lesson.turns(own)[step - 1].sets if step else {}
        return settings.changed(step=step, told=False, **sets)
    if kind in ("guess", "set") and settings.step:
        turn = lesson.turns(own)[settings.step - 1]
        told = settings.told or kind == "guess"
        return settings.changed(told=told, **(turn.then if told else turn.sets))
    return settings
