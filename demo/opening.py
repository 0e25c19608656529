"""What the page opens on: a photo on which, with a fault planted, AMF and CS both show."""

import contextlib
import threading
from operator import attrgetter

from demo.answer import Question, compute, known_words, mask, resolve
from demo.engine import Engine, Request
from demo.settings import Settings
from demo.wording import percent
from evaluation.photos import star_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.registry import BUILT_IN

PHOTO = "china"
SAME = attrgetter("source", "example", "words", "plant", "method")
"""The settings that make a request the opening's, whatever its switches are."""


def first(backbone: Backbone) -> Settings:
    """What a visitor sees first; real CLIPs need no simulated fault."""
    words, plant = known_words(backbone, star_photos()[PHOTO].text), backbone.name == BUILT_IN
    return Settings(example=PHOTO, words=words, plant=plant)


def remark(engine: Engine, question: Question) -> str:
    """The sentence under the opening picture; empty for any other."""
    opening = first(question.scene.clean.backbone)
    if not opening.plant or SAME(question.settings) != SAME(opening):
        return ""
    switched = question.switched
    masks = {switches: mask(engine, question, method) for switches, method in switched.items()}
    scores = {switches: percent(one.miou or 0.0) for switches, one in masks.items()}
    return (
        f"With the simulated fault mIoU is {scores[False, False]} without AMF and CS, "
        f"{scores[True, False]} with AMF, {scores[False, True]} with CS, {scores[True, True]} "
        "with both."
    )


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
            remark(engine, question)

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread
