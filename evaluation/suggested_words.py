"""Whether suggested words are in a photo: ``python -m evaluation.suggested_words [FOLDER]``.

Prints the share of suggested words that are in the photo's truth, the share of the labelled area
that they name, and of the photos with a main thing the share in which a suggested word, and in
which the first one, names it. The main thing is the class of COCO-Object that covers most of the
photo, if it covers 15 % or more. A folder's ``choose.txt`` and ``report.txt`` list photos, a name a
line: the figures are those of each list and of all photos. ``--choose`` tries thresholds on
``choose.txt`` alone, and prints the best with their figures.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from evaluation.class_lists import shipped
from evaluation.datasets import OpenSet
from evaluation.errors import EvaluationError
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.photo_set import photo_folder, photo_lists, shipped_photos
from gclip_core import suggestions, word_lists
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.segmenter import Segmenter
from gclip_core.suggestions import Clues, Thresholds, word_groups

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
TRIED = {
    "gain": (0.6, 0.8, 1.0, 1.2, 1.5),
    "certainty": (0.15, 0.2, 0.25, 0.3, 0.35),
    "thing": (0.03, 0.04, 0.05, 0.06, 0.08, 0.1),
}
"""The values of thresholds that ``--choose`` tries, all combinations."""
AIMS = (0.76, 0.50, 0.78)
"""Shares of words, area and main things that ``--choose`` aims at."""


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


def read_truth(photos: OpenSet, labels: np.ndarray) -> Truth:
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


def report(title: str, photos: Sequence[Suggested]) -> str:
    """All shares in percent, and the number of words, in one line."""
    shares = figures(photos)
    number = sum(photo.words for photo in photos) / len(photos)
    mains = sum(photo.main is not None for photo in photos)
    text = (
        f"{title} ({len(photos)} photos): {100 * shares.right:.1f} % of the suggested words are in "
        f"the photo, and name {100 * shares.area:.1f} % of the labelled area; {number:.1f} words a "
        "photo"
    )
    if not mains:
        return text
    return (
        f"{text}; of {mains} photos with a main thing {100 * shares.main:.1f} % have its word, "
        f"{100 * shares.first:.1f} % first, and {100 * shares.alone:.1f} % have stuff alone"
    )


def best_thresholds(
    judged: Callable[[Thresholds], Sequence[Suggested]], start: Thresholds
) -> Thresholds:
    """The thresholds of :data:`TRIED` that bring the figures nearest to :data:`AIMS`.

    What is above an aim counts a quarter, and stuff alone is taken off. Of each combination the
    mean counts over it and its neighbours, which differ by one step of each threshold at most: few
    photos favour some combination by chance, but seldom all around it. The first and last values
    are neighbours only.
    """

    def score(index: tuple[int, ...]) -> float:
        shares = figures(judged(thresholds(index)))
        values = zip(np.nan_to_num([shares.right, shares.area, shares.main]), AIMS, strict=True)
        reached = sum(min(value, aim) + max(value - aim, 0) / 4 for value, aim in values)
        return reached - float(np.nan_to_num(shares.alone))

    def thresholds(index: tuple[int, ...]) -> Thresholds:
        values = zip(TRIED.items(), index, strict=True)
        return replace(start, **{name: tried[i] for (name, tried), i in values})

    def smoothed(index: tuple[int, ...]) -> float:
        around = product(*((i - 1, i, i + 1) for i in index))
        return float(np.mean([scores[near] for near in around]))

    lengths = [len(values) for values in TRIED.values()]
    scores = {index: score(index) for index in product(*map(range, lengths))}
    inner = product(*(range(1, length - 1) for length in lengths))
    return thresholds(max(inner, key=smoothed))


def _lists(folder: Path | None, photos: OpenSet) -> dict[str, list[int]]:
    """The indices of the photos of each list in a folder, and of all."""
    names = [sample.name for sample in photos.samples]
    lists = {
        name: [i for i, photo in enumerate(names) if photo in listed]
        for name, listed in (photo_lists(folder) if folder else {}).items()
    }
    return {name: index for name, index in lists.items() if index} | {"all": [*range(len(names))]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of each list; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        photos = photo_folder(args.folder) if args.folder else shipped_photos()
        lists = _lists(args.folder, photos)
        if args.choose and "choose" not in lists:
            raise EvaluationError("--choose needs a choose.txt in the folder: names, one a line.")
        backbone = opened_backbone(args, args.backbone)
        named, segmenter = meanings(backbone), Segmenter(backbone)
        candidates = suggestions.candidates_of(backbone)
        cases: list[tuple[Clues, Truth]] = []
        for sample in photos.samples:
            image, labels = sample.load()
            cases.append((segmenter.clues(image), read_truth(photos, labels)))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def judged(index: Sequence[int], thresholds: Thresholds) -> list[Suggested]:
        return [
            judge(suggestions.choose(candidates, clues, thresholds=thresholds), truth, named)
            for clues, truth in (cases[i] for i in index)
        ]

    thresholds = suggestions.DEFAULT
    if args.choose:
        thresholds = best_thresholds(lambda tried: judged(lists["choose"], tried), thresholds)
        print(", ".join(f"{name} {value:g}" for name, value in asdict(thresholds).items()))
    for name, index in lists.items():
        print(report(name, judged(index, thresholds)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.suggested_words", description=__doc__
    )
    parser.add_argument("folder", nargs="?", type=Path, help="photos with masks and an index.json")
    parser.add_argument(
        "--choose", action="store_true", help="find thresholds on the photos of choose.txt alone"
    )
    add_backbone_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
