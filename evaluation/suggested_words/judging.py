"""Compares suggested words with a photo's truth, and sums up over photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation.class_lists import shipped
from evaluation.samples import LabelledSet
from gclip_core import word_lists
from gclip_core.backbone import Backbone
from gclip_core.suggestions import word_groups

KINDS = {
    "floor": ("wooden floor",),
    "table": ("dining table",),
    "wall": ("wall brick", "wall stone", "wall tile", "wall wood"),
    "water": ("sea", "river"),
}
"""Classes of a truth that are kinds of a word: the word names them too."""
MAIN_KINDS = {
    "fruit": ("apple", "banana", "orange"),
    "vegetable": ("broccoli", "carrot"),
    "doughnut": ("donut",),
    "ski": ("skis",),
    "remote control": ("remote",),
    "cellular telephone": ("cell phone",),
    "brown bear": ("bear",),
    "polar bear": ("bear",),
    "school bus": ("bus",),
    "cab": ("car",),
    "sailboat": ("boat",),
    "houseplant": ("potted plant",),
    "wine bottle": ("bottle",),
}
"""The same for the main thing alone: spellings, the narrowest word above it, and kinds of it."""
MAIN_SHARE = 0.15
"""Share of a photo from which a thing is its main thing, if none is larger."""


@dataclass(frozen=True)
class Truth:
    """The labelled area of each true word of a photo, in pixels, and its main thing or ""."""

    areas: Mapping[str, int]
    main: str


@dataclass(frozen=True)
class Suggested:
    """For one photo: the number of words suggested, how many of them are in its truth, and the
    share of the labelled area that these name. ``main`` and ``first`` say whether a word, and the
    first one, names the main thing, and ``alone`` whether stuff alone is suggested; None for a
    photo without a main thing."""

    words: int
    right: int
    area: float
    main: bool | None = None
    first: bool | None = None
    alone: bool | None = None


def judge(words: Sequence[str], truth: Truth, named: Mapping[str, set[str]]) -> Suggested:
    """Compare words with the truth.

    ``named`` are, for each word, the words of the truth that it names besides itself.
    """
    hits = [truth.areas.keys() & ({word} | named.get(word, set())) for word in words]
    hit = set().union(*hits)
    area = sum(truth.areas[word] for word in hit) / sum(truth.areas.values())
    main = [truth.main in {word, *named.get(word, ()), *MAIN_KINDS.get(word, ())} for word in words]
    judged = Suggested(len(hits), sum(map(bool, hits)), area)
    if not truth.main:
        return judged
    alone = word_lists.read("stuff").keys() >= set(words)
    return replace(judged, main=any(main), first=main[0], alone=alone)


def meanings(backbone: Backbone) -> dict[str, set[str]]:
    """The synonyms and kinds of each word that may be suggested."""
    return {w: {*group, *KINDS.get(w, ())} for group in word_groups(backbone) for w in group}


def read_truth(photos: LabelledSet, labels: np.ndarray) -> Truth:
    """The truth of a mask (H, W) of class indices, negative where ignored."""
    things = {phrase for entry in shipped("coco_object") for phrase in (entry.name, *entry.phrases)}
    index, counts = np.unique(labels[labels >= 0], return_counts=True)
    names = [photos.classes[i].name for i in index]
    areas = dict(zip(names, counts.tolist(), strict=True))
    large = {w: n for w, n in areas.items() if w in things and n >= MAIN_SHARE * labels.size}
    return Truth(areas, max(large, key=large.get, default=""))


@dataclass(frozen=True)
class Figures:
    """Shares of right words and of the labelled area; and of the photos with a main thing those in
    which it is named, named first, and in which stuff alone is suggested: nan without any."""

    right: float
    area: float
    main: float
    first: float
    alone: float


def figures(photos: Sequence[Suggested]) -> Figures:
    """The figures of some photos."""
    words = sum(photo.words for photo in photos)
    kinds = [(photo.main, photo.first, photo.alone) for photo in photos if photo.main is not None]
    main, first, alone = np.mean(kinds, axis=0).tolist() if kinds else [np.nan] * 3
    area = float(np.mean([photo.area for photo in photos]))
    return Figures(sum(photo.right for photo in photos) / words, area, main, first, alone)
