"""Learn: the lesson on one photo and the built-in model, the same for everybody."""

from gradio.events import Dependency

from demo import widgets
from demo.controls import QUIET, Answer, Controls, Tab
from demo.drawing import render
from demo.learn import lesson
from demo.learn.lesson import Figure, Step
from demo.look import Look, Studio
from demo.tabs import norms
from demo.widgets.blobs import STORE, Blob
from demo.widgets.values import Json
from gclip_core import assets

SIDE = 480


def build(studio: Studio, controls: Controls) -> Tab:
    """The lesson; its last button opens the file chooser with AMF and CS on."""
    shown = widgets.lesson(elem_id="lesson")

    def show(look: Look) -> Answer:
        return {shown: value(look)}

    def wire() -> list[Dependency]:
        switches = [controls["amf"], controls["cs"]]
        return [shown.submit(fn=None, js="() => [true, true]", outputs=switches, **QUIET)]

    return Tab(outputs=[shown], show=show, wire=wire, own=lesson.REQUEST)


def value(look: Look) -> Json:
    """The cover and every step; ``look`` is the lesson's own."""
    numbers = lesson.measure(look)
    return {
        "kind": "lesson",
        "pages": [_page(look, step, numbers) for step in (lesson.COVER, *lesson.STEPS)],
    }


def _page(look: Look, step: Step, numbers: dict[str, str]) -> Json:
    return {
        "title": step.title,
        "text": step.text.format_map(numbers),
        "question": step.question.format_map(numbers),
        "options": [option.format_map(numbers) for option in step.options],
        "right": lesson.right(look, step),
        "answer": step.answer.format_map(numbers),
        "before": [_figure(look, figure, numbers) for figure in step.before],
        "after": [_figure(look, figure, numbers) for figure in step.after],
    }


def _figure(look: Look, figure: Figure, numbers: dict[str, str]) -> Json:
    """A picture by its name among what the browser fetches, or norms to draw."""
    caption = figure.caption.format_map(numbers)
    if figure.kind == "norms":
        values = lesson.stripes()["norms"] if figure.of == "theirs" else _planted_norms(look)
        return {"norms": values, "caption": caption}

    def draw() -> Blob:
        if figure.kind == "matrix":
            path = assets.path("learn", f"stripes-{figure.of}.webp")
            return Blob(path.read_bytes(), "image/webp")
        image = look.picture.image
        picture = render.fit(image, SIDE)
        if figure.kind == "mask":
            mask = lesson.mask(look, figure.of)
            picture = render.overlay(image, mask.labels, mask.names, max_side=SIDE)
        return Blob(render.saved(picture, "WEBP", quality=84), "image/webp")

    key = ("lesson", look.bare.backbone.digest, figure.kind, figure.of)
    return {"picture": STORE.offer(key, draw), "caption": caption}


def _planted_norms(look: Look) -> list[float]:
    """The norms of the first block that the simulation changes."""
    planted = norms.report(look.changed(plant=True)).norms_before
    first = look.settings.planted_blocks(len(planted))[0]
    return [round(float(norm), 4) for norm in planted[first]]
