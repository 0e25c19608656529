"""The words, their vectors, and the image-level labels of photos.

`names.json` is written by hand: which words of everyday language an ImageNet class, a data set's
label, a caption or a kind of place stands for. No mask takes part in any of it.
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

WIDTH = 256
"""Directions of CLIP's text space that are kept: 94 % of the variance of its nouns."""

_LISTED = ("idd-lite", "camvid")
_PLACES = ("houses", "scenes", "rooms")
_LIKE = 0.5
"""Words whose vectors are nearer than this cosine are not judged against each other."""


@cache
def names() -> Mapping[str, Any]:
    return json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))


@dataclass(frozen=True)
class Label:
    """What a photo is said to show: words that are there, words that may be, of which kind it is,
    and where it comes from.

    A "thing" fills part of the photo and its surroundings are not named; of a "place" every part is
    one of the words. Words in neither list count as absent from a place only.
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

    `data` holds `clip-text.npz` (nouns and CLIP's embeddings of them), `imagenet-names.json`, and
    `index.jsonl` (one photo a line). The published embeddings are centred and turned to their
    principal directions, of which the first `WIDTH` are kept.
    """

    def __init__(self, data: Path) -> None:
        table = np.load(data / "clip-text.npz")
        raw = torch.from_numpy(table["embeddings"].astype(np.float32))
        centred = F.normalize(raw, dim=1)
        centred = centred - centred.mean(0)
        directions = torch.linalg.svd(centred, full_matrices=False).Vh[:WIDTH]
        published = F.normalize(centred @ directions.T, dim=1)
        self.classes = [c["name"] for c in json.loads((data / "imagenet-names.json").read_text())]
        lines = (data / "index.jsonl").read_text("utf-8").splitlines()
        self.photos: list[dict[str, Any]] = [json.loads(line) for line in lines]
        known = [*map(str, table["words"]), *names()["stuff"]]
        labels = [w for p in self.photos if _is_thing(p) for w in p.get("words", ())]
        more = {w for n in (*self.classes, *labels) for w in self._meant(n)}
        self.all = [*known, *sorted(more.difference(known))]
        self._number = {word: number for number, word in enumerate(self.all)}
        seeded = torch.Generator().manual_seed(0)
        noise = torch.randn(len(self.all) - len(published), WIDTH, generator=seeded)
        self.vectors = torch.cat([published, F.normalize(noise, dim=1)])
        self.given = torch.arange(len(self.all)) < len(published)
        self.alike = self.vectors @ self.vectors.T > _LIKE
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
        return self.numbers(self._meant(name))

    def _meant(self, name: str) -> list[str]:
        return {**names()["classes"], **names()["labels"]}.get(name, [name])

    def label(self, photo: Mapping[str, Any]) -> Label:
        """What a line of `index.jsonl` says, in words of this table."""
        source, there = photo["source"], photo.get("words") or []
        may_be = names()["anywhere"]
        if "captions" in photo:
            there = _mentioned(photo["captions"])
        elif not there:
            return Label((), (), "none", source)
        elif source in _LISTED:
            there = ["car" if word == "vehicle" else word for word in there]
            may_be = names()["scenes"][source]["may be"]
        elif source in _PLACES:
            place = names()["scenes"].get(there[0], {"there": there, "may be": may_be})
            there, may_be = place["there"], place["may be"]
        else:
            numbers = dict.fromkeys(n for word in there for n in self.of_class(word))
            around = [w for w in (*may_be, "floor") if w != "table"]
            return Label(tuple(numbers), self.numbers(around), "thing", source)
        numbers = self.numbers([word for word in there if self.knows(word)])
        others = tuple(n for n in self.numbers(may_be) if n not in numbers)
        return Label(numbers, others, "place", source)

    def has_people(self, label: Label) -> bool:
        """Whether a label names people and no animals, which `People` would take for people."""
        people, animals = (set(self.numbers(names()[kind])) for kind in ("people", "animals"))
        there = set(label.there)
        return bool(there & people) and not there & animals and label.source != "clothing"

    def settle(self, vectors: Tensor) -> Tensor:
        """Unit vectors with the words that no photo names put beside their neighbours."""
        settled = F.normalize(vectors.clone(), dim=1)
        for word, near in names()["neighbours"].items():
            mean = settled[list(self.numbers(near))].sum(0)
            settled[self.number(word)] = F.normalize(mean, dim=0)
        return settled


def _mentioned(captions: Sequence[str]) -> list[str]:
    """The words that captions mention, by `names.json`."""
    word_of = {form: word for word, forms in names()["captions"].items() for form in forms}
    tokens = re.findall("[a-z]+", " ".join(captions).lower())
    return list(dict.fromkeys(word_of[token] for token in tokens if token in word_of))


def _is_thing(photo: Mapping[str, Any]) -> bool:
    return photo["source"] not in (*_LISTED, *_PLACES) and "captions" not in photo


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
