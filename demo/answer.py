"""The one event: from what the page sends to what it gets, only what is open and has changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from demo import diagram, lessons, scene, views
from demo.scene import Photo, Scene
from demo.settings import Settings

TOWER = ("backbone", "size", "window", "stride", "cs", "cs_blocks", "target", "outlier")
FUSION = (*TOWER, "amf_blocks", "fused", "tokens")
METHOD = (*FUSION, "method", "amf")
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
    "attention_text": View("segment", views.attention_text, FUSION),
    "attention": View("segment", views.attention, FUSION),
    "norms_text": View("segment", views.norms_text, (*TOWER, "block")),
    "norms": View("segment", views.norms, (*TOWER, "block")),
    "chips": View(EVERY, views.chip_strip, (*WORDS, "size", "window", "stride")),
    "diagram": View("how", diagram.words, MASK),
    "tower": View("how", diagram.tower, METHOD),
    "closer": View("how", diagram.closer, (*METHOD, "block", "head")),
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


def available(seen: dict, settings: Settings) -> Settings:
    """The same, but on the backbone that the page shows, while the chosen one is not here."""
    if scene.is_here(settings.backbone):
        return settings
    return settings.changed(backbone=seen.get("backbone", scene.HOST.backbone))


def answer(seen: dict, tab: str, path: str | None, *values: Any) -> Iterator[dict[str, Any]]:
    """Outputs by name. ``seen`` is what the visitor's page has, and comes back updated.

    Words that the page filled in are filled in anew; what a person typed stays. While a backbone
    is not on this machine, the page keeps the one before and offers to fetch it.

    Raises:
        GclipError: a photo or settings that cannot be used; the page keeps what it shows.
    """
    chosen = Settings.read(values)
    settings = available(seen, chosen)
    fetch = chosen.backbone if settings.backbone != chosen.backbone else ""
    part: dict[str, Any] = {"fetch": views.fetch_group(fetch), "fetch_text": scene.offer(fetch)}
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
    made: dict[str, Any] = {}
    for name, view in VIEWS.items():
        key = view.key(current)
        if tab in view.tabs.split() and seen.get(name) != key:
            with scene.LOCK:
                made[name] = view.make(current)
            seen = seen | {name: key}
            if len(made) == 1 and "words" not in part:
                yield part | made  # the mask, before the rest is made; words are set once
    # With what was sent: a busy browser shows only the last of several values that come at once.
    yield part | made | {"seen": seen}
