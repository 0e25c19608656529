"""What the page opens on: a photo where AMF shows; and what a planted fault does to each switch."""

import contextlib
import threading

from demo.answer import compute, known_words, resolve
from demo.engine import Engine
from demo.request import Question, Request
from demo.settings import Settings
from demo.variants import Switches
from evaluation.photos import star_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError

PHOTO = "flower"


def first(backbone: Backbone) -> Settings:
    """What a visitor sees first: the model as it is, without a simulated fault."""
    return Settings(example=PHOTO, words=known_words(backbone, star_photos()[PHOTO].text))


def repair(engine: Engine, question: Question) -> dict[Switches, float]:
    """mIoU, 0 to 1, of a planted fault under each of the switches (AMF, CS).

    Empty without a fault, without truth, or for a method without these switches.
    """
    planted, switched = question.scene.segmenter.backbone.planted, question.switched
    if not planted or not question.chosen.switchable:
        return {}
    masks = {on: engine.segment(question, switched[on]) for on in switched}
    return {on: mask.miou for on, mask in masks.items() if mask.miou is not None}


def work_out(engine: Engine) -> threading.Thread | None:
    """Make the opening's answer in the background: the first visitor then finds it made.

    None where encodings are made elsewhere, for a request only.
    """
    if not engine.encodes_here:
        return None

    def work() -> None:
        # An error is shown to the visitor who asks for it.
        with contextlib.suppress(GclipError, MemoryError):
            question = resolve(engine, Request(first(engine.default)))
            compute(engine, question)

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread
