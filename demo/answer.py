"""The one event: from what the page sends to what it gets, only what is open and has changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from demo import diagram, lessons, scene, views
from demo.scene import Photo, Scene
from demo.settings import Settings

TOWER = ("backbone", "size", "window", "stride", "cs", "cs_blocks", "target", "outlier")
METHOD = (*TOWER, "method", "amf", "amf_blocks", "fused", "tokens")
WORDS = ("backbone", "words", "nearest", "templates")
MASK = (*METHOD, *WORDS, "background", "weight", "edges", "threshold", "scale")
SWITCHES = ("backbone", "method", "outlier")
EVERY = "segment how compare learn share"


@dataclass(frozen=True)
class View:
    """An output: the tabs that show it, how it is made, and the settings that it depends on."""

    tabs: str
    make: Callable[[Scene], Any]
    needs: tuple[str, ...]

    def key(self, scene: Scene) -> tuple:
        """What its value depends on."""
        return scene.photo.digest, *(getattr(scene.settings, name) for name in self.needs)


VIEWS = {
    "canvas": View("segment", views.canvas, MASK),
    "looks": View("segment", views.looks, METHOD),
    "amf": View(EVERY, partial(views.switch, idea="AMF"), SWITCHES),
    "amf_idle": View(EVERY, partial(views.idle, idea="AMF"), SWITCHES),
    "cs": View(EVERY, partial(views.switch, idea="CS"), SWITCHES),
    "cs_idle": View(EVERY, partial(views.idle, idea="CS"), SWITCHES),
    "cs_link": View(EVERY, views.cs_link, ("backbone", "outlier")),
    "attention_text": View("segment", views.attention_text, METHOD),
    "attention": View("segment", views.attention, METHOD),
    "norms_text": View("segment", views.norms_text, (*TOWER, "block")),
    "norms": View("segment", views.norms, (*TOWER, "block")),
    "chips": View(EVERY, views.chip_strip, WORDS),
    "diagram": View("how", diagram.words, MASK),
    "tower": View("how", diagram.tower, METHOD),
    "closer": View("how", diagram.closer, (*TOWER, "block", "head")),
    "masks": View("compare", views.masks, (*MASK, "row")),
    "large": View("compare", views.large, (*MASK, "row")),
    "compare_note": View("compare", views.compare_note, MASK),
    "table": View("compare", views.table, MASK),
    **{
        f"lesson {step}": View("learn", partial(lessons.before, step=step), ())
        for step in range(len(lessons.LESSONS))
    },
    "link": View("share", views.link, tuple(Settings.model_fields)),
    "link_note": View("share", views.link_note, ()),
    "python": View("share", views.python, MASK),
    "shared": View("share", views.shared, MASK),
}
"""Outputs by name, in the order in which they are made."""


def answer(seen: dict, tab: str, path: str | None, *values: Any) -> Iterator[dict[str, Any]]:
    """Outputs by name. ``seen`` is what the visitor's page has, and comes back updated.

    Words that the page filled in are filled in anew; what a person typed stays. While a backbone
    is not on this machine, the page keeps the one before and offers to fetch it.

    Raises:
        GclipError: a photo or settings that cannot be used; the page keeps what it shows.
    """
    settings = Settings.read(values)
    fetch = "" if scene.is_here(settings.backbone) else settings.backbone
    part: dict[str, Any] = {"fetch": views.fetch_group(fetch), "fetch_text": scene.offer(fetch)}
    if fetch:
        settings = settings.changed(backbone=seen.get("backbone", scene.HOST.backbone))
    if path is None:
        yield part
        return
    typed = settings.words.strip()
    if typed == seen.get("filled"):
        settings = settings.changed(words="")
    seen = seen | {"backbone": settings.backbone}
    with scene.LOCK:
        current = Scene(Photo.of(path), settings).with_words()
        if current.settings.words != settings.words:
            seen["filled"] = current.settings.words
        if current.settings.words != values[0]:
            part["words"] = current.settings.words
    for name, view in VIEWS.items():
        key = view.key(current)
        if tab in view.tabs.split() and seen.get(name) != key:
            with scene.LOCK:
                value = view.make(current)
            seen = seen | {name: key}
            yield part | {name: value, "seen": seen}
            part = {}
    yield part | {"seen": seen}
