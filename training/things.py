"""What emoji scenes are made of, read from `things.txt` and `seconds.txt` beside this file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Thing:
    """One thing: its name, other names for one of it, its plurals, and icon names to look for."""

    name: str
    synonyms: tuple[str, ...]
    plurals: tuple[str, ...]
    icons: tuple[str, ...]


def table(name: str) -> list[str]:
    """The lines of a text file beside this one, without comments."""
    lines = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def split(text: str, mark: str) -> tuple[str, ...]:
    """The parts between marks, without spaces around them or empty ones."""
    return tuple(part.strip() for part in text.split(mark) if part.strip())


def _parse(line: str) -> Thing:
    words, icons = line.split("=")
    singular, _, plural = words.partition(">")
    name, *synonyms = split(singular, "|")
    return Thing(name, tuple(synonyms), split(plural, "|"), split(icons, ","))


THINGS: tuple[Thing, ...] = tuple(map(_parse, table("things.txt")))
SECONDS: dict[str, tuple[str, ...]] = {
    name.strip(): split(icons, ",")
    for name, icons in (line.split("=") for line in table("seconds.txt"))
}
