"""What the page opens on: an example photo, and its answer made while the page starts."""

import contextlib
import threading

from demo import variants
from demo.look import Look, Request, Studio
from demo.settings import Settings
from evaluation.photos import star_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError

PHOTO = "dog"


def first(backbone: Backbone) -> tuple[Settings, str]:
    """What a visitor sees first, and a sentence on why."""
    return Settings(example=PHOTO, words=star_photos()[PHOTO].text), ""


def work_out(studio: Studio) -> threading.Thread | None:
    """Make the opening's answer in the background: the first visitor then finds it made.

    None where encodings are made elsewhere, for a request only.
    """
    if not studio.encodes_here:
        return None

    def work() -> None:
        # What goes wrong is told to the visitor who asks for it.
        with contextlib.suppress(GclipError, MemoryError):
            look = studio.look(Request(first(studio.default)[0]))
            look.read()  # what takes longest first, while imports keep one core alone
            for method in (variants.ablation(look.settings, False, False), look.chosen):
                look.mask(method)

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread


def look_at(studio: Studio, settings: Settings) -> Look:
    """A look at a picture with the words it comes with."""
    bare = settings.changed(words="")
    return studio.look(Request(bare.changed(words=studio.picture(bare).words)))
