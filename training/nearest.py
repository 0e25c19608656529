"""The nearest seen word for words the built-in model never met, by WordNet's nouns.

Goes from each noun for something that can be seen to the nouns above it ("golden retriever",
"retriever", "sporting dog", …) up to the first that the model has seen in photos ("dog"). Debian
has the files as `wordnet-base`; the environment variable WORDNET names another folder. A line of
the table is a seen word, a colon and what leads to it.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WORDNET = Path(os.environ.get("WORDNET", "/usr/share/wordnet"))
VISIBLE = {3, 5, 6, 8, 13, 15, 17, 18, 19, 20, 27}
"""WordNet's files of nouns for what can be seen: animals, artifacts, bodies, food, places, …"""
TOPS, ANIMAL, FOOD, PERSON = 3, 5, 13, 18
AMBIGUOUS = """brass chest chime coil compass cover dispenser hip horn iron knot missile organ
packet pick pitcher projectile rule scale slot stage stole switch tick upright vault wood"""
"""Seen words that WordNet knows in another sense first."""


@dataclass(frozen=True)
class Synset:
    """Nouns of one meaning: their file, their lemmas, and the ids of the synsets above."""

    file: int
    lemmas: list[str]
    above: list[str]


class Nouns:
    """WordNet's nouns: synsets by their ids, without single persons and places, and the synsets of
    each lower-case lemma, the most frequent first."""

    def __init__(self, wordnet: Path) -> None:
        self.synsets: dict[str, Synset] = {}
        for line in _lines(wordnet / "data.noun"):
            key, file, _, count, *fields = line.partition(" | ")[0].split()
            lemmas, pointers = fields[: 2 * int(count, 16) : 2], fields[2 * int(count, 16) + 1 :]
            kinds = list(zip(pointers[::4], pointers[1::4], strict=False))
            if all(kind != "@i" for kind, _ in kinds):
                above = [to for kind, to in kinds if kind == "@"]
                self.synsets[key] = Synset(int(file), lemmas, above)
        self.senses: dict[str, list[str]] = {}
        for line in _lines(wordnet / "index.noun"):
            lemma, _, count, *fields = line.split()
            keys = [key for key in fields[-int(count) :] if key in self.synsets]
            self.senses[lemma] = [key for key in keys if lemma in self.synsets[key].lemmas]

    def starts(self, lemma: str) -> list[str]:
        """The first sense, an animal before its meat; then the second, if no person and no food."""
        senses = self.senses[lemma]
        if senses and self.synsets[senses[0]].file == FOOD:
            senses = sorted(senses, key=lambda key: self.synsets[key].file != ANIMAL)
        second = [key for key in senses[1:2] if self.synsets[key].file not in (PERSON, FOOD)]
        return [key for key in (*senses[:1], *second) if self.synsets[key].file in VISIBLE]

    def nearest(self, start: str, seen: dict[str, str]) -> str | None:
        """The seen word of the first synset on the way up from ``start`` that has one."""
        layer = [start]
        while layer:
            words = [seen[key] for key in layer if key in seen]
            if words:
                return words[0]
            layer = [up for key in layer for up in self.synsets[key].above if up in self.synsets]
        return None


def table(words: dict[str, list[list[str]]]) -> dict[str, list[str]]:
    """Seen word -> the words unknown to the model that lead to it."""
    nouns, seen = Nouns(WORDNET), {}
    singular = (w for group in words["seen"] for w in group if w[-1] != "s" or w[:-1] not in group)
    for word in singular:
        senses = nouns.senses.get(word.replace(" ", "_"), ())
        visible = [key for key in senses if nouns.synsets[key].file in VISIBLE - {PERSON}]
        if visible and word not in AMBIGUOUS.split():
            # "plant" is first a factory, at the top a plant.
            seen.setdefault(min(visible, key=lambda key: nouns.synsets[key].file != TOPS), word)
    known = {word for groups in words.values() for group in groups for word in group}
    leading = defaultdict(list)
    for lemma in nouns.senses:
        word = lemma.replace("_", " ")
        targets = filter(None, (nouns.nearest(start, seen) for start in nouns.starts(lemma)))
        if word not in known and (target := next(targets, None)):
            leading[target].append(word)
    return leading


def _lines(path: Path) -> Iterator[str]:
    lines = path.read_text("ascii").splitlines()
    return (line for line in lines if not line.startswith("  "))  # the licence
