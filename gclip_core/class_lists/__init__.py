"""Class lists: the official name of every class, and the phrases it is looked for by."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from gclip_core.errors import EvaluationError


@dataclass(frozen=True)
class ClassName:
    """One class: its official name, and the phrases given to the text tower."""

    name: str
    phrases: tuple[str, ...]


def parse(text: str, where: str) -> tuple[ClassName, ...]:
    """Read a class list: ``name: phrase; phrase`` a line, or just ``name``; ``#`` comments.

    Raises:
        EvaluationError: no class, a class without phrase, or one name or phrase twice.
    """
    return checked(_lines(text, where), where)


def checked(classes: tuple[ClassName, ...], where: str) -> tuple[ClassName, ...]:
    """The same classes; an EvaluationError where there is none, or a name or phrase twice."""
    names = [c.name.casefold() for c in classes]
    phrases = [phrase.casefold() for c in classes for phrase in c.phrases]
    twice = [word for words in (names, phrases) for word in words if words.count(word) > 1]
    if not classes or twice:
        what = f"'{twice[0]}' stands there twice" if twice else "there is none"
        raise EvaluationError(f"One class a line was expected in {where}, but {what}.")
    return classes


def read(path: Path) -> tuple[ClassName, ...]:
    """Read a class list from a file of one's own.

    Raises:
        EvaluationError: not there, no text, or not a class list.
    """
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"A class list was expected at {path}, but {error}.") from error


def shipped(name: str) -> tuple[ClassName, ...]:
    """The shipped class list of that name, for example ``"voc20"``."""
    return parse(_shipped_text(name), name)


def synonyms(name: str) -> dict[str, tuple[str, ...]]:
    """A shipped table of synonyms by word; one synonym may stand there for several words."""
    return {one.name: one.phrases for one in _lines(_shipped_text(name), name)}


def plain(classes: tuple[ClassName, ...]) -> tuple[ClassName, ...]:
    """The same classes, each looked for by its official name alone."""
    return tuple(ClassName(c.name, (c.name,)) for c in classes)


def _shipped_text(name: str) -> str:
    return files(__package__).joinpath(f"{name}.txt").read_text("utf-8")


def _lines(text: str, where: str) -> tuple[ClassName, ...]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(_parse_line(line, where) for line in lines if line)


def _parse_line(line: str, where: str) -> ClassName:
    name, _, rest = line.partition(":")
    phrases = tuple(p for p in (part.strip() for part in (rest or name).split(";")) if p)
    if not name.strip() or not phrases:
        raise EvaluationError(f"'name: phrase; phrase' was expected in {where}, but '{line}' came.")
    return ClassName(name.strip(), phrases)
