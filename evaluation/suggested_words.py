"""Whether suggested words are in a photo: ``python -m evaluation.suggested_words``.

Prints the share of suggested words that are in the photo's truth, the share of the labelled area
that they name, and the share of the photos with a main thing in which a suggested word names it.
The main thing is the class of COCO-Object that covers most of the photo, if it covers 15 % or more.
It also prints the share of small things, which cover 1 to 5 % of a photo, that are named. Photos
without a labelled pixel are left out.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation import EvaluationError, class_lists, options
from evaluation.class_lists import ClassName
from evaluation.photos import NAME as PHOTOS
from evaluation.tables import counted
from gclip_core.backbones.backbone import Backbone
from gclip_core.command import add_backbone_options
from gclip_core.segmenter import Segmenter
from gclip_core.words import suggest

KINDS = {
    "floor": ("wooden floor",),
    "table": ("dining table",),
    "wall": tuple(kind for kind, word in class_lists.COCO_COARSER.items() if word == "wall"),
    "water": ("sea", "river"),
}
"""Classes of a truth that are kinds of a word, so that the word names them, too."""
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
"""The same for the main thing only: spellings, the narrowest word above it, and kinds of it."""
MAIN_SHARE = 0.15
"""Minimum share of a photo that its main thing, the largest one, covers."""
SMALL = 0.01, 0.05
"""A thing is small if its share of a photo is between these."""

# --- judging the words of a photo ----------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """The labelled area in pixels of each true word of a photo, its main thing or "", and its small
    things."""

    areas: Mapping[str, int]
    main: str
    small: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """The words suggested for one photo: their number, how many of them are in its truth, and the
    share of the labelled area that these name.

    ``small`` says how many of its small things are named, and how many there are; ``main`` whether
    a word names its main thing, None if it has none.
    """

    n_words: int
    n_right: int
    area: float
    small: tuple[int, int] = (0, 0)
    main: bool | None = None


def read_truth(classes: Sequence[ClassName], labels: NDArray[np.integer]) -> Truth:
    """The truth of a mask (H, W) of indices into ``classes``, negative where ignored."""
    objects = class_lists.read("coco_object")
    things = {phrase for entry in objects for phrase in (entry.name, *entry.phrases)}
    index, counts = np.unique(labels[labels >= 0], return_counts=True)
    areas = dict(zip([classes[i].name for i in index], counts.tolist(), strict=True))
    shares = {word: n / labels.size for word, n in areas.items() if word in things}
    large = {word: share for word, share in shares.items() if share >= MAIN_SHARE}
    small = tuple(word for word, share in shares.items() if SMALL[0] <= share < SMALL[1])
    return Truth(areas, max(large, key=large.get, default=""), small)


def meanings(backbone: Backbone) -> dict[str, set[str]]:
    """The synonyms and kinds of each word that may be suggested."""
    groups = suggest.candidates_of(backbone).groups
    return {word: {*group, *KINDS.get(word, ())} for group in groups for word in group}


def judge(words: Sequence[str], truth: Truth, named: Mapping[str, set[str]]) -> Judgement:
    """Compares words with the truth.

    ``named`` has, for each word, the words of the truth that it names besides itself.
    """
    hits = [truth.areas.keys() & {word, *named.get(word, ())} for word in words]
    area = sum(truth.areas[word] for word in set().union(*hits)) / sum(truth.areas.values())
    things = [{word, *named.get(word, ()), *MAIN_KINDS.get(word, ())} for word in words]
    small = sum(thing in set().union(*things) for thing in truth.small), len(truth.small)
    main = any(truth.main in names for names in things) if truth.main else None
    return Judgement(len(words), sum(map(bool, hits)), area, small, main)


# --- the command ---------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    return options.run(_judge_photos, parser().parse_args(arguments))


def _judge_photos(args: argparse.Namespace) -> None:
    backbone, photos = options.opened_backbone(args), options.opened_set(args)
    named, segmenter = meanings(backbone), Segmenter(backbone)
    judged = []
    for sample in photos.samples:
        image, labels = sample.load()
        truth = read_truth(photos.classes, labels)
        if truth.areas:  # else every pixel is ignored
            judged.append(judge(segmenter.suggest(image), truth, named))
    if not judged:
        raise EvaluationError(
            f"{photos.title} have no labelled pixels: all are ignored in every photo that was "
            "read; check the values in the masks."
        )
    print(report(judged))


def report(photos: Sequence[Judgement]) -> str:
    """All shares in percent, and the number of words, in one line."""
    n_words = sum(photo.n_words for photo in photos)
    right = sum(photo.n_right for photo in photos) / n_words
    area = float(np.mean([photo.area for photo in photos]))
    text = (
        f"{counted(len(photos), 'photo')}: {100 * right:.1f} % of the suggested words are in the "
        f"photo, and name {100 * area:.1f} % of the labelled area; {n_words / len(photos):.1f} "
        "words a photo"
    )
    named, small = np.sum([photo.small for photo in photos], axis=0).tolist()
    if small:
        text += f"; of {counted(small, 'small thing')} {100 * named / small:.1f} % are named"
    main = [photo.main for photo in photos if photo.main is not None]
    if main:
        share = 100 * sum(main) / len(main)
        text += f"; of {counted(len(main), 'photo')} with a main thing {share:.1f} % have its word"
    return text


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation.suggested_words", description=__doc__
    )
    add_backbone_options(command)
    options.add_set_options(command, default=PHOTOS)
    return command


if __name__ == "__main__":
    sys.exit(main())
