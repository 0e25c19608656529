"""What the page opens on, chosen by measurement: a scene on which both switches show.

``python -m demo.learn.opening`` looks through scenes with the built-in model and writes
``assets/learn/opening.json``: the scene and switches, what each switch does there, and in the mean
over other scenes, so that one scene proves nothing. A model without an abnormal channel gets the
labelled simulation of one.
"""

import argparse
import contextlib
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from demo import variants, wording
from demo.look import Look, Request, Studio, changed_share
from demo.settings import Settings, from_query
from demo.views import learn as views
from demo.views import side
from gclip_core import assets
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.numbering import block_numbers
from gclip_core.photos import star_photos
from gclip_core.registry import BUILT_IN

FILE = "opening.json"
PHOTO = "chelsea"
"""The photo that the page opens on where nothing is baked."""
TRIED, MEAN_OF, FIRST_OF_MEAN = 60, 24, 20_000
LEAST_CHANGED, LEAST_MOVED = 0.05, 0.03
"""Of the pixels, and of mIoU: what a switch must do to be seen and to matter."""


@dataclass(frozen=True)
class Effect:
    """What a press of a switch does: share of pixels changed, mIoU without and with it."""

    changed: float
    off: float
    on: float

    @property
    def matters(self) -> bool:
        return self.changed >= LEAST_CHANGED and abs(self.on - self.off) >= LEAST_MOVED


def read(backbone: Backbone) -> tuple[Settings, dict[str, Any]] | None:
    """The opening baked for a backbone of these weights, and what was measured; None without."""
    try:
        baked = json.loads((assets.path("learn") / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    found = baked.get(backbone.name)
    if found is None or found["weights"] != backbone.digest:
        return None
    return from_query(found["query"])[0], found


def first(backbone: Backbone) -> tuple[Settings, str]:
    """What a visitor sees first, and a sentence on why.

    It is what was baked for the model, else a photo with both switches on and no simulation.
    """
    baked = read(backbone)
    if baked is not None:
        return baked[0], wording.opened(baked[1])
    words = star_photos()[PHOTO].text
    return Settings(source="example", example=PHOTO, words=words), ""


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
            side.see(look)

    thread = threading.Thread(target=work, name="opening", daemon=True)
    thread.start()
    return thread


def look_at(studio: Studio, settings: Settings) -> Look:
    """A look at a picture with the words it comes with."""
    bare = settings.changed(words="")
    return studio.look(Request(bare.changed(words=studio.sources.picture(bare).words)))


def means(studio: Studio, n: int = MEAN_OF) -> dict[str, Any]:
    """Mean mIoU over scenes that nothing was chosen by, in each state of opening and lesson."""
    found: dict[str, list[float]] = {}
    for number in range(n):
        scene = Settings(seed=FIRST_OF_MEAN + number, backbone=studio.default.name)
        look = look_at(studio, scene)
        switches = ((False, False), (False, True), (True, False))
        plain, cs, fused = (variants.ablation(look.settings, *on) for on in switches)
        own = views.has_own_fault(look.bare.backbone, look.settings.channel_threshold)
        ill = look if own else look.changed(plant=True)
        for state, at, method in (
            ("clip", look, METHODS["clip"]), ("clearclip", look, plain), ("amf", look, fused),
            ("healthy", look, cs if own else plain), ("sick", ill, plain), ("cured", ill, cs),
        ):  # fmt: skip
            score = at.mask(method).miou
            found.setdefault(state, []).append(np.nan if score is None else score)
    return {"scenes": n, **{state: float(np.nanmean(scores)) for state, scores in found.items()}}


def effects(studio: Studio, settings: Settings) -> tuple[Look, Effect, Effect]:
    """The look of these settings, and what AMF and CS do there, each pressed alone."""
    look = look_at(studio, settings)
    found = []
    for switch in ("amf", "cs"):
        states = ({"amf": settings.amf, "cs": settings.cs, switch: on} for on in (False, True))
        pair = [look.mask(variants.ablation(look.settings, **state)) for state in states]
        changed = changed_share(pair[0].labels, pair[1].labels)
        found.append(Effect(changed, pair[0].miou or 0.0, pair[1].miou or 0.0))
    return look, found[0], found[1]


def bake(tried: int = TRIED, mean_of: int = MEAN_OF) -> dict[str, Any]:
    """The opening of the built-in model, by measurement."""
    studio = Studio()
    backbone = studio.default
    own = any(ratio >= 2 for ratio in backbone.ratios[:-1])
    candidates = []
    for amf in (False, True):
        for seed in range(1, tried + 1):
            settings = Settings(seed=seed, amf=amf, cs=True, plant=not own)
            look, of_amf, of_cs = effects(studio, settings)
            score = of_cs.on  # the mask that a visitor sees first
            both = of_amf.matters and of_cs.matters
            candidates.append((both, score, look.settings, of_amf, of_cs))
    both, _, chosen, of_amf, of_cs = max(candidates, key=lambda one: one[:2])
    mean = means(studio, mean_of)
    return {
        "weights": backbone.digest,
        "query": chosen.to_query(),
        "both_matter": both,
        "tried": 2 * tried,
        "amf": asdict(of_amf),
        "cs": asdict(of_cs),
        "mean_of": mean_of,
        "mean_amf": {"off": mean["clearclip"], "on": mean["amf"]},
        "mean_cs": {"off": mean["sick"], "on": mean["cured"]},
        "simulation": not own,
        "blocks": list(block_numbers(chosen.planted_blocks(backbone.n_blocks))) if not own else [],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the opening of the built-in model, and print it."""
    parser = argparse.ArgumentParser(prog="python -m demo.learn.opening", description=__doc__)
    parser.add_argument("--scenes", type=int, default=TRIED, help="how many scenes are tried")
    parser.add_argument("--mean", type=int, default=MEAN_OF, help="how many the mean is over")
    given = parser.parse_args(arguments)
    made = {BUILT_IN: bake(given.scenes, given.mean)}
    text = json.dumps(made, indent=1) + "\n"
    (assets.path("README.md").parent / "learn" / FILE).write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
