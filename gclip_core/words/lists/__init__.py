"""Shipped word lists: one word per line, then a colon and its synonyms; ``#`` starts a comment."""

from collections.abc import Iterator
from pathlib import Path


def read(name: str) -> dict[str, tuple[str, ...]]:
    """Every word of the shipped list ``name.txt`` with its synonyms, in the list's order."""
    return dict(entries(Path(__file__).with_name(f"{name}.txt").read_text("utf-8")))


def entries(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The word and the synonyms of each line that is not empty."""
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        word, _, rest = line.partition(":")
        yield word.strip(), tuple(filter(None, (part.strip() for part in rest.split(";"))))
