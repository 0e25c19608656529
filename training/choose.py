"""The constants that masks choose, by two folds, after `pack`: what is printed is set by hand.

    python -m training.choose DATA WORK

- Suggested words (`gclip_core/suggest.py`): thresholds that are chosen with one half, by the
  model that has not seen it, are judged on the other half; those of both halves together ship.
- The background's weight: the highest within one point of the best mean of two measures, with
  guided edges: the three largest words of a photo are typed; two of its words by lot are, and every
  other word counts as background.
- A weak fit: the mean probability of a class on its own patches below which its mask is more often
  wrong (an IoU under 0.3) than right.
- The damage of `built-in-damaged`: the smallest gain with which neither < AMF < CS < both holds.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np

from evaluation import metric, suggested_words
from evaluation.datasets import LabelledSet
from evaluation.photos import photo_folder, shipped_photos
from evaluation.suggested_words import Judged
from gclip_core import masks, suggest
from gclip_core.backbone import Backbone, damage, load_backbone
from gclip_core.methods import gclip
from gclip_core.registry import DAMAGE
from gclip_core.segmenter import Segmenter
from gclip_core.suggest import Thresholds
from gclip_core.types import Segmentation, Vocabulary
from training.measure import Case, Fold, folds, iou, percent

BACKGROUND = (0.3, 0.5, 0.7, 0.9)
GAINS = (150.0, 200.0, 250.0, 300.0)
WEAK = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
WRONG = 0.3
"""A mask with a smaller IoU is wrong."""
FOUR = {
    "neither": gclip(amf=False, cs=False),
    "AMF": gclip(cs=False),
    "CS": gclip(amf=False),
    "both": gclip(),
}
_TYPED = 3
TRIED = {
    "gain": (0.8, 1.0, 1.2, 1.5),
    "certainty": (0.15, 0.2, 0.25, 0.3),
    "stuff": (0.3, 0.35, 0.4, 0.45, 0.5),
    "thing": (0.03, 0.04, 0.05, 0.06),
}
"""The values of thresholds that are tried, all combinations."""
AIMS = (0.80, 0.50, 0.78)
"""Shares of words, area and main things that are aimed at."""


def _judge(fold: Fold, photos: LabelledSet) -> Callable[[Thresholds], list[Judged]]:
    """What becomes of the photos of a half, by thresholds."""
    names, backbone = {case.image.stem for case in fold.cases}, fold.segmenter.backbone
    named, candidates = suggested_words.meanings(backbone), suggest.candidates_of(backbone)
    samples = [sample.load() for sample in photos.samples if sample.name in names]
    rows = [
        (fold.segmenter.matches(image), suggested_words.read_truth(photos.classes, labels))
        for image, labels in samples
    ]

    def judge(thresholds: Thresholds) -> list[Judged]:
        chosen = [suggest.choose(candidates, matches, thresholds=thresholds) for matches, _ in rows]
        return [
            suggested_words.judge(words, truth, named)
            for words, (_, truth) in zip(chosen, rows, strict=True)
        ]

    return judge


def best_thresholds(
    judged: Callable[[Thresholds], Sequence[Judged]], start: Thresholds
) -> Thresholds:
    """The thresholds of :data:`TRIED` that bring the figures nearest to :data:`AIMS`.

    What is above an aim counts a quarter, and stuff alone is taken off. Of each combination the
    mean counts over it and its neighbours, which differ by one step of each threshold at most: few
    photos favour some combination by chance, but seldom all around it. The first and last values
    are neighbours only.
    """
    lengths = [len(values) for values in TRIED.values()]
    scores = np.zeros(lengths)
    for index in np.ndindex(*lengths):
        shares = suggested_words.figures(judged(_tried(start, index)))
        values = np.nan_to_num([shares.right, shares.area, shares.main])
        reached = np.minimum(values, AIMS) + np.maximum(values - AIMS, 0) / 4
        scores[index] = reached.sum() - np.nan_to_num(shares.alone)
    inner = list(product(*(range(1, length - 1) for length in lengths)))
    means = [scores[tuple(slice(i - 1, i + 2) for i in index)].mean() for index in inner]
    return _tried(start, inner[int(np.argmax(means))])


def _tried(start: Thresholds, index: Sequence[int]) -> Thresholds:
    """Thresholds with the values of :data:`TRIED` at these places."""
    return replace(start, **{name: TRIED[name][i] for name, i in zip(TRIED, index, strict=True)})


def suggested(both: Sequence[Fold], data: Path) -> None:
    """Print the figures of each half by the other's thresholds, and the thresholds that ship."""
    photos = photo_folder(data / "coco-val")
    judged = {fold.name: _judge(fold, photos) for fold in both}
    start, crossed = suggest.DEFAULT, []
    for half, other in zip(judged, reversed(judged), strict=True):
        chosen = best_thresholds(judged[other], start)
        crossed += judged[half](chosen)
        print(half, asdict(suggested_words.figures(judged[half](chosen))), asdict(chosen))
    print("crossed", asdict(suggested_words.figures(crossed)))

    def together(thresholds: Thresholds) -> list[Judged]:
        return [row for judge in judged.values() for row in judge(thresholds)]

    chosen = best_thresholds(together, start)
    print("ships", asdict(suggested_words.figures(together(chosen))), asdict(chosen))
    without = together(replace(chosen, evidence=0.0))
    print("without the classifier", asdict(suggested_words.figures(without)))


