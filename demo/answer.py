"""The page's one event: from its inputs to those outputs that are visible and have changed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from errno import ENOSPC
from typing import Any

import torch

from demo import address, backbones, compare, diagram, segment, share
from demo.gate.files import GONE
from demo.scene import LOCK, Photo, Scene
from demo.settings import Settings
from gclip_core import GclipError

SEGMENT, HOW, COMPARE, SHARE = ("segment",), ("how",), ("compare",), ("share",)

IN_VIEW = ("block", "head", "enlarged")
"""Settings that select what is shown."""
MASK = ("words", "nearest", "templates", "logit_scale", "threshold", "refine")
MASK += ("background", "background_weight")
"""Settings that change masks but nothing in the tower."""
REFUSALS = GclipError, MemoryError, OSError, torch.OutOfMemoryError
"""Errors that a visitor sees as a message."""


@dataclass(frozen=True)
class View:
    """An output: the tabs that show it, how it is computed, settings that do not change it, and its
    value without a photo.

    Leaving ``ignores`` empty is always safe: the output is then recomputed on every change.
    """

    tabs: tuple[str, ...]
    make: Callable[[Scene], Any]
    ignores: tuple[str, ...] = ()
    empty: Any = None

    def key(self, scene: Scene) -> tuple:
        """The photo and the settings that the value depends on."""
        values = (value for name, value in scene.settings if name not in self.ignores)
        return scene.photo.digest, *values


VIEWS = {
    "attention_text": View(SEGMENT, segment.attention_text),
    "norms_text": View(SEGMENT, segment.norms_text),
    "canvas": View(SEGMENT, segment.canvas, IN_VIEW),
    "canvas.looks": View(SEGMENT, segment.looks, (*MASK, *IN_VIEW)),
    "attention": View(SEGMENT, segment.attention, ("amf", *MASK, *IN_VIEW)),
    "norms": View(SEGMENT, segment.norms, ("amf", "head", "enlarged", *MASK)),
    "chips": View(
        address.TABS, segment.chips, ("amf", "cs", "background", "background_weight", *IN_VIEW)
    ),
    "diagram": View(HOW, diagram.words, IN_VIEW),
    "diagram.tower": View(HOW, diagram.tower, (*MASK, *IN_VIEW)),
    "diagram.closer": View(HOW, diagram.closer, ("enlarged", *MASK)),
    "masks": View(COMPARE, compare.mask_strip, ("block", "head")),
    "large": View(COMPARE, compare.large, ("block", "head")),
    "large.visible": View(COMPARE, compare.is_pressed, empty=False),
    "compare_note": View(COMPARE, compare.note),
    "table": View(COMPARE, compare.table, IN_VIEW),
    "address": View(address.TABS, address.to_browser),
    "include_photo.visible": View(SHARE, lambda scene: scene.photo.example is None, empty=False),
    "link_note": View(SHARE, share.note),
    "python": View(SHARE, share.python),
}
"""Outputs in the order of computation: the value of a component of the page, or a property."""


@dataclass(frozen=True)
class Seen:
    """What a visitor's page shows, and the key of each output that was sent to it."""

    backbone: str = ""
    photo: Photo | None = None
    lost: str = ""  # why the photo of an address is missing
    words: str = ""
    filled: str = ""  # the last words that the page filled in
    undo: str = ""  # typed words that others have replaced
    answers: int = 0
    keys: Mapping[str, tuple] = field(default_factory=dict)

    def with_words(self, words: str, filled: str) -> "Seen":
        """The state after an answer with ``words``, of which the page filled in ``filled``."""
        lost = {*words_of(self.words)} - {*words_of(words)}
        undo = self.words if lost and self.words != self.filled else self.undo
        return replace(self, words=words, filled=filled, undo="" if undo == words else undo)


def words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def available(seen: Seen, settings: Settings) -> Settings:
    """These settings, but with the current backbone while the chosen one needs a download."""
    if backbones.is_here(settings.backbone):
        return settings
    return settings.with_values(backbone=seen.backbone or backbones.HOST.backbone)


def answer(seen: Seen, tab: str, path: str | None, *values: Any) -> Iterator[dict[str, Any]]:
    """Yields outputs by name, including the updated ``seen``; the mask first, then all of them.

    A new photo gets its own words, unless other words are sent with it; typed words are then one
    chip away. While the chosen backbone needs a download, the page keeps the previous one and
    offers the download.

    Raises GclipError if the photo or a setting cannot be used; the page keeps what it shows.
    Raises FileNotFoundError if the photo was deleted.
    """
    chosen = Settings.read(values)
    settings = available(seen, chosen)
    fetch = chosen.backbone if settings.backbone != chosen.backbone else ""
    part: dict[str, Any] = {"fetch.visible": bool(fetch), "fetch_text": backbones.offer(fetch)}
    if path is None:
        if seen.photo is None:
            part |= {name: view.empty for name, view in VIEWS.items()}
            part |= {"canvas": {"lost": seen.lost}, "seen": replace(seen, keys={})}
        yield part
        return
    photo, came = Photo.of(path), settings.words.strip()
    is_other = seen.photo not in (None, photo)
    with LOCK:
        scene = Scene(photo, settings)
        if not came or (is_other and came == seen.words):
            scene = scene.with_settings(words="")
        scene = scene.with_words()
    words = scene.settings.words
    filled = seen.filled
    if is_other or seen.photo is None or words.strip() != seen.words:
        filled = words if words == scene.own_words else ""
    before = seen.undo
    answers = seen.answers + 1
    seen = replace(seen, backbone=settings.backbone, photo=photo, answers=answers)
    seen = seen.with_words(words.strip(), filled.strip())
    if seen.undo != before:
        part["undo"] = segment.undo(seen.undo)
    # A number makes it new even where the words are the same.
    part["filled"] = json.dumps([answers, words, bool(filled)])
    made: dict[str, Any] = {}
    for name, view in VIEWS.items():
        key = view.key(scene)
        if tab in view.tabs and seen.keys.get(name) != key:
            with LOCK:
                made[name] = view.make(scene)
            seen = replace(seen, keys={**seen.keys, name: key})
            if name == "canvas":
                yield part | made | {"seen": seen}
    # Repeats what was sent: a busy browser shows only the last of several simultaneous updates.
    yield part | made | {"seen": seen}


def sentence(error: Exception | str) -> str:
    """The message to the visitor for one of REFUSALS."""
    if isinstance(error, FileNotFoundError):
        return GONE
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "Not enough memory for this request. Try a smaller photo, or try again later."
    if isinstance(error, OSError):
        why = "disk is full" if error.errno == ENOSPC else "server could not read or write a file"
        return f"The {why}. Try again later."
    return str(error)
