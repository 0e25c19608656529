"""Measure the constants outside the recipe against masks, in two folds, after `pack`.

    python -m training.choose DATA WORK

It prints figures; the constants are set by hand. Each half is evaluated with the model that was not
trained on it.

- Suggested words (`gclip_core/words/suggest.py`): thresholds chosen on one half are evaluated on
  the other; those chosen on both halves together ship. These figures are a little optimistic: the
  other constants of that file and the values of `TRIED` were chosen on all photos, and the words
  that can be suggested are those of all masks, including the half that is evaluated.
- A weak fit (`demo/scene.py`): the highest mean probability of a class on its own patches below
  which at most one in twenty good masks falls (good: an IoU of at least 0.3).
- The damage of `built-in-damaged`: the smallest gain of `GAINS` for which neither < AMF < CS < both
  holds on each half and on the photos that ship. 150, the smallest of all, ships, although at 448
  pixels CS alone is 0.2 points better than both on one half.
- The background (`gclip_core/words/background.py`): how much shares count, and its weight. A person
  types one word of a photo, two at random or its three largest, with the masks' names or with other
  words (`evaluation/class_lists/other_words.txt`); every other labelled pixel counts as background.
  Constants chosen on one half are evaluated on the other.
"""

import argparse
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch

from evaluation import class_lists, metric, suggested_words
from evaluation.photos import photo_folder, shipped_photos
from evaluation.suggested_words import Judgement
from gclip_core.backbones.backbone import Backbone, damage
from gclip_core.backbones.load import load_backbone
from gclip_core.backbones.registry import DAMAGE
from gclip_core.encoder import Encoded
from gclip_core.methods import ABLATION, METHODS, gclip
from gclip_core.pixels import masks
from gclip_core.segmenter import Segmenter
from gclip_core.words import suggest
from gclip_core.words.background import SHARE, WEIGHT, of_image
from gclip_core.words.suggest import Thresholds
from gclip_core.words.vocabulary import with_nearest
from training.measure import Case, Fold, folds, iou, percent

TRIED = {
    "thing": (0.015, 0.02, 0.03, 0.04, 0.05),
    "stuff": (0.03, 0.04, 0.06, 0.08, 0.11),
    "peak": (0.3, 0.4, 0.5, 0.6, 0.8),
}
"""The values of thresholds that are tried, in all combinations."""
AIMS = (0.82, 0.64, 0.90)
"""Target shares of right words, of named area, and of named main things."""
WEAK = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Mean probabilities below which a mask counts as a weak fit; 0.6 ships."""
GOOD = 0.3
"""The least IoU of a good mask."""
GAINS = (150.0, 200.0, 250.0, 300.0)
"""Gains of the damaged channel that are tried."""
FOUR = [gclip(*switches) for switches in ABLATION.values()]
"""Neither, AMF, CS and both."""
SHARES = (0.3, 0.6, 1.0)
WEIGHTS = (0.6, 0.7, 0.8, 0.9)
"""Values that are tried: how much a word's share of the image counts, and background weights."""

Encodings = Mapping[Path, Encoded]
"""By photo, its encoding by the model of its half."""


def best_thresholds(judged: Callable[[Thresholds], Sequence[Judgement]]) -> Thresholds:
    """The thresholds of `TRIED` that bring the figures closest to `AIMS`.

    The excess over an aim counts a quarter, and the share of photos with only stuff is subtracted.
    Each combination is scored by the mean over itself and its neighbours, at most one step away in
    each threshold: with few photos, single combinations win by chance, whole neighbourhoods seldom.
    The first and last values serve only as neighbours.
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
    """Thresholds with the values of `TRIED` at these indices."""
    values = {name: TRIED[name][i] for name, i in zip(TRIED, index, strict=True)}
    return replace(suggest.DEFAULT, **values)


def suggested(both: Sequence[Fold], encodings: Encodings, data: Path) -> None:
    """Print the figures of each half with the other's thresholds, and the thresholds that ship."""
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
    """Judge the words suggested with these thresholds, with the image classifier or without it."""
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
    """Print how many good and bad masks are below each threshold."""
    rows = []
    for fold in both:
        for case in fold.cases:
            others = case.distractors[:2]
            words = [*case.words, *others]
            result = fold.segmenter.segment(encodings[case.image], words, background=True)
            values = [*iou(case, result.labels.numpy().astype(int)), *[0.0] * len(others)]
            fits = masks.fits(result, result.logits.shape[1:])[: len(words)].tolist()
            rows += [row for row in zip(fits, values, strict=True) if not np.isnan(row[0])]
    for least in WEAK:
        good = [p < least for p, value in rows if value >= GOOD]
        bad = [p < least for p, value in rows if value < GOOD]
        print(
            f"weak below {least}: {percent(good):.0f} % of {len(good)} good masks, "
            f"{percent(bad):.0f} % of {len(bad)} others",
            flush=True,
        )


def damaged(both: Sequence[Fold], shipped: Backbone) -> None:
    """Print the means of the four variants on each half and on the photos that ship, for gains up
    to the first for which each variant beats the one before."""
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
    """The mean scores of the four variants (4,)."""
    scores = []
    for case in cases:
        encoded = segmenter.encode(case.image)
        results = (segmenter.segment(encoded, case.words, way) for way in FOUR)
        scores.append([iou(case, result.labels.numpy()).mean() for result in results])
    return np.mean(scores, axis=0)


@dataclass(frozen=True)
class Question:
    """Words that a person types for a photo, and the mask's word that each stands for; "" if the
    photo does not have it."""

    kind: str
    typed: tuple[str, ...]
    means: tuple[str, ...]

    def truth(self, case: Case) -> np.ndarray:
        """The truth (H, W) as indices of the typed words; the last is for all other words."""
        table = np.full(len(case.words) + 1, len(self.typed))
        for number, word in enumerate(self.means):
            if word:
                table[case.words.index(word)] = number
        table[-1] = -1
        return table[case.truth]


def questions(case: Case) -> Iterator[Question]:
    """What is typed: one word, two at random, the three largest, and an absent one; the first three
    with the masks' own words, and with other words that people type for them."""
    rng, other_words = random.Random(case.image.stem), class_lists.other_words()
    sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
    largest = tuple(case.words[i] for i in np.argsort(-sizes)[:3])
    two = tuple(rng.sample(case.words, min(2, len(case.words))))
    for kind, words in (("one", two[:1]), ("two", two), ("three", largest)):
        yield Question(kind, words, words)
        others = tuple(rng.choice(other_words.get(word, (word,))) for word in words)
        if others != words and len({*others}) == len(others):
            yield Question(f"{kind}, other words", others, words)
    yield Question("absent", case.distractors[:1], ("",))


def background(both: Sequence[Fold], encodings: Encodings) -> None:
    """Print the scores without a background, with the constants that ship, and with those chosen
    on the other half."""
    reached = [_by_constants(fold, encodings) for fold in both]
    chosen = [max(of, key=lambda pair, of=of: _mean(of[pair])) for of in reached]
    together = {pair: _joined(kinds, reached[1][pair]) for pair, kinds in reached[0].items()}
    best = max(together, key=lambda pair: _mean(together[pair]))
    crossed = _joined(reached[0][chosen[1]], reached[1][chosen[0]])
    rows = {
        "no background": together[0.0, 0.0],
        f"ships {SHARE, WEIGHT}": together[SHARE, WEIGHT],
        f"crossed {chosen}": crossed,
        f"best of both {best}": together[best],
    }
    for title, kinds in rows.items():
        figures = ", ".join(f"{kind} {percent(values):.1f}" for kind, values in kinds.items())
        print(f"{title}: {figures}", flush=True)


def _joined(first: Mapping[str, list[float]], second: Mapping[str, list[float]]) -> dict:
    return {kind: first.get(kind, []) + second.get(kind, []) for kind in {**first, **second}}


def _mean(kinds: Mapping[str, Sequence[float]]) -> float:
    """The mean IoU over kinds of questions, without words that are absent."""
    return float(np.mean([percent(v) for kind, v in kinds.items() if kind != "absent"]))


def _by_constants(
    fold: Fold, encodings: Encodings
) -> dict[tuple[float, float], dict[str, list[float]]]:
    """By share and weight of the background, and by kind of question: the mean IoU of each photo's
    words or, for an absent word, the share of the photo that it takes."""
    segmenter, scale = fold.segmenter, fold.segmenter.logit_scale
    out: dict[tuple[float, float], dict[str, list[float]]] = {}
    for case in fold.cases:
        encoded = encodings[case.image]
        features = segmenter.dense_features(encoded, METHODS["clearclip"])
        matches = segmenter.matches(encoded)
        for question in questions(case):
            truth, n = question.truth(case), len(question.typed)
            prompts = segmenter.prompts(question.typed)
            prompts = segmenter.prompts(with_nearest(prompts.classes, prompts.unknown))
            if len(prompts.classes) < n:  # two words with one nearest word
                continue
            hidden = of_image(segmenter.backbone, prompts, features, matches)
            typed, others = (
                scale * torch.einsum("pe,hwe->phw", text, features)
                for text in (prompts.text, hidden.text)
            )
            for share, weight in ((0.0, 0.0), *product(SHARES, WEIGHTS)):
                offsets = scale * hidden.offsets * share / SHARE
                logits, _ = masks.add_background(typed, others, offsets, weight)
                classes = (*prompts.classes.prompt_classes, -1)
                if not weight:
                    logits, classes = typed, classes[:-1]
                labels = masks.labels(logits, classes, truth.shape).numpy().astype(int)
                if question.kind == "absent":
                    value = float((labels[truth >= 0] >= 0).mean())
                else:
                    counts = metric.confusion(truth, np.where(labels < 0, n, labels), n + 1)
                    value = float(metric.iou_scores(counts).iou[:n].mean())
                out.setdefault((share, weight), {}).setdefault(question.kind, []).append(value)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of each constant."""
    parser = argparse.ArgumentParser(description="Choose the constants in two folds.")
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
