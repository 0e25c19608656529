"""Answers: each piece of what a tab shows, as a pure function of a photo and settings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from typing import Any

import torch

from demo import compare, diagram, lessons, segment, share
from demo.scene import SWITCHES, Scene
from demo.settings import Settings
from gclip_core import GclipError

IN_VIEW = "block", "head", "enlarged"
"""Settings that select what is shown."""
SCORING = "logit_scale", "threshold", "refine", "background", "background_weight"
OF_WORDS = "templates", "marks", "shown"
MASK = ("words", "nearest", *OF_WORDS, *SCORING)
"""Settings that change masks but nothing in the tower."""
OF_IDEAS = "amf_blocks", "n_fused", "global_threshold", "cs_blocks", "channel_threshold"
BEYOND_WORDS = (*SWITCHES, *IN_VIEW, *SCORING, *OF_IDEAS, "method")
"""What does not change what the photo shows, nor how the model reads the words."""
REFUSALS = GclipError, MemoryError, OSError, torch.OutOfMemoryError
"""Errors that a visitor sees as a message."""
GONE = "This photo is no longer on the server. Upload it again."


@dataclass(frozen=True)
class Piece:
    """A part of an answer: the tabs that show it ("" for all), how it is computed, and settings
    that do not change it.

    Leaving ``ignores`` empty is always safe: the piece is then asked for on every change. Only for
    a press of a switch nothing is asked: it has a value for each state of those that it follows.
    """

    tabs: str
    make: Callable[[Scene], Any]
    ignores: tuple[str, ...] = ()

    @property
    def switches(self) -> tuple[str, ...]:
        """The switches that it follows."""
        return tuple(switch for switch in SWITCHES if switch not in self.ignores)


PIECES = {
    "words": Piece("", segment.words, (*BEYOND_WORDS, *OF_WORDS)),
    "canvas": Piece("segment how share", segment.canvas, (*SWITCHES, *IN_VIEW)),
    "chips": Piece("segment", segment.chips, (*BEYOND_WORDS, "marks")),
    "embeddings": Piece(
        "segment", segment.embeddings, (*SWITCHES, *IN_VIEW, "background", "method")
    ),
    "matrices": Piece("segment", segment.matrices, (*SWITCHES, *MASK, *IN_VIEW)),
    "attention_text": Piece("segment", segment.attention_text, ("cs", *MASK, *IN_VIEW)),
    "attention": Piece("segment", segment.attention, ("amf", *MASK, *IN_VIEW)),
    "norms": Piece("segment", segment.norms, ("amf", *MASK, "head", "enlarged")),
    "patches": Piece("how", diagram.patches, IN_VIEW),
    "tower": Piece("how", diagram.tower, ("amf", *MASK, *IN_VIEW)),
    "detail": Piece("how", diagram.detail, ("amf", *MASK, "enlarged")),
    "methods": Piece("compare", compare.methods, (*SWITCHES, *IN_VIEW, "method")),
    "large": Piece("compare", compare.large, (*SWITCHES, "block", "head", "method")),
    "python": Piece("share", share.python, IN_VIEW),
}
ALL = ("photo", *Settings.model_fields)
PIECES |= {
    f"lesson {name}": Piece("learn", lambda _, name=name: lessons.step(name), ALL)
    for name in lessons.LESSONS
}
"""The pieces in the order in which they are computed."""


def answered(scene: Scene, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The named pieces, each as soon as it is computed, in the order of PIECES.

    A piece that follows switches is a list with a value for each of their states. The state that is
    shown comes first, the others after all pieces; None stands for a value of another message.
    Raises one of REFUSALS if a piece cannot be computed.
    """
    scene = scene.with_words()
    shown, others = [], []
    for name, one in PIECES.items():
        if name in names:
            states = scene.states(one.switches)
            bits = sum(getattr(scene.settings, s) << i for i, s in enumerate(one.switches))
            now = bits % len(states)  # an idle switch has no state of its own
            for n, state in enumerate(states):
                (shown if n == now else others).append((name, one, n, len(states), state))
    for name, one, n, count, state in shown + others:
        value = one.make(state)
        yield {name: [value if i == n else None for i in range(count)] if one.switches else value}


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
