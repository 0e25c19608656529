"""Learn: the lesson, driven by the machine, live; baked pictures while no model answers."""

from collections.abc import Sequence

from gradio.events import Dependency

from demo import widgets, wording
from demo.controls import Answer, Controls, Tab
from demo.learn import lesson
from demo.look import Look, Studio
from demo.tabs import machine as machine_tab
from demo.widgets.held import STORE, Thing
from demo.widgets.values import Json
from gclip_core import assets


def build(studio: Studio, controls: Controls) -> Tab:
    """The machine with the lesson above it."""
    for name in ("step", "told"):
        controls.hidden(name)
    machine = widgets.machine(baked(), empty=wording.LEARN_MISSING, elem_id="learn-machine")

    def show(look: Look) -> Answer:
        switches = [getattr(look.settings, name) for name in machine_tab.SWITCHES]
        told = page(look) | {"switches": switches}
        return {machine: {**machine_tab.value(look), "lesson": told}}

    def wire() -> list[Dependency]:
        return machine_tab.wire(machine, studio, controls)

    return Tab(outputs=[machine], show=show, wire=wire)


def page(look: Look) -> Json:
    """The step a look is at, told from what is measured on it."""
    settings = look.settings
    if settings.step == 0:
        return cover()
    turn = lesson.turns_of(look)[settings.step - 1]
    wanted = turn.then if settings.told else turn.sets
    told = lesson.tell(turn.name, lesson.measure(look, turn))
    as_set = all(
        getattr(settings, name) == value for name, value in wanted.items() if name != "view_block"
    )
    return _json(settings.step, turn, told, settings.told) | {"as_set": as_set}


def cover() -> Json:
    """What stands before the first step."""
    return {
        "at": 0, "count": lesson.COUNT, "title": lesson.COVER["title"],
        "text": lesson.COVER["text"], "question": "", "options": [], "told": False, "as_set": True,
        "parts": [],
    }  # fmt: skip


def baked() -> Json | None:
    """The whole lesson on baked pictures; None where nothing was baked."""
    facts = lesson.read_facts()
    if facts is None:
        return None
    pages: list[Json] = [cover() | {"figures": _figures(lesson.COVER["figures"])}]
    for number, turn in enumerate(lesson.turns(facts["fault"]["own"]), 1):
        told = _json(number, turn, lesson.tell(turn.name, facts), shown=True)
        pages.append(told | {"as_set": True, "figures": _figures(turn.figures)})
    return {"kind": "baked", "model": facts["backbone"], "pages": pages}


def _json(number: int, turn: lesson.Turn, told: lesson.Told, shown: bool) -> Json:
    """A page; before its guess it does not hold its answer."""
    said = {key: one for key, one in vars(told).items() if shown or key not in ("right", "reveal")}
    return {
        "at": number, "count": lesson.COUNT, "title": turn.title, "told": shown,
        "parts": turn.parts, **said,
    }  # fmt: skip


def _figures(figures: Sequence[tuple[str, str]]) -> list[Json]:
    return [{"picture": _held(f"{name}.webp"), "caption": said} for name, said in figures]


def _held(file: str) -> str:
    path = assets.path("learn", file)

    def read() -> Thing:
        return Thing(path.read_bytes(), "image/webp")

    return STORE.offer(("learn", file, path.stat().st_mtime_ns), read)
