"""The figures of the model card: IoU with ground truth, in two folds.

    python -m training.measure DATA WORK [--seed 1]

A hundred COCO photos are split at random into two halves. Each half is measured with a model
trained on the other half and on all other photos (`map`, `attention` and `pack` with `--without`),
so no model is measured on its own training photos.

A photo's words are those of regions that cover at least one percent of it; smaller regions are
void. All kinds of wall are "wall". The score is the mean over photos of the mean IoU of their
words, given alone and with ten distractors: words of other photos, drawn at random.
`python -m evaluation` gives other figures, because it counts every word of the masks and draws
other distractors.
"""

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation import metric
from evaluation.class_lists import COCO_COARSER
from gclip_core.backbones.load import load_backbone
from gclip_core.methods import METHODS, Method, gclip
from gclip_core.segmenter import Segmenter
from training.archive import COCO
from training.data import folder_of, read
from training.words import Known

HALVES = ("choose", "report")
WAYS: dict[str, Method] = {**METHODS, "AMF": gclip(cs=False)}
"""What is measured: every method, and ClearCLIP with AMF alone."""
_LEAST = 0.01
"""Regions that cover a smaller share of a photo are void."""
_DISTRACTORS = 10


@dataclass(frozen=True)
class Case:
    """One photo: its words, ten distractors, and its ground truth (H, W), -1 where void."""

    image: Path
    words: tuple[str, ...]
    distractors: tuple[str, ...]
    truth: NDArray[np.int64]


def one_name(word: str) -> str:
    """A word, or the coarser one for COCO's finer names of walls, floors and the sea."""
    return COCO_COARSER.get(word, word)


def read_cases(folder: Path) -> Iterator[Case]:
    """The photos of `coco-val` in order."""
    index = json.loads((folder / "index.json").read_text("utf-8"))
    pool = sorted({one_name(word) for item in index for word in item["words"].values()})
    rng = random.Random(0)
    for item in index:
        mask = np.array(Image.open(folder / f"{item['file']}.png"))
        regions: dict[str, NDArray[np.bool_]] = {}
        for value, word in item["words"].items():
            name = one_name(word)
            regions[name] = regions.get(name, False) | (mask == int(value))
        words = tuple(word for word, region in regions.items() if region.mean() >= _LEAST)
        others = [word for word in pool if word not in words]
        distractors = tuple(rng.sample(others, min(_DISTRACTORS, len(others))))
        truth = np.full(mask.shape, -1)
        for number, word in enumerate(words):
            truth[regions[word]] = number
        if words:
            yield Case(folder / f"{item['file']}.jpg", words, distractors, truth)


def iou(case: Case, labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """IoU of each word of a photo; labels beyond its words are distractors."""
    counts = metric.confusion(case.truth, labels, len(case.words) + len(case.distractors))
    return metric.iou_scores(counts).iou[: len(case.words)]


def largest_everywhere(case: Case) -> float:
    """The mean IoU if the word of the largest region is given to the whole photo."""
    sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
    return float(sizes.max() / sizes.sum() / len(case.words))


@dataclass(frozen=True)
class Fold:
    """A half of the photos, and a model that has not seen it."""

    name: str
    segmenter: Segmenter
    cases: Sequence[Case]
    taught: frozenset[str]
    """The words of the masks that the model learned from."""


def folds(data: Path, work: Path, seed: int = 0) -> Iterator[Fold]:
    """Both halves. Raises BackboneError if a model is not packed yet."""
    cases = list(read_cases(data / "coco-val"))
    for name in HALVES:
        opened = read(data, name)
        known = Known(opened.teacher)
        learned = {
            photo.source.words[label]
            for photo in opened.masks
            for label in np.unique(photo.load()[1]).tolist()
            if label >= 0
        }
        of_half = [case for case in cases if f"{COCO}/{case.image.stem}" in opened.held]
        names = {word for case in of_half for word in case.words}
        taught = frozenset(word for word in names if known.find([word]) in learned - {None})
        segmenter = Segmenter(load_backbone(weights=folder_of(work, name, seed) / "packed"))
        yield Fold(name, segmenter, of_half, taught)


Scores = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""By method, the IoU of each word of a photo: among its words alone, and with distractors."""


def score(fold: Fold, case: Case, ways: Mapping[str, Method]) -> Scores:
    """The scores of a photo."""
    encoded, segment = fold.segmenter.encode(case.image), fold.segmenter.segment
    beside = [*case.words, *case.distractors]
    return {
        name: (
            iou(case, segment(encoded, case.words, method).labels.numpy()),
            iou(case, segment(encoded, beside, method).labels.numpy()),
        )
        for name, method in ways.items()
    }


def percent(values: Sequence[float]) -> float:
    """The mean in percent; nan if there are no values."""
    return 100 * float(np.mean(values)) if len(values) else float("nan")


Measured = Mapping[str, Sequence[tuple[Case, Scores]]]
"""By half, its photos and their scores."""


def means(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """By method, the mean scores in percent, (3, 2): of both halves, then of each half; with a
    photo's words alone, then with ten others."""
    ways, out = next(iter(measured.values()))[0][1], {}
    for way in ways:
        halves = [
            [percent([scores[way][question].mean() for _, scores in rows]) for question in (0, 1)]
            for rows in measured.values()
        ]
        out[way] = np.array([np.mean(halves, axis=0), *halves])
    return out


def table(scores: Mapping[str, NDArray[np.float64]]) -> str:
    """The means as Markdown."""
    lines = [
        "| method | year | its words alone | with ten others | choose | report |",
        "|---|---|---|---|---|---|",
    ]
    for way, ((alone, beside), *halves) in scores.items():
        method = WAYS[way]
        cells = [method.title, f"{method.year or '–'}", f"{alone:.1f}", f"{beside:.1f}"]
        cells += [f"{alone:.1f}, {beside:.1f}" for alone, beside in halves]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def by_masks(folds_of: Sequence[Fold], measured: Measured) -> str:
    """ClearCLIP's mean IoU over words that a mask taught, and over the others."""
    lines = []
    for kind, wanted in (("with", True), ("without", False)):
        values = [
            (alone, beside)
            for fold in folds_of
            for case, scores in measured[fold.name]
            for word, alone, beside in zip(case.words, *scores["clearclip"], strict=True)
            if (word in fold.taught) == wanted
        ]
        alone, beside = (percent([value[n] for value in values]) for n in (0, 1))
        lines.append(f"{len(values)} words {kind} masks: {alone:.1f} / {beside:.1f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the built-in model in two folds.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args(arguments)
    ways = {name: WAYS[name] for name in args.ways}
    both = list(folds(args.data, args.work, args.seed))
    measured = {
        fold.name: [(case, score(fold, case, ways)) for case in fold.cases] for fold in both
    }
    print(table(means(measured)))
    if "clearclip" in ways:
        print(by_masks(both, measured))
    everywhere = [largest_everywhere(case) for fold in both for case in fold.cases]
    print(f"one word for the whole photo: {percent(everywhere):.1f}")


if __name__ == "__main__":
    main()
