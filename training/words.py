"""The words, their vectors, and the image-level labels of photos.

`names.json` is written by hand: which words of everyday language an ImageNet class, a data set's
label, a caption or a kind of place stands for. No mask labels patches; which words a photo of
IDD-Lite or CamVid has was counted from its mask (what covers a hundredth of the photo).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.sources import SOURCES

WIDTH = 256
"""Directions of CLIP's text space that are kept: 94 % of the variance of its nouns."""

_NEAR = 0.5
"""Words whose vectors have a larger cosine are not compared with each other (dog and puppy)."""


@cache
def names() -> Mapping[str, Any]:
    """The tables of `names.json`."""
    return json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))


@dataclass(frozen=True)
class Label:
    """The image-level label of a photo: numbers of the words that are there and of those that may
    be, its kind, and its source.

    A "thing" fills part of the photo and its surroundings are not named: ``there`` are its names.
    Of a "place" every part is one of the words, and all other words are absent. "none" is no label.
    """

    there: tuple[int, ...]
    may_be: tuple[int, ...]
    kind: Literal["thing", "place", "none"]
    source: str

    @property
    def words(self) -> tuple[int, ...]:
        return self.there + self.may_be


class Words:
    """All words and their unit vectors (V, WIDTH): published ones first, then those to be learned.

    `data` has `clip-text.npz` (`words`, and `embeddings` (1581, 512) of them by CLIP),
    `imagenet-names.json` (``{"name": …}`` of the 1,000 classes, in the classifier's order), and
    `index.jsonl` (one photo a line). The published embeddings are centred and turned to their
    principal directions, of which the first `WIDTH` are kept. Photos of sources that are not used
    are left out. Raises ValueError for a photo of a source that `sources.py` lacks, or of a place
    that `names.json` lacks.
    """

    def __init__(self, data: Path) -> None:
        table = np.load(data / "clip-text.npz")
        raw = torch.from_numpy(table["embeddings"].astype(np.float32))
        centred = F.normalize(raw, dim=1)
        centred = centred - centred.mean(0)
        directions = torch.linalg.svd(centred, full_matrices=False).Vh[:WIDTH]
        published = F.normalize(centred @ directions.T, dim=1)
        self.classes = [c["name"] for c in json.loads((data / "imagenet-names.json").read_text())]
        self.photos = _photos(data / "index.jsonl")
        known = [*map(str, table["words"]), *names()["stuff"]]
        things = [photo for photo in self.photos if SOURCES[photo["source"]].reads == "class"]
        labels = [name for photo in things for name in photo["words"]]
        more = {w for name in (*self.classes, *labels) for w in _meaning(name)}
        self.all = [*known, *sorted(more.difference(known))]
        self._number = {word: number for number, word in enumerate(self.all)}
        seeded = torch.Generator().manual_seed(0)
        noise = torch.randn(len(self.all) - len(published), WIDTH, generator=seeded)
        self.vectors = torch.cat([published, F.normalize(noise, dim=1)])
        self.given = torch.arange(len(self.all)) < len(published)
        self.alike = self.vectors @ self.vectors.T > _NEAR  # (V, V)
        for left, right in names()["alike"]:
            a, b = self.number(left), self.number(right)
            self.alike[a, b] = self.alike[b, a] = True

    def knows(self, word: str) -> bool:
        return names()["called"].get(word, word) in self._number

    def number(self, word: str) -> int:
        return self._number[names()["called"].get(word, word)]

    def numbers(self, words: Sequence[str]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.number(word) for word in words))

    def of_class(self, name: str) -> tuple[int, ...]:
        """The words that a class or label of a data set stands for."""
        return self.numbers(_meaning(name))

    def label(self, photo: Mapping[str, Any]) -> Label:
        """The label of a line of `index.jsonl`, in words of this table."""
        source, given = SOURCES[photo["source"]], photo.get("words", ())
        anywhere = names()["anywhere"]
        if source.reads == "none":
            return Label((), (), "none", source.name)
        if source.reads == "class":
            there = dict.fromkeys(n for name in given for n in self.of_class(name))
            around = [word for word in (*anywhere, "floor") if word != "table"]
            return Label(tuple(there), self.numbers(around), "thing", source.name)
        if source.reads == "captions":
            return self._place(_mentioned(photo["captions"]), anywhere, source.name)
        if source.reads == "list":
            there = ["car" if word == "vehicle" else word for word in given]
            return self._place(there, names()["places"][source.name]["may be"], source.name)
        place = names()["places"][given[0]]
        return self._place(place["there"], place["may be"], source.name)

    def _place(self, there: Sequence[str], may_be: Sequence[str], source: str) -> Label:
        """The label of a place; words that this table lacks are left out of those there."""
        numbers = self.numbers([word for word in there if self.knows(word)])
        others = tuple(n for n in self.numbers(may_be) if n not in numbers)
        return Label(numbers, others, "place", source)

    def has_people(self, label: Label) -> bool:
        """Whether a label names people, and nothing that the selfie network takes for people: no
        animal, no garment."""
        people, animals = (set(self.numbers(names()[kind])) for kind in ("people", "animals"))
        there = set(label.there)
        return bool(there & people) and not there & animals and not SOURCES[label.source].worn

    def with_neighbours(self, vectors: Tensor) -> Tensor:
        """Unit vectors (V, WIDTH) where a word of `names.json`'s "neighbours", which no photo
        teaches, has the mean of its neighbours."""
        vectors = F.normalize(vectors.clone(), dim=1)
        for word, neighbours in names()["neighbours"].items():
            mean = vectors[list(self.numbers(neighbours))].sum(0)
            vectors[self.number(word)] = F.normalize(mean, dim=0)
        return vectors


def _photos(index: Path) -> list[dict[str, Any]]:
    """The lines of `index.jsonl` whose sources are used. Raises ValueError for a source or a place
    without a row."""
    photos = [json.loads(line) for line in index.read_text("utf-8").splitlines()]
    unknown = {photo["source"] for photo in photos} - SOURCES.keys()
    if unknown:
        raise ValueError(
            f"A source of sources.py was expected, but index.jsonl has {sorted(unknown)}; "
            "add a row for each."
        )
    used = [photo for photo in photos if SOURCES[photo["source"]].used]
    places = {photo["words"][0] for photo in used if SOURCES[photo["source"]].reads == "place"}
    unknown = places - names()["places"].keys()
    if unknown:
        raise ValueError(
            f'A place of "places" in names.json was expected, but index.jsonl has '
            f"{sorted(unknown)}; add a row for each."
        )
    return used


def _meaning(name: str) -> list[str]:
    """The words that `names.json` gives for a class or label, or the name itself."""
    return {**names()["classes"], **names()["labels"]}.get(name, [name])


def _mentioned(captions: Sequence[str]) -> list[str]:
    """The words that captions mention, by `names.json`."""
    word_of = {form: word for word, forms in names()["captions"].items() for form in forms}
    tokens = re.findall("[a-z]+", " ".join(captions).lower())
    return list(dict.fromkeys(word_of[token] for token in tokens if token in word_of))


def plural(word: str) -> str:
    if word.endswith("s") and not word.endswith("ss"):
        return word
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word[:-2] + "ves" if word.endswith("fe") else word + "s"


def groups(words: Words) -> list[list[str]]:
    """Every word with its plural and synonyms, none of which is another word."""
    taken = set(words.all)
    collected = []
    for word in words.all:
        forms = [plural(word), *names()["synonyms"].get(word, ())]
        group = [word, *(form for form in dict.fromkeys(forms) if form not in taken)]
        taken.update(group)
        collected.append(group)
    return collected
