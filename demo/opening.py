"""What the page opens on: a photo on which, with a fault planted, AMF and CS both show."""

import contextlib
import threading
from operator import attrgetter

from demo.look import Look, Request, Studio, known_words
from demo.settings import Settings
from demo.variants import SWITCHED
from demo.wording import percent
from evaluation.photos import star_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.registry import BUILT_IN

PHOTO = "china"


def first(backbone: Backbone) -> Settings:
    """What a visitor sees first; real CLIPs need no simulated fault."""
    words, plant = known_words(backbone, star_photos()[PHOTO].text), backbone.name == BUILT_IN
    return Settings(example=PHOTO, words=words, plant=plant)


def remark(look: Look) -> str:
    """The sentence under the opening picture; empty for any other."""
    first_look = first(look.bare.backbone)
    same = attrgetter("source", "example", "words", "plant", "method")
    if not first_look.plant or same(look.settings) != same(first_look):
        return ""
    masks = (look.mask(look.ablation(*on)) for on in ((False, False), *SWITCHED.values()))
    neither, amf, cs, both = (percent(mask.miou or 0.0) for mask in masks)
    scores = f"{neither} without AMF and CS, {amf} with AMF, {cs} with CS, {both} with both"
    return f"With the simulated fault mIoU is {scores}."


def work_out(studio: Studio) -> threading.Thread | None:
    """Make the opening's answer in the background: the first visitor then finds it made.

    None where encodings are made elsewhere, for a request only.
    """
    if not studio.encodes_here:
        return None

    def work() -> None:
        # An error is shown to the visitor who asks for it.
        with contextlib.suppress(GclipError, MemoryError):
            look = studio.look(Request(first(studio.default)))
            look.read()  # what takes longest first, while imports keep one core alone
            remark(look)
            look.mask(look.chosen)

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread
