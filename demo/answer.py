"""Answers: each piece of what a tab shows, as a pure function of a photo and settings."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from demo import backbones, canvas, compare, diagram, lessons, segment, share
from demo.photo import EXAMPLES, Photo
from demo.scene import SWITCHES, Scene
from demo.settings import Settings

PHOTO = "photo", "backbone", "short_side"
TEXT = "words", "nearest", "templates", "shown"
IDEAS = *PHOTO, "amf_blocks", "n_fused", "global_threshold", "cs_blocks", "channel_threshold"
SCORING = "marks", "logit_scale", "threshold", "refine", "background", "background_weight"
MASKS = *IDEAS, *TEXT, *SCORING
"""What the masks of all methods depend on."""


@dataclass(frozen=True)
class Piece:
    """A part of an answer: the tabs that show it (() for all), how it is computed, and the settings
    that it ``uses``; a change of any other one leaves it valid.

    Its value is a list with one for each state of its ``switches``, so a press of a switch needs
    no request.
    """

    tabs: tuple[str, ...]
    make: Callable[[Scene], Any]
    uses: tuple[str, ...]
    switches: tuple[str, ...] = ()


PIECES = {
    "words": Piece((), segment.words, (*PHOTO, "words")),
    "canvas": Piece(("segment", "how", "share"), canvas.canvas, (*MASKS, "method")),
    "chips": Piece(("segment",), segment.chips, (*PHOTO, *TEXT, "marks")),
    "embeddings": Piece(("segment",), segment.embeddings, (*PHOTO, *TEXT, "marks")),
    "matrices": Piece(("segment",), segment.matrices, (*IDEAS, "method")),
    "attention_text": Piece(("segment",), segment.attention_text, (*IDEAS, "method"), ("amf",)),
    "attention": Piece(("segment",), segment.attention, (*IDEAS, "method"), ("cs",)),
    "norms": Piece(("segment",), segment.norms, (*IDEAS, "method", "block"), ("cs",)),
    "patches": Piece(("how",), diagram.patches, (*MASKS, "method"), SWITCHES),
    "tower": Piece(("how",), diagram.tower, (*IDEAS, "method"), ("cs",)),
    "detail": Piece(("how",), diagram.detail, (*IDEAS, "method", "block", "head"), ("cs",)),
    "methods": Piece(("compare",), compare.methods, MASKS),
    "large": Piece(("compare",), compare.large, (*MASKS, "enlarged")),
    "python": Piece(("share",), share.python, (*MASKS, "method"), SWITCHES),
}
PIECES |= {
    f"lesson {name}": Piece(("learn",), lambda _, name=name: lessons.step(name), ())
    for name in lessons.LESSONS
}
"""The pieces in the order in which they are computed."""


def steps(scene: Scene, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Computes what takes long for these pieces; yields an empty message after each part of it, so
    that others have a turn between."""
    scene = scene.with_words()
    yield from scene.embedding_steps()
    if "methods" in names or "large" in names:
        yield from compare.steps(scene)


def answered(scene: Scene, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The named pieces, each as soon as it is computed, in the order of PIECES.

    A piece that follows switches is a list with a value for each of their states. The state that is
    shown comes first, the others after all pieces; None stands for a value of another message.
    The messages of ``steps`` come first. Raises what a piece raises.
    """
    scene = scene.with_words()
    yield from steps(scene, names)
    shown, others = [], []
    for name, one in PIECES.items():
        if name in names:
            states = scene.states(one.switches)
            bits = sum(getattr(scene.settings, s) << i for i, s in enumerate(one.switches))
            now = states[bits % len(states)]  # cuts off idle switches: see ``ideas``
            shown.append((name, now, states))
            others += [(name, state, states) for state in states if state is not now]
    for name, state, states in shown + others:
        value, switches = PIECES[name].make(state), PIECES[name].switches
        yield {name: [value if one is state else None for one in states] if switches else value}


def warm(is_busy: Callable[[], Any], is_ending: Callable[[], bool]) -> None:
    """Computes what the tab Segment shows of the examples, in the order of the page, and gives way
    to visitors after every step."""
    names = [name for name, piece in PIECES.items() if "segment" in piece.tabs]
    for example in EXAMPLES:
        scene = Scene(Photo.of_example(example), Settings(backbone=backbones.HOST.backbone))
        for _ in answered(scene, names):
            while is_busy() and not is_ending():
                time.sleep(0.05)
            if is_ending():
                return
