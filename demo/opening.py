"""What the page opens on: a photo where AMF shows."""

import contextlib
import threading

from demo.answer import compute, known_words, resolve
from demo.engine import Engine
from demo.request import Request
from demo.settings import Settings
from evaluation.photos import shipped_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError

PHOTO = "flower"


def settings(backbone: Backbone) -> Settings:
    """What a visitor sees first: the model as it is, without a simulated fault."""
    return Settings(example=PHOTO, words=known_words(backbone, shipped_photos()[PHOTO].text))


def compute_in_background(engine: Engine) -> threading.Thread | None:
    """Make the opening's answer in the background: the first visitor then finds it made.

    None where encodings are made elsewhere, for a request only.
    """
    if not engine.encodes_here:
        return None

    def work() -> None:
        # An error is shown to the visitor who asks for it.
        with contextlib.suppress(GclipError, MemoryError):
            question = resolve(engine, Request(settings(engine.default)))
            compute(engine, question)

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread
