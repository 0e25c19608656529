"""The results on the model card, in two folds; not a step of the recipe.

    python -m training.card DATA WORK

COCO's photos in ``DATA/coco-val`` are split into two halves by lists of names. Each half is
measured with ``WORK/without-HALF-0/packed``, a model trained on the other half and on all other
photos (README.md), so no model is measured on its own training photos.

A photo's words are those of regions that cover at least one percent of it; smaller regions are
void. All kinds of wall are "wall". A score is the mean over photos of the mean IoU of their words:

- of each method, with these words alone, and with ten others (``evaluation.benchmark``);
- of ClearCLIP with a background, when a person types one word of a photo, two at random or its
  three largest, by the names of the masks or by other words for them. Every labelled pixel counts.
  For a word that the photo does not have, the score is the share that it covers.

Of the suggested words, it prints the share that is in the photo, and of the labelled area, the main
things and the small things the share that is named. All regions count, by the masks' own names.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation import metric
from evaluation.benchmark import Experiment, count_image
from evaluation.class_lists import ClassName, read
from evaluation.datasets import LabelledSet, Sample
from evaluation.metric import IGNORE
from evaluation.photos import photo_folder
from gclip_core import lists
from gclip_core.backbones.load import load_backbone
from gclip_core.methods import gclip
from gclip_core.relatives import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.words import suggest
from gclip_core.words.background import BACKGROUND_WEIGHT, LITERATURE
from gclip_core.words.vocabulary import with_nearest
from training.data import folder_of

HALVES = ("choose", "report")
ROWS = {**METHODS, "amf": gclip(cs=False)}
"""Every method, and AMF alone."""
LEAST = 0.01
"""Regions that cover a smaller share of a photo are void."""
COMPETING = {
    "none": (False, BACKGROUND_WEIGHT),
    "the list of the literature": (LITERATURE, 0.5),
    "words that could be suggested": (True, BACKGROUND_WEIGHT),
}
"""Backgrounds that are compared, with their weights."""

OTHER_WORDS = Path(__file__).with_name("other_words.txt")
"""By the name of a mask of COCO, other words that people type for what it shows. Some name another
mask, which the same photo may have: "house" is a word for a building, too."""
COARSER = {
    "wall brick": "wall",
    "wall stone": "wall",
    "wall tile": "wall",
    "wall wood": "wall",
    "wooden floor": "floor",
    "sea": "ocean",
}
"""What people call COCO's finer classes."""
KINDS = {
    "floor": ("wooden floor",),
    "table": ("dining table",),
    "wall": ("wall brick", "wall stone", "wall tile", "wall wood"),
    "water": ("sea", "river"),
}
"""Names of masks that are kinds of a suggested word, so that the word names them, too."""
KINDS_OF_THINGS = {
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
"""The same for things only: spellings, the narrowest word above one, and kinds of it."""
MAIN, SMALL = 0.15, (0.01, 0.05)
"""The main thing of a photo is the one that covers most of it, at least MAIN; a thing that covers a
share between these two is small."""

Scores = Mapping[str, Sequence[float]]
"""By row or question, a value for each photo."""


def coco_half(folder: Path, half: str) -> LabelledSet:
    """The photos in a list, with coarser names and without small regions."""
    opened = photo_folder(folder, half)
    names = [COARSER.get(entry.name, entry.name) for entry in opened.classes]
    words = list(dict.fromkeys(names))
    coarser = np.array([*map(words.index, names), IGNORE], np.int16)

    def load(sample: Sample) -> tuple[Image.Image, NDArray[np.int16]]:
        image, labels = sample.load()
        return image, without_small(coarser[labels])

    samples = tuple(replace(sample, read=partial(load, sample)) for sample in opened.samples)
    classes = tuple(ClassName(word, (word,)) for word in words)
    return replace(opened, classes=classes, samples=samples)


def without_small(truth: NDArray[np.int16]) -> NDArray[np.int16]:
    """The truth with the pixels of small regions void."""
    found, pixels = np.unique(truth, return_counts=True)
    return np.where(np.isin(truth, found[pixels < LEAST * truth.size]), IGNORE, truth)


def by_method(segmenter: Segmenter, photos: LabelledSet, names: Sequence[str], rule: str) -> Scores:
    """Mean IoU of each photo's words, in percent; ``rule`` is that of ``evaluation``'s words."""
    experiment = Experiment(segmenter, photos, tuple(ROWS[name] for name in names), rule)
    scores = defaultdict(list)
    for sample in photos.samples:
        for name, counts in zip(names, count_image(experiment, sample), strict=True):
            present = counts.sum(1) > 0
            if present.any():
                scores[name].append(100 * metric.iou_scores(counts).iou[present].mean())
    return scores


def by_question(segmenter: Segmenter, photos: LabelledSet, competing: str) -> Scores:
    """Mean IoU of the typed words of each photo, or the share that an absent word covers, in
    percent."""
    (background, weight), scores = COMPETING[competing], defaultdict(list)
    names = [entry.name for entry in photos.classes]
    for sample in photos.samples:
        image, truth = sample.load()
        sizes = np.bincount(truth[truth >= 0], minlength=len(names))
        if not sizes.any():
            continue
        encoded = segmenter.encode(image)
        for kind, typed in questions(sample.name, names, sizes).items():
            prompts = segmenter.prompts(list(typed.values()))
            words = with_nearest(prompts.vocabulary, prompts.unknown)
            if len(words) < len(typed):  # two words with one nearest word
                continue
            options = {"background": background, "background_weight": weight}
            result = segmenter.segment(encoded, words, METHODS["clearclip"], **options)
            labels = result.labels.numpy()
            if kind == "absent":
                score = (labels[truth >= 0] >= 0).mean()
            else:
                meant = dict(zip(typed, words.names, strict=True))
                true_names = [[meant.get(name, "")] for name in names]
                score = metric.against_truth(truth, true_names, labels, words).miou
            scores[kind].append(100 * score)
    return scores


def questions(
    photo: str, names: Sequence[str], sizes: NDArray[np.integer]
) -> dict[str, dict[str, str]]:
    """By kind, what a person types: a word for each name of a mask. ``sizes`` are in pixels."""
    rng, others = random.Random(photo), dict(lists.entries(OTHER_WORDS.read_text("utf-8")))
    present = [names[i] for i in np.argsort(-sizes, kind="stable") if sizes[i]]
    two = rng.sample(present, min(2, len(present)))
    absent = rng.choice([name for name in names if name not in present])
    asked = {"absent": {absent: absent}}
    for kind, meant in (("one", two[:1]), ("two", two), ("three", present[:3])):
        asked[kind] = {name: name for name in meant}
        other = {name: rng.choice(others.get(name, (name,))) for name in meant}
        if other != asked[kind]:
            asked[f"{kind}, other words"] = other
    return asked


def by_suggestion(segmenter: Segmenter, photos: LabelledSet) -> Scores:
    """The shares of suggested words, area, main things and small things, in percent."""
    groups = suggest.candidates_of(segmenter.backbone).groups
    named = {word: {*group, *KINDS.get(word, ())} for group in groups for word in group}
    of_things = {word: {*named[word], *KINDS_OF_THINGS.get(word, ())} for word in named}
    things = {phrase for entry in read("coco_object") for phrase in (entry.name, *entry.phrases)}
    scores = defaultdict(list)
    for sample in photos.samples:
        image, truth = sample.load()
        index, counts = np.unique(truth[truth >= 0], return_counts=True)
        areas = dict(zip([photos.classes[i].name for i in index], counts.tolist(), strict=True))
        if not areas:
            continue
        words = segmenter.suggest(image)
        hits = [areas.keys() & named[word] for word in words]
        scores["words that are in the photo"] += [100 * bool(hit) for hit in hits]
        area = sum(areas[word] for word in set().union(*hits)) / sum(areas.values())
        scores["labelled area"].append(100 * area)
        found = set().union(*(of_things[word] for word in words))
        shares = {word: n / truth.size for word, n in areas.items() if word in things}
        main = max(shares, key=shares.get, default="")
        if shares.get(main, 0) >= MAIN:
            scores["main things"].append(100 * (main in found))
        small = [word for word, share in shares.items() if SMALL[0] <= share < SMALL[1]]
        scores["small things"] += [100 * (word in found) for word in small]
    return scores


def table(title: str, columns: Mapping[str, Scores]) -> str:
    """Means as Markdown: a row for each key of the scores; nan where there are none."""
    rows = [f"| {title} | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    for key in dict.fromkeys(key for scores in columns.values() for key in scores):
        cells = (f"{np.mean(scores.get(key) or np.nan):.1f}" for scores in columns.values())
        rows.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table for each list of words, with a column for each half."""
    parser = argparse.ArgumentParser(description="The results on the model card, in two folds.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=ROWS, default=list(ROWS))
    args = parser.parse_args(arguments)
    segmenters = [
        Segmenter(load_backbone(weights=folder_of(args.work, half, args.seed) / "packed"))
        for half in HALVES
    ]
    folder = args.data / "coco-val"
    rules = {"its words alone": "present", "with ten others": "present+10"}
    measures = {
        title: partial(by_method, names=args.methods, rule=rule) for title, rule in rules.items()
    }
    measures |= {f"background: {of}": partial(by_question, competing=of) for of in COMPETING}
    for title, measure in {**measures, "suggested words": by_suggestion}.items():
        opened = photo_folder if measure is by_suggestion else coco_half
        halves = [opened(folder, half) for half in HALVES]
        first, second = map(measure, segmenters, halves)
        both = {key: [*first.get(key, ()), *second.get(key, ())] for key in {**first, **second}}
        print(table(title, {**dict(zip(HALVES, (first, second), strict=True)), "both": both}))


if __name__ == "__main__":
    main()
