"""The words, their vectors in CLIP's text space, and which words a photo or a mask has.

`names.json` is written by hand: words that CLIP's table lacks ("stuff"), other names of words
("called"), which words a class of ImageNet, a data set's label, a kind of place or a word of a
caption stands for, and words so alike that a photo of one may be called by the other.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training import data as photos_of
from training.data import Photo

WIDTH = 256
"""Directions of CLIP's text space that are kept: 94 % of the variance of its nouns."""
_NEAR = 0.5
"""Words whose vectors have a larger cosine are not compared with each other (dog and puppy)."""


@cache
def names() -> Mapping[str, Any]:
    """The tables of `names.json`."""
    return json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))


class Words:
    """All words and their unit vectors (V, WIDTH): those of CLIP's table first, then the others.

    `data` has `clip-text.npz` (`words`, and `embeddings` (1581, 512) of them by CLIP) and
    `imagenet-names.json` (the 1,000 classes, in the classifier's order). The embeddings are centred
    and turned to their principal directions, of which the first `WIDTH` are kept. A word that the
    table lacks, but a photo or a mask has, gets a vector by lot, until `words` teaches one. `masks`
    are the photos with masks, `photos` those with a word that no mask has.
    """

    def __init__(self, data: Path) -> None:
        table = np.load(data / "clip-text.npz")
        raw = F.normalize(torch.from_numpy(table["embeddings"].astype(np.float32)), dim=1)
        centred = raw - raw.mean(0)
        directions = torch.linalg.svd(centred, full_matrices=False).Vh[:WIDTH]
        published = F.normalize(centred @ directions.T, dim=1)
        self.classes = [c["name"] for c in json.loads((data / "imagenet-names.json").read_text())]
        self.masks = photos_of.with_masks(data)
        masked = {_called(word) for photo in self.masks for word in photo.words.values()}
        photos = photos_of.with_words(data)
        self.photos = [photo for photo in photos if not masked.issuperset(_meaning(photo))]
        known = [*map(str, table["words"]), *names()["stuff"]]
        used = masked.union(*(_meaning(photo) for photo in self.photos))
        used |= {word for name in self.classes for word in _words_of_class(name)}
        self.all = [*known, *sorted(used.difference(known))]
        self._number = {word: number for number, word in enumerate(self.all)}
        seeded = torch.Generator().manual_seed(0)
        noise = torch.randn(len(self.all) - len(published), WIDTH, generator=seeded)
        self.vectors = torch.cat([published, F.normalize(noise, dim=1)])
        self.given = torch.arange(len(self.all)) < len(published)
        self.with_masks = self.numbers(masked)
        self.with_photos = self.numbers(w for photo in self.photos for w in _meaning(photo))

    def numbers(self, words: Iterable[str]) -> list[int]:
        """The numbers of words, each once; words that are not known are left out."""
        called = dict.fromkeys(_called(word) for word in words)
        return [self._number[word] for word in called if word in self._number]

    def of_photo(self, photo: Photo) -> list[int]:
        """The words that the label or the captions of a photo stand for."""
        return self.numbers(_meaning(photo))

    def of_class(self, name: str) -> list[int]:
        """The words that a class of ImageNet stands for."""
        return self.numbers(_words_of_class(name))

    def of_mask(self, photo: Photo) -> np.ndarray:
        """The word of each value of a photo's mask (256,): -1 is unknown, -2 none of the words."""
        table = np.full(256, -1)
        for value, word in photo.words.items():
            table[value] = self.numbers([word])[0]
        table[list(photo.none)] = -2
        return table

    def alike(self, vectors: Tensor) -> Tensor:
        """Which words are not compared with each other (V, V), by vectors (V, WIDTH)."""
        alike = vectors @ vectors.T > _NEAR
        for pair in names()["alike"]:
            a, b = self.numbers(pair)
            alike[a, b] = alike[b, a] = True
        return alike


def _called(word: str) -> str:
    """The word of the table that a name stands for."""
    return names()["called"].get(word, word)


def _words_of_class(name: str) -> list[str]:
    return names()["classes"].get(name, [name])


def _meaning(photo: Photo) -> list[str]:
    """The words that a photo's label or captions stand for."""
    if photo.captions:
        forms = {form: word for word, forms in names()["captions"].items() for form in forms}
        tokens = re.findall("[a-z]+", " ".join(photo.captions).lower())
        return [forms[token] for token in tokens if token in forms]
    tables = {**names()["classes"], **names()["labels"], **names()["places"]}
    return [_called(word) for label in photo.labels for word in tables.get(label, [label])]


def plural(word: str) -> str:
    """The usual plural of a noun; a word with one "s" at its end stays as it is."""
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
