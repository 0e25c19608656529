"""What the model makes of everyday photos with true masks: the figures of its card.

    python -m training.photos.measure COCO_VAL [--backbone NAME] [--methods all]

COCO_VAL holds photos, masks and ``index.json`` as training/photos/README.md says. Words are those
of regions of at least one percent of a photo (smaller ones are void); all kinds of wall are
"wall". The score is the mean over photos of the mean IoU of the words that are there, once among
themselves and once beside ten distractors, which are drawn from the other words of the set.
"""

import argparse
import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import gclip_core as gclip
from evaluation import metric
from gclip_core.methods import METHODS
from gclip_core.registry import BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method

CHOSEN_ON = 50
"""Decisions were made on the first photos; the others report."""
_LEAST, _LARGE = 0.01, 0.05
_ALOUD = ("sky", "grass", "wall", "person", "tree", "road")


@dataclass(frozen=True)
class Case:
    """One photo: its words, ten that are not there, and its truth (H, W), -1 where void."""

    image: Path
    words: tuple[str, ...]
    distractors: tuple[str, ...]
    truth: npt.NDArray[np.int64]


def one_name(word: str) -> str:
    """COCO's finer names for walls, floors and the sea, as one word each."""
    return (
        "wall"
        if word.startswith("wall")
        else {"wooden floor": "floor", "sea": "ocean"}.get(word, word)
    )


def cases(folder: Path, only: Collection[str] | None = None) -> Iterator[Case]:
    """The photos of a measuring set in order; `only` leaves out every other word."""
    index = json.loads((folder / "index.json").read_text("utf-8"))
    known = {one_name(word) for item in index for word in item["words"].values()}
    pool = sorted(known if only is None else known & set(only))
    rng = random.Random(0)
    for item in index:
        mask = np.array(Image.open(folder / f"{item['file']}.png"))
        regions: dict[str, npt.NDArray[np.bool_]] = {}
        for value, word in item["words"].items():
            if (name := one_name(word)) in pool:
                regions[name] = regions.get(name, False) | (mask == int(value))
        words = tuple(word for word, region in regions.items() if region.mean() >= _LEAST)
        distractors = tuple(rng.sample([word for word in pool if word not in words], 10))
        truth = np.full(mask.shape, -1)
        for number, word in enumerate(words):
            truth[regions[word]] = number
        if words:
            yield Case(folder / f"{item['file']}.jpg", words, distractors, truth)


def iou(case: Case, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """IoU of each word of a photo; labels beyond its words are distractors."""
    counts = metric.confusion(case.truth, labels, len(case.words) + len(case.distractors))
    return metric.scores(counts).iou[: len(case.words)]


def largest_everywhere(case: Case) -> float:
    """The mean IoU of saying the largest region's word everywhere."""
    sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
    return float(sizes.max() / sizes.sum() / len(case.words))


class Tally:
    """Scores of one method on one set of words."""

    def __init__(self) -> None:
        self.there: list[tuple[int, float]] = []
        self.beside: list[tuple[int, float]] = []
        self.words: dict[str, list[float]] = {}

    def add(self, half: int, case: Case, alone: npt.NDArray, among: npt.NDArray) -> None:
        """Label maps (H, W) of the photo's words alone, and among distractors."""
        found = iou(case, alone)
        self.there.append((half, float(found.mean())))
        self.beside.append((half, float(iou(case, among).mean())))
        for number, word in enumerate(case.words):
            if (case.truth == number).mean() >= _LARGE:
                self.words.setdefault(word, []).append(float(found[number]))

    def summary(self) -> dict[str, object]:
        """Mean IoU in percent (chosen-on half, other half, all), and by word with its photos."""
        words = sorted(self.words.items(), key=lambda item: -len(item[1]))
        return {
            "there": _halves(self.there),
            "+10": _halves(self.beside),
            "words": {
                word: [round(100 * float(np.mean(scores)), 1), len(scores)]
                for word, scores in words
                if word in _ALOUD or len(scores) >= 5
            },
        }


def _halves(scores: Sequence[tuple[int, float]]) -> list[float]:
    parts = [[s for h, s in scores if h == half] for half in (0, 1)] + [[s for _, s in scores]]
    return [round(100 * float(np.mean(part)), 1) if part else float("nan") for part in parts]


def measure(
    segmenter: Segmenter, methods: Mapping[str, Method], sets: Mapping[str, Sequence[Case]]
) -> dict[str, dict[str, object]]:
    """Each method on each set of cases; a photo is encoded once."""
    tallies = {(name, method): Tally() for name in sets for method in methods}
    order = list(dict.fromkeys(case.image for some in sets.values() for case in some))
    for number, image in enumerate(sorted(order)):
        encoded = segmenter.encode(Image.open(image))
        for name, some in sets.items():
            for case in (case for case in some if case.image == image):
                asked = [*case.words, *case.distractors]
                for key, method in methods.items():
                    maps = (
                        segmenter.segment(encoded, list(words), method).labels.numpy()
                        for words in (case.words, asked)
                    )
                    tallies[name, key].add(int(number >= CHOSEN_ON), case, *maps)
    return {name: {key: tallies[name, key].summary() for key in methods} for name in sets}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a backbone on photos with true masks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default=BUILT_IN)
    parser.add_argument("--methods", nargs="+", default=["clearclip"], choices=[*METHODS, "all"])
    parser.add_argument("--nouns", type=Path, help="clip-text.npz: its words alone, too")
    parser.add_argument("--short-side", type=int)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sets = {"all words": list(cases(given.folder))}
    if given.nouns is not None:
        nouns = {str(word) for word in np.load(given.nouns)["words"]}
        sets["nouns"] = list(cases(given.folder, nouns))
    segmenter = Segmenter(gclip.load_backbone(given.backbone), short_side=given.short_side)
    chosen = METHODS if "all" in given.methods else {n: METHODS[n] for n in given.methods}
    measured = measure(segmenter, chosen, sets)
    for name, some in sets.items():
        base = 100 * float(np.mean([largest_everywhere(case) for case in some]))
        measured[name]["the largest word everywhere"] = round(base, 1)
    text = json.dumps(measured, indent=1)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
