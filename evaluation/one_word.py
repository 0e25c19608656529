"""What one typed word does alone, the rest hidden: ``python -m evaluation.one_word``.

Three questions, on pictures whose every pixel is known: is the thing found as well as when all
words are typed; how much does a word take that is nowhere in the picture; and does it take more of
what was not typed than when that is typed too.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.class_lists import ClassName
from evaluation.datasets import OpenSet, Sample
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.scene_set import scene_set
from gclip_core import images, scenes
from gclip_core.errors import EvaluationError, GclipError
from gclip_core.methods import find_method
from gclip_core.registry import BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Method, Vocabulary

ABSENT_WORDS = 4
"""Words asked for that a picture does not show, drawn for each picture."""
SMALLEST = 0.005
"""Share of a picture under which a thing is not asked for: a few patches decide its IoU."""


@dataclass
class Findings:
    """Per asked word: its IoU alone and among all words, and the share of the picture it takes
    wrongly; per absent word what it takes; per picture what words alone take of the untyped, and
    the same words among all."""

    alone: list[float] = field(default_factory=list)
    among_all: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    absent: list[float] = field(default_factory=list)
    taken_alone: float = 0.0
    taken_among_all: float = 0.0

    @property
    def growth(self) -> float:
        """How many times as much of the untyped is painted as when it is typed too."""
        return self.taken_alone / self.taken_among_all if self.taken_among_all else np.nan

    def lines(self) -> list[str]:
        """The answers in words."""
        percent = {
            "IoU of a thing, its word alone": np.mean(self.alone),
            "the same, every word typed": np.mean(self.among_all),
            "picture painted wrongly by a word alone, mean": np.mean(self.wrong),
            "picture an absent word takes, median": np.median(self.absent),
            "picture an absent word takes, mean": np.mean(self.absent),
        }
        shares = [f"{what}: {100 * value:.1f} %" for what, value in percent.items()]
        last = f"of what is not typed, painted {self.growth:.2f} times as much as when it is"
        return [f"{len(self.alone)} words asked alone", *shares, last]


def ask(
    segmenter: Segmenter,
    samples: OpenSet,
    method: Method,
    asked: Sequence[int],
    rest: str | Sequence[str] = "background",
    seed: int = 0,
) -> Findings:
    """Type the classes ``asked`` one at a time into every picture that shows or lacks them."""
    found, rng = Findings(), np.random.default_rng(seed)
    for sample in samples.samples:
        image, truth = sample.load()
        encoded = segmenter.encode(image)
        there = [int(c) for c in np.unique(truth) if c >= 0]
        together = _labels(segmenter, encoded, samples, there, method, "none")
        for index, one in enumerate(there):
            true = truth == one
            if one not in asked or true.mean() < SMALLEST:
                continue
            alone = _labels(segmenter, encoded, samples, [one], method, rest) == 0
            others = ~true & (truth >= 0)
            found.alone.append(_iou(alone, true, truth))
            found.among_all.append(_iou(together == index, true, truth))
            found.wrong.append(float((alone & others).mean()))
            found.taken_alone += float((alone & others).mean())
            found.taken_among_all += float(((together == index) & others).mean())
        lacking = [c for c in asked if c not in there]
        for one in rng.choice(lacking, min(ABSENT_WORDS, len(lacking)), replace=False):
            labels = _labels(segmenter, encoded, samples, [int(one)], method, rest)
            found.absent.append(float((labels == 0).mean()))
    return found


def photo_set(folder: Path) -> OpenSet:
    """Photos ``NAME.jpg`` with masks ``NAME.png`` whose values ``index.json`` puts into words."""
    try:
        index = json.loads((folder / "index.json").read_text("utf-8"))
        words = [{int(v): word for v, word in one["words"].items()} for one in index]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"{folder} was to hold index.json, a list of file and words, but {error!r}."
        ) from error
    names = sorted({word for one in words for word in one.values()})

    def load(file: str, meaning: dict[int, str]) -> tuple[Image.Image, NDArray[np.int16]]:
        values = np.asarray(Image.open(folder / f"{file}.png"))
        table = np.full(256, -1, np.int16)
        for value, word in meaning.items():
            table[value] = names.index(word)
        return images.check(folder / f"{file}.jpg"), table[values]

    return OpenSet(
        name=folder.name,
        title=folder.name,
        classes=tuple(ClassName(name, (name,)) for name in names),
        samples=[
            Sample(one["file"], lambda one=one, meaning=meaning: load(one["file"], meaning))
            for one, meaning in zip(index, words, strict=True)
        ],
        background=None,
        source=str(folder),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask on scenes, or on a folder of photos, and print the answers."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.one_word", description=__doc__)
    parser.add_argument("--backbone", default=BUILT_IN)
    add_backbone_options(parser)
    parser.add_argument("--method", default="gclip")
    parser.add_argument("--scenes", type=int, default=100, help="how many emoji scenes")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos instead of scenes")
    args = parser.parse_args(arguments)
    try:
        method = find_method(args.method)
        with opened_backbone(args, args.backbone) as backbone:
            segmenter = Segmenter(backbone)
            if args.photos:
                samples = photo_set(args.photos)
                asked = range(len(samples.classes))
            else:
                samples = scene_set(args.scenes, "held-out", (192, 192))
                asked = range(len(scenes.things()))
            found = ask(segmenter, samples, method, asked)
    except GclipError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{samples.title}, {len(samples.samples)} pictures, {backbone.title}, {method.title}")
    print("\n".join(found.lines()))
    return 0


def _labels(
    segmenter: Segmenter,
    encoded: Encoded,
    samples: OpenSet,
    classes: Sequence[int],
    method: Method,
    rest: str | Sequence[str],
) -> NDArray[np.int16]:
    words = Vocabulary(tuple(samples.classes[c].phrases for c in classes))
    return segmenter.segment(encoded, words, method, rest=rest).labels.numpy()


def _iou(covered: NDArray[np.bool_], true: NDArray[np.bool_], truth: NDArray[np.int16]) -> float:
    known = truth >= 0
    return float((covered & true & known).sum() / ((covered | true) & known).sum())


if __name__ == "__main__":
    sys.exit(main())
