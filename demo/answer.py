"""The one event: from what the page sends to what it gets, only what is open and has changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from demo import backbones, diagram, lessons, views
from demo.scene import LOCK, Photo, Scene
from demo.settings import Settings

SEGMENT, HOW, COMPARE, LEARN, SHARE = ("segment",), ("how",), ("compare",), ("learn",), ("share",)
EVERY_TAB = SEGMENT + HOW + COMPARE + LEARN + SHARE

ENCODING = ("backbone", "size", "window", "stride")
TOWER = (*ENCODING, "cs", "cs_blocks", "target", "outlier")
FUSION = (*TOWER, "amf_blocks", "fused", "tokens")
METHOD = (*FUSION, "method", "amf")
WORDS = ("backbone", "words", "nearest", "templates")
MASK = (*METHOD, *WORDS, "background", "weight", "edges", "threshold", "scale")
SWITCHES = ("backbone", "method", "outlier")


@dataclass(frozen=True)
class View:
    """An output: the tabs that show it, how it is made, and the settings that it depends on."""

    tabs: tuple[str, ...]
    make: Callable[[Scene], Any]
    needs: tuple[str, ...]

    def key(self, scene: Scene) -> tuple:
        """The photo and settings that its value depends on; without settings, no photo either."""
        values = tuple(getattr(scene.settings, name) for name in self.needs)
        return (scene.photo.digest, *values) if values else ()


VIEWS = {
    "canvas": View(SEGMENT, views.canvas, MASK),
    "looks": View(SEGMENT, views.looks, METHOD),
    "amf": View(EVERY_TAB, partial(views.switch, idea="AMF"), SWITCHES),
    "amf_idle": View(EVERY_TAB, partial(views.idle, idea="AMF"), SWITCHES),
    "cs": View(EVERY_TAB, partial(views.switch, idea="CS"), SWITCHES),
    "cs_idle": View(EVERY_TAB, partial(views.idle, idea="CS"), SWITCHES),
    "cs_link": View(EVERY_TAB, views.cs_link, ("backbone", "outlier")),
    "attention_text": View(SEGMENT, views.attention_text, FUSION),
    "attention": View(SEGMENT, views.attention, FUSION),
    "norms_text": View(SEGMENT, views.norms_text, (*TOWER, "block")),
    "norms": View(SEGMENT, views.norms, (*TOWER, "block")),
    "chips": View(EVERY_TAB, views.chip_strip, (*WORDS, *ENCODING)),
    "diagram": View(HOW, diagram.words, MASK),
    "tower": View(HOW, diagram.tower, METHOD),
    "closer": View(HOW, diagram.closer, (*METHOD, "block", "head")),
    "masks": View(COMPARE, views.mask_strip, (*MASK, "row")),
    "large": View(COMPARE, views.large, (*MASK, "row")),
    "compare_note": View(COMPARE, views.compare_note, MASK),
    "table": View(COMPARE, views.table, MASK),
    **{
        f"lesson {step}": View(LEARN, lambda _, step=step: lessons.before(step), ())
        for step in range(len(lessons.LESSONS))
    },
    "address": View(EVERY_TAB, views.link, tuple(Settings.model_fields)),
    "link": View(SHARE, views.link, tuple(Settings.model_fields)),
    "link_note": View(SHARE, views.link_note, tuple(Settings.model_fields)),
    "python": View(SHARE, views.python, MASK),
    "shared": View(SHARE, views.shared, MASK),
}
"""Outputs by name, in the order in which they are made."""


def available(seen: dict, settings: Settings) -> Settings:
    """These settings; with the backbone that the page shows while the chosen one is not here."""
    if backbones.is_here(settings.backbone):
        return settings
    return settings.with_values(backbone=seen.get("backbone", backbones.HOST.backbone))


def answer(seen: dict, tab: str, path: str | None, *values: Any) -> Iterator[dict[str, Any]]:
    """Outputs by name. ``seen`` is what the visitor's page has, and comes back updated.

    Words that the page filled in are filled in anew; what a person typed stays. While a backbone
    is not on this machine, the page keeps the one before and offers to fetch it. If this server
    never opened the page (it was started anew), it does not know the open tab: all are answered,
    until a person opens another.

    Raises:
        GclipError: a photo or settings that cannot be used; the page keeps what it shows.
    """
    chosen = Settings.read(values)
    settings = available(seen, chosen)
    fetch = chosen.backbone if settings.backbone != chosen.backbone else ""
    part: dict[str, Any] = {"fetch": views.fetch_group(fetch), "fetch_text": backbones.offer(fetch)}
    if path is None:
        yield part
        return
    typed = settings.words.strip()
    if typed == seen.get("filled"):
        settings = settings.with_values(words="")
    with LOCK:
        scene = Scene(Photo.of(path), settings).with_words()
        filled = scene.settings.words if scene.settings.words != settings.words else None
        seen = seen | {"backbone": settings.backbone, "filled": filled}
        if scene.settings.words != values[0]:
            part["words"] = scene.settings.words
    if tab not in SEGMENT:  # a person opened it: from now on it is known which one is open
        seen = seen | {"opened": True}
    made: dict[str, Any] = {}
    for name, view in VIEWS.items():
        key = view.key(scene)
        if (tab in view.tabs or "opened" not in seen) and seen.get(name) != key:
            with LOCK:
                made[name] = view.make(scene)
            seen = seen | {name: key}
            if len(made) == 1 and "words" not in part:
                # The mask, before the rest is made; words are set once.
                yield part | made | {"seen": seen}
    # With what was sent: a busy browser shows only the last of several values that come at once.
    yield part | made | {"seen": seen}
