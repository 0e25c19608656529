"""The nearest seen word for words the built-in model never met, by WordNet's nouns.

    python -m training.nearest                # writes assets/built-in/nearest.txt.gz

Goes from each noun for something that can be seen to the nouns above it ("golden retriever",
"retriever", "sporting dog", …) up to the first that the model has seen in photos ("dog"). Debian
has the files as `wordnet-base`. A line of the table is a seen word, a colon and what leads to it.
"""

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = Path("assets/built-in")
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
    lemmas: tuple[str, ...]
    above: tuple[str, ...]


def read_synsets(path: Path) -> dict[str, Synset]:
    """The synsets of WordNet's ``data.noun`` by their ids; single persons and places left out."""
    found = {}
    for line in _lines(path):
        fields = line.partition(" | ")[0].split()
        n = int(fields[3], 16)
        pointers = fields[5 + 2 * n :]
        kinds, targets = pointers[::4], pointers[1::4]
        if "@i" not in kinds:
            above = tuple(t for k, t in zip(kinds, targets, strict=False) if k == "@")
            found[fields[0]] = Synset(int(fields[1]), tuple(fields[4 : 4 + 2 * n : 2]), above)
    return found


def read_senses(path: Path, synsets: dict[str, Synset]) -> dict[str, list[str]]:
    """The synsets of each lower-case noun of WordNet's ``index.noun``, the most frequent first."""
    found = {}
    for line in _lines(path):
        lemma, _, count, *fields = line.split()
        ids = fields[-int(count) :]
        found[lemma] = [i for i in ids if i in synsets and lemma in synsets[i].lemmas]
    return found


def nearest(synsets: dict[str, Synset], start: str, seen: dict[str, str]) -> str | None:
    """The seen word of the first synset on the way up from ``start`` that has one."""
    layer = [start]
    while layer:
        for synset in layer:
            if synset in seen:
                return seen[synset]
        layer = [above for one in layer for above in synsets[one].above if above in synsets]
    return None


def table(wordnet: Path, words: dict[str, list[list[str]]]) -> dict[str, list[str]]:
    """Seen word -> the words unknown to the model that lead to it."""
    synsets = read_synsets(wordnet / "data.noun")
    senses = read_senses(wordnet / "index.noun", synsets)
    seen: dict[str, str] = {}
    for word in (w for group in words["seen"] for w in _singular(group)):
        ids = senses.get(word.replace(" ", "_"), ())
        visible = [i for i in ids if synsets[i].file in VISIBLE - {PERSON}]
        if (
            visible and word not in AMBIGUOUS.split()
        ):  # "plant" is first a factory, at the top a plant
            seen.setdefault(min(visible, key=lambda i: synsets[i].file != TOPS), word)
    known = {word for groups in words.values() for group in groups for word in group}
    found = defaultdict(list)
    for lemma, ids in senses.items():
        word = lemma.replace("_", " ")
        targets = (nearest(synsets, start, seen) for start in _starts(synsets, ids))
        target = next(filter(None, targets), None)
        if word not in known and target:
            found[target].append(word)
    return found


def _starts(synsets: dict[str, Synset], senses: list[str]) -> list[str]:
    """The first sense, an animal before its meat; then the second, if no person and no food."""
    if senses and synsets[senses[0]].file == FOOD:
        senses = sorted(senses, key=lambda i: synsets[i].file != ANIMAL)
    second = [i for i in senses[1:2] if synsets[i].file not in (PERSON, FOOD)]
    return [i for i in (*senses[:1], *second) if synsets[i].file in VISIBLE]


def _singular(group: Sequence[str]) -> Iterator[str]:
    return (word for word in group if not (word.endswith("s") and word[:-1] in group))


def _lines(path: Path) -> Iterator[str]:
    lines = path.read_text("ascii").splitlines()
    return (line for line in lines if not line.startswith("  "))  # the licence


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the table of nearest seen words.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    wordnet = parser.parse_args().wordnet
    found = table(wordnet, json.loads((MODEL / "words.json").read_text("utf-8")))
    text = "".join(f"{word}: {'; '.join(found[word])}\n" for word in sorted(found))
    (MODEL / "nearest.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
