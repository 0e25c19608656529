"""What masks say of the constants outside the recipe, by two folds, after `pack`.

    python -m training.choose DATA WORK

It prints figures; the constants are set by hand. Each half is judged by the model that did not
learn from it.

- Suggested words (`gclip_core/words/suggest.py`): thresholds that are chosen with one half are
  judged on the other half; those of both halves together ship. Only these figures are crossed, and
  they are a little generous: the other constants of that file and the values of `TRIED` were
  picked with all photos in view, and the words that can be suggested are those of all masks, also
  of the half that is judged.
- A weak fit (`demo/scene.py`): the highest mean probability of a class on its own patches below
  which at most one in twenty good masks is (good: an IoU of 0.3 or more).
- The damage of `built-in-damaged`: the smallest gain of `GAINS` with which neither < AMF < CS <
  both is true, on each half and on the photos that ship. 150, the smallest of all, ships.
- The background's weight: the highest of `WEIGHTS` within one point of the best mean of two
  measures, with guided edges. In one, the three largest words of a photo are typed. In the other,
  two of its words by lot are typed, and every other word counts as background.
"""

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch

from evaluation import metric, suggested_words
from evaluation.photos import photo_folder, shipped_photos
from evaluation.suggested_words import Judgement
from gclip_core.backbones.backbone import Backbone, damage
from gclip_core.backbones.load import load_backbone
from gclip_core.backbones.registry import DAMAGE
from gclip_core.encoder import Encoded
from gclip_core.methods import gclip
from gclip_core.pixels import masks
from gclip_core.result import Segmentation
from gclip_core.segmenter import Segmenter
from gclip_core.words import suggest
from gclip_core.words.suggest import Thresholds
from training.measure import Case, Fold, folds, iou, percent

TRIED = {
    "thing": (0.02, 0.03, 0.04, 0.05, 0.06),
    "stuff": (0.03, 0.04, 0.06, 0.08, 0.11),
}
"""The values of thresholds that are tried, all combinations."""
AIMS = (0.80, 0.57, 0.85)
"""Wanted shares of right words, of named area, and of named main things."""
WEAK = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Mean probabilities below which a mask is called a weak fit; 0.6 ships."""
GOOD = 0.3
"""The least IoU of a good mask."""
GAINS = (150.0, 200.0, 250.0, 300.0)
"""Gains of the damaged channel that are tried."""
FOUR = (gclip(amf=False, cs=False), gclip(cs=False), gclip(amf=False), gclip())
"""Neither, AMF, CS and both."""
WEIGHTS = (0.3, 0.5, 0.7, 0.9)
"""Weights of the background that are tried; 0.5 ships."""
TYPED, BY_LOT = 3, 2
"""Words of a photo that a person types, the largest ones or by lot."""

Encodings = Mapping[Path, Encoded]
"""By photo, what its half's model makes of it."""


def best_thresholds(judged: Callable[[Thresholds], Sequence[Judgement]]) -> Thresholds:
    """The thresholds of `TRIED` that bring the figures nearest to `AIMS`.

    What is above an aim counts a quarter, and stuff alone is taken off. Of each combination the
    mean counts over it and its neighbours, which differ by one step of each threshold at most: few
    photos favour some combination by chance, but seldom all around it. The first and last values
    are neighbours only.
    """
    lengths = [len(values) for values in TRIED.values()]
    scores = np.zeros(lengths)
    for index in np.ndindex(*lengths):
        shares = suggested_words.figures(judged(_tried(index)))
        values = np.nan_to_num([shares.right, shares.area, shares.main])
        reached = np.minimum(values, AIMS) + np.maximum(values - AIMS, 0) / 4
        scores[index] = reached.sum() - np.nan_to_num(shares.only_stuff)
    inner = list(product(*(range(1, length - 1) for length in lengths)))
    means = [scores[tuple(slice(i - 1, i + 2) for i in index)].mean() for index in inner]
    return _tried(inner[int(np.argmax(means))])


def _tried(index: Sequence[int]) -> Thresholds:
    """Thresholds with the values of `TRIED` at these places."""
    values = {name: TRIED[name][i] for name, i in zip(TRIED, index, strict=True)}
    return replace(suggest.DEFAULT, **values)


def suggested(both: Sequence[Fold], encodings: Encodings, data: Path) -> None:
    """Print the figures of each half by the other's thresholds, and the thresholds that ship."""
    photos = photo_folder(data / "coco-val")
    labels = {sample.name: sample.load()[1] for sample in photos.samples}
    judges: list[Callable[..., list[Judgement]]] = []
    for fold in both:
        backbone = fold.segmenter.backbone
        named, candidates = suggested_words.meanings(backbone), suggest.candidates_of(backbone)
        rows = [
            (
                fold.segmenter.matches(encodings[case.image]),
                suggested_words.read_truth(photos.classes, labels[case.image.stem]),
            )
            for case in fold.cases
        ]
        judges.append(cache(partial(_judged, rows, candidates, named)))

    def together(thresholds: Thresholds) -> list[Judgement]:
        return [photo for judge in judges for photo in judge(thresholds)]

    def show(title: str, photos: Sequence[Judgement], thresholds: Thresholds | None = None) -> None:
        print(f"{title}: {suggested_words.report(photos)}", thresholds or "", flush=True)

    show("thresholds as they are", together(suggest.DEFAULT), suggest.DEFAULT)
    first, second = map(best_thresholds, judges)
    show("crossed", [*judges[0](second), *judges[1](first)])
    chosen = best_thresholds(together)
    show("ships", together(chosen), chosen)
    show("without the classifier", [photo for judge in judges for photo in judge(chosen, False)])


def _judged(
    rows: Sequence[tuple[suggest.Matches, suggested_words.Truth]],
    candidates: suggest.Candidates,
    named: Mapping[str, set[str]],
    thresholds: Thresholds,
    classifier: bool = True,
) -> list[Judgement]:
    """What becomes of photos by thresholds, with the image classifier or without it."""
    if not classifier:
        none = torch.zeros(len(candidates.words))
        rows = [(replace(matches, probability=none), truth) for matches, truth in rows]
    return [
        suggested_words.judge(
            suggest.choose(candidates, matches, thresholds=thresholds), truth, named
        )
        for matches, truth in rows
    ]


def weak_fits(both: Sequence[Fold], encodings: Encodings) -> None:
    """Print, for each threshold, how many good and bad masks are below it."""
    rows = []
    for fold in both:
        for case in fold.cases:
            others = case.distractors[:2]
            words = [*case.words, *others]
            result = fold.segmenter.segment(encodings[case.image], words, background=True)
            values = [*iou(case, result.labels.numpy().astype(int)), *[0.0] * len(others)]
            sure = zip(certainty(result)[: len(words)], values, strict=True)
            rows += [(p, value) for p, value in sure if p is not None]
    for least in WEAK:
        good = [p < least for p, value in rows if value >= GOOD]
        bad = [p < least for p, value in rows if value < GOOD]
        print(
            f"weak below {least}: {percent(good):.0f} % of {len(good)} good masks, "
            f"{percent(bad):.0f} % of {len(bad)} others",
            flush=True,
        )


def certainty(result: Segmentation) -> list[float | None]:
    """The mean probability of each class on the patches where it is largest; None without any."""
    probability = masks.class_logits(result, result.logits.shape[1:]).flatten(1).softmax(0)
    winner = probability.argmax(0)
    own = [probability[c][winner == c] for c in range(len(probability))]
    return [float(p.mean()) if len(p) else None for p in own]


def damaged(both: Sequence[Fold], shipped: Backbone) -> None:
    """Print the means of the four ways on each half and on the photos that ship, for gains up to
    the first with which each way is better than the one before."""
    _, channel, _, blocks = DAMAGE
    photos = [Case(p.path, p.names, (), p.labels()) for p in shipped_photos().values()]
    measured = {fold.name: (fold.segmenter.backbone, fold.cases) for fold in both}
    measured["photos that ship"] = shipped, photos
    for gain in GAINS:
        means = {
            name: _four(Segmenter(damage(backbone, channel, gain, blocks)), cases)
            for name, (backbone, cases) in measured.items()
        }
        print(gain, {name: (100 * of).round(1).tolist() for name, of in means.items()}, flush=True)
        if all((np.diff(of) > 0).all() for of in means.values()):
            break


def _four(segmenter: Segmenter, cases: Sequence[Case]) -> np.ndarray:
    """The mean scores of the four ways (4,)."""
    scores = []
    for case in cases:
        encoded = segmenter.encode(case.image)
        results = (segmenter.segment(encoded, case.words, way) for way in FOUR)
        scores.append([iou(case, result.labels.numpy()).mean() for result in results])
    return np.mean(scores, axis=0)


def _truth(case: Case, words: Sequence[str], rest: int) -> np.ndarray:
    """The truth (H, W) in indices of some words; the photo's other words become `rest`."""
    table = np.full(len(case.words) + 1, rest)
    table[[case.words.index(word) for word in words]] = np.arange(len(words))
    table[-1] = -1
    return table[case.truth]


def background(both: Sequence[Fold], encodings: Encodings) -> None:
    """Print both measures for every weight; the first line is without a background."""
    rng = random.Random(0)
    scores: dict[float | None, list[tuple[float, float]]] = {}
    for fold in both:
        for case in fold.cases:
            sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
            largest = [case.words[i] for i in np.argsort(-sizes)[:TYPED]]
            some = rng.sample(case.words, min(BY_LOT, len(case.words)))
            for weight in (None, *WEIGHTS):
                values = []
                for words, counts_rest in ((largest, False), (some, True)):
                    truth = _truth(case, words, len(words) if counts_rest else -1)
                    result = fold.segmenter.segment(
                        encodings[case.image],
                        words,
                        background=weight is not None,
                        background_weight=weight or 0.0,
                        refine="guided",
                        picture=case.image,
                    )
                    labels = result.labels.numpy().astype(int)
                    labels = np.where(labels < 0, len(words), labels)
                    counts = metric.confusion(truth, labels, len(words) + 1)
                    values.append(float(metric.iou_scores(counts).iou[: len(words)].mean()))
                scores.setdefault(weight, []).append(tuple(values))
    for weight, values in scores.items():
        typed, lot = (percent([value[n] for value in values]) for n in (0, 1))
        print(f"background {weight}: {typed:.1f} {lot:.1f} mean {(typed + lot) / 2:.1f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what each constant reaches."""
    parser = argparse.ArgumentParser(description="Choose the constants by two folds.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", choices=("suggested", "weak", "damaged", "background"))
    args = parser.parse_args(arguments)
    both = list(folds(args.data, args.work))

    @cache
    def encodings() -> Encodings:
        return {
            case.image: fold.segmenter.encode(case.image) for fold in both for case in fold.cases
        }

    steps = {
        "suggested": lambda: suggested(both, encodings(), args.data),
        "weak": lambda: weak_fits(both, encodings()),
        "damaged": lambda: damaged(both, load_backbone()),
        "background": lambda: background(both, encodings()),
    }
    for name in [args.only] if args.only else steps:
        steps[name]()


if __name__ == "__main__":
    main()
