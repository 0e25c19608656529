"""Word lists: one entry per line, a word or ``word: other; other``; ``#`` starts a comment.

What the others are depends on the list. In ``background.txt`` and ``everyday.txt``, they are the
word's synonyms; in ``nearest.txt``, the words for which it is the nearest known one; ``stuff.txt``
and ``worn.txt`` have none. In ``surroundings.txt`` and ``things.txt``, a colour stands before its
words. The class lists of ``evaluation`` are in the same format, with the
phrases of a class after its name.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType


@cache
def read(name: str) -> Mapping[str, tuple[str, ...]]:
    """Every word of the shipped list ``name.txt`` with its others, in the list's order."""
    text = Path(__file__).with_name(f"{name}.txt").read_text("utf-8")
    return MappingProxyType(dict(entries(text)))


def entries(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The word and the others of each line that is not empty."""
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        word, _, rest = line.partition(":")
        yield word.strip(), tuple(filter(None, (part.strip() for part in rest.split(";"))))