def _truth(case: Case, words: Sequence[str], rest: int) -> np.ndarray:
    """The truth (H, W) in indices of some words; the photo's other words become `rest`."""
    table = np.full(len(case.words) + 1, rest)
    table[[case.words.index(word) for word in words]] = np.arange(len(words))
    table[-1] = -1
    return table[case.truth]


def background(both: Sequence[Fold]) -> None:
    """Print both measures for every weight; the first line is without a background."""
    rng = random.Random(0)
    scores: dict[float | None, list[tuple[float, float]]] = {}
    for fold in both:
        for case in fold.cases:
            sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
            largest = [case.words[i] for i in np.argsort(-sizes)[:_TYPED]]
            some = rng.sample(case.words, min(2, len(case.words)))
            encoded = fold.segmenter.encode(case.image)
            for weight in (None, *BACKGROUND):
                values = []
                for words, counts_rest in ((largest, False), (some, True)):
                    truth = _truth(case, words, len(words) if counts_rest else -1)
                    result = fold.segmenter.segment(
                        encoded,
                        words,
                        background=weight is not None,
                        background_weight=weight or 0.0,
                        refine="guided",
                        picture=case.image,
                    )
                    labels = result.labels.numpy().astype(int)
                    labels = np.where(labels < 0, len(words), labels)
                    counts = metric.confusion(truth, labels, len(words) + 1)
                    values.append(float(metric.scores(counts).iou[: len(words)].mean()))
                scores.setdefault(weight, []).append(tuple(values))
    for weight, values in scores.items():
        typed, lot = (percent([value[n] for value in values]) for n in (0, 1))
        print(f"background {weight}: {typed:.1f} {lot:.1f} mean {(typed + lot) / 2:.1f}")


def weak_fits(both: Sequence[Fold]) -> None:
    """Print, for each threshold, how many masks it marks, and how many of those are wrong."""
    rows = []
    for fold in both:
        for case in fold.cases:
            words = [*case.words, *case.distractors[:2]]
            result = fold.segmenter.segment(case.image, words)
            values = [*iou(case, result.labels.numpy()), 0.0, 0.0]
            rows += [(p, values[c]) for c, p in enumerate(certainty(result)) if p is not None]
    for least in WEAK:
        marked = [value < WRONG for p, value in rows if p < least]
        others = [value < WRONG for p, value in rows if p >= least]
        print(
            f"weak below {least}: {len(marked)} of {len(rows)} masks marked, of which "
            f"{percent(marked):.0f} % are wrong; of the others {percent(others):.0f} %"
        )


def certainty(result: Segmentation) -> list[float | None]:
    """The mean probability of each class on the patches where it is largest; None without any."""
    probability = masks.class_logits(result, result.logits.shape[1:]).flatten(1).softmax(0)
    winner = probability.argmax(0)
    own = [probability[c][winner == c] for c in range(len(probability))]
    return [float(p.mean()) if len(p) else None for p in own]


def damaged(both: Sequence[Fold], shipped: Backbone) -> None:
    """Print the means of the four ways for each gain, on each half and on the photos that ship."""
    channel, _, blocks = DAMAGE
    for gain in GAINS:
        for fold in both:
            segmenter = Segmenter(damage(fold.segmenter.backbone, channel, gain, blocks))
            rows = []
            for case in fold.cases:
                encoded = segmenter.encode(case.image)
                rows.append(
                    [
                        iou(case, segmenter.segment(encoded, case.words, way).labels.numpy()).mean()
                        for way in FOUR.values()
                    ]
                )
            print(gain, fold.name, np.round(100 * np.mean(rows, 0), 1).tolist(), flush=True)
        segmenter, rows = Segmenter(damage(shipped, channel, gain, blocks)), []
        for photo in shipped_photos().values():
            encoded = segmenter.encode(photo.image())
            words = Vocabulary(photo.words)
            results = [segmenter.segment(encoded, words, way) for way in FOUR.values()]
            rows.append(
                [
                    metric.against_truth(
                        photo.labels(), photo.words, result.labels.numpy(), result.vocabulary
                    ).miou
                    for result in results
                ]
            )
        print(gain, "photos that ship", np.round(100 * np.mean(rows, 0), 1).tolist(), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what each constant reaches."""
    parser = argparse.ArgumentParser(description="Choose the constants by two folds.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", choices=("suggested", "background", "weak", "damaged"))
    args = parser.parse_args(arguments)
    both = list(folds(args.data, args.work))
    steps = {
        "suggested": lambda: suggested(both, args.data),
        "weak": lambda: weak_fits(both),
        "damaged": lambda: damaged(both, load_backbone()),
        "background": lambda: background(both),
    }
    for name in [args.only] if args.only else steps:
        steps[name]()


if __name__ == "__main__":
    main()
