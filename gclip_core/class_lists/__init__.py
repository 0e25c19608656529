"""Class lists: the official name of every class, and the phrases it is looked for by."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gclip_core.errors import EvaluationError

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ClassName:
    """One class: its official name, and the phrases given to the text tower."""

    name: str
    phrases: tuple[str, ...]


def read(path: Path) -> tuple[ClassName, ...]:
    """Read a class list of one's own; an EvaluationError where there is none."""
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"A class list was expected at {path}, but {error}.") from error


def shipped(name: str) -> tuple[ClassName, ...]:
    """The shipped class list of that name, for example ``"voc20"``."""
    return read(_FOLDER / f"{name}.txt")


def synonyms(name: str) -> dict[str, tuple[str, ...]]:
    """A shipped table of synonyms by word; one synonym may stand there for several words."""
    text = (_FOLDER / f"{name}.txt").read_text("utf-8")
    return {one.name: one.phrases for one in _lines(text, name)}


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
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        name, _, rest = line.partition(":")
        phrases = tuple(filter(None, (part.strip() for part in (rest or name).split(";"))))
        if not name.strip() or not phrases:
            raise EvaluationError(
                f"'name: phrase; phrase' was expected in {where}, but '{line}' came."
            )
        yield ClassName(name.strip(), phrases)
