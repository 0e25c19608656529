"""Class lists: the official name of every class, and the phrases it is looked for by."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import EvaluationError
from gclip_core import word_lists

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ClassName:
    """One class: its official name, and the phrases given to the text tower."""

    name: str
    phrases: tuple[str, ...]


BACKGROUND = ClassName("background", tuple(word_lists.read("background")))
"""The class of VOC21 and COCO-Object for whatever is no object."""


def read(path: Path) -> tuple[ClassName, ...]:
    """Read a class list of one's own; an EvaluationError where there is none."""
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"A class list was expected at {path}, but {error}.") from error


def shipped(name: str) -> tuple[ClassName, ...]:
    """The shipped class list of that name, for example ``"voc20"``."""
    return read(_FOLDER / f"{name}.txt")


def parse(text: str, where: str) -> tuple[ClassName, ...]:
    """Read a class list: ``name: phrase; phrase`` a line, or just ``name``; ``#`` comments."""
    return checked(tuple(_lines(text, where)), where)


def checked(classes: tuple[ClassName, ...], where: str) -> tuple[ClassName, ...]:
    """The same classes; an EvaluationError where there is none, or a name or phrase twice."""
    names = [c.name.casefold() for c in classes]
    phrases = [phrase.casefold() for c in classes for phrase in c.phrases]
    twice = [word for words in (names, phrases) for word in words if words.count(word) > 1]
    if not classes or twice:
        what = f"'{twice[0]}' stands there twice" if twice else "there is none"
        raise EvaluationError(f"One class a line was expected in {where}, but {what}.")
    return classes


def _lines(text: str, where: str) -> Iterator[ClassName]:
    for name, phrases in word_lists.entries(text):
        if not name:
            raise EvaluationError(
                f"'name: phrase; phrase' was expected in {where}, but a line without a name came."
            )
        yield ClassName(name, phrases or (name,))
