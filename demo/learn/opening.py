"""What the page opens on: a photo on which, with a fault planted, AMF and CS both show.

``python -m demo.learn.opening`` prints what each switch does on every example, with the simulated
fault and without it: the photo was chosen from that table.
"""

import contextlib
import sys
import threading
from collections.abc import Mapping

from demo import variants, wording
from demo.look import Look, Request, Studio, known_words
from demo.settings import Settings
from evaluation.photos import star_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.registry import BUILT_IN

PHOTO = "china"
SWITCHES = {"neither": (False, False), "AMF": (True, False), "CS": (False, True),
            "both": (True, True)}  # fmt: skip


def first(backbone: Backbone) -> Settings:
    """What a visitor sees first; real CLIPs need no simulated fault."""
    words, plant = known_words(backbone, star_photos()[PHOTO].text), backbone.name == BUILT_IN
    return Settings(example=PHOTO, words=words, plant=plant)


def scores(look: Look, plant: bool) -> Mapping[str, float]:
    """mIoU on a look's picture with neither switch, each and both."""
    at = look.changed(plant=plant)
    methods = {name: variants.ablation(at.settings, *on) for name, on in SWITCHES.items()}
    return {name: at.mask(method).miou or 0.0 for name, method in methods.items()}


def remark(look: Look) -> str:
    """The sentence under the opening picture; empty for any other."""
    first_look = first(look.bare.backbone)
    same = ("source", "example", "words", "plant", "method")
    if not first_look.plant or any(
        getattr(look.settings, name) != getattr(first_look, name) for name in same
    ):
        return ""
    return wording.opened(scores(look, plant=True))


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


def main() -> int:
    """Print what AMF and CS do on every example."""
    studio = Studio()
    print(f"{'':12}" + "".join(f"{name:>9}" for _ in range(2) for name in SWITCHES))
    print(f"{'mIoU':12}{'simulated fault':>36}{'no simulation':>36}")
    for name, photo in star_photos().items():
        look = studio.look(Request(Settings(example=name, words=photo.text)))
        row = [score for plant in (True, False) for score in scores(look, plant).values()]
        print(f"{name:12}" + "".join(f"{100 * score:9.1f}" for score in row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
