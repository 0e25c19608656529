"""Class lists: the official name of every class, and the phrases the text tower encodes for it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evaluation import EvaluationError
from gclip_core import lists


@dataclass(frozen=True)
class ClassName:
    """One class: its official name, and the phrases given to the text tower."""

    name: str
    phrases: tuple[str, ...]


BACKGROUND = ClassName("background", tuple(lists.read("background")))
"""The background class of VOC21 and COCO-Object: everything that is not one of their objects."""


@cache
def read(name: str) -> tuple[ClassName, ...]:
    """The class list of that name in this folder, for example ``"voc20"``, or at that path.

    A line is ``name: phrase; phrase`` or just ``name``; ``#`` starts a comment. Raises
    EvaluationError for a list without classes, a line without a name, and a phrase that occurs
    twice.
    """
    text = Path(__file__).parent.joinpath(f"{name}.txt").read_text("utf-8")
    classes = tuple(ClassName(name, words or (name,)) for name, words in lists.entries(text))
    if not classes or not all(c.name for c in classes):
        fault = "a line without a name" if classes else "no line"
        raise EvaluationError(
            f"The class list {name} has {fault}. Write one class a line: 'sofa: sofa; couch'."
        )
    phrases = [phrase.casefold() for c in classes for phrase in c.phrases]
    if twice := [phrase for phrase in phrases if phrases.count(phrase) > 1]:
        raise EvaluationError(
            f"'{twice[0]}' occurs twice in the class list {name}. Keep it in one class."
        )
    return classes
