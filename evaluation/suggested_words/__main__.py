"""``python -m evaluation.suggested_words``: prints the figures of each list of photos."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from evaluation import options, suggested_words
from evaluation.errors import EvaluationError
from evaluation.photo_set import photo_folder, photo_lists, shipped_set
from evaluation.samples import LabelledSet
from evaluation.suggested_words.choosing import best_thresholds
from evaluation.suggested_words.judging import (
    Suggested,
    Truth,
    figures,
    judge,
    meanings,
    read_truth,
)
from gclip_core import suggestions
from gclip_core.segmenter import Segmenter
from gclip_core.suggestions import Clues, Thresholds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return options.run(_print, parser().parse_args(arguments))


def _print(args: argparse.Namespace) -> None:
    photos = photo_folder(args.folder) if args.folder else shipped_set()
    lists = _lists(args.folder, photos)
    if args.choose and "choose" not in lists:
        raise EvaluationError("--choose needs a choose.txt in the folder: names, one a line.")
    backbone = options.opened_backbone(args, args.backbone)
    named, segmenter = meanings(backbone), Segmenter(backbone)
    candidates = suggestions.candidates_of(backbone)
    cases: list[tuple[Clues, Truth]] = []
    for sample in photos.samples:
        image, labels = sample.load()
        cases.append((segmenter.clues(image), read_truth(photos, labels)))

    def judged(index: Sequence[int], thresholds: Thresholds) -> list[Suggested]:
        suggested = []
        for clues, truth in (cases[i] for i in index):
            words = suggestions.choose(candidates, clues, thresholds=thresholds)
            suggested.append(judge(words, truth, named))
        return suggested

    thresholds = suggestions.DEFAULT
    if args.choose:
        thresholds = best_thresholds(lambda tried: judged(lists["choose"], tried), thresholds)
        print(", ".join(f"{name} {value:g}" for name, value in asdict(thresholds).items()))
    for name, index in lists.items():
        print(report(name, judged(index, thresholds)))


def _lists(folder: Path | None, photos: LabelledSet) -> dict[str, list[int]]:
    """The indices of the photos of each list in a folder, and of all."""
    names = [sample.name for sample in photos.samples]
    lists = {
        name: [i for i, photo in enumerate(names) if photo in listed]
        for name, listed in (photo_lists(folder) if folder else {}).items()
    }
    return {name: index for name, index in lists.items() if index} | {"all": [*range(len(names))]}


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


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation.suggested_words", description=suggested_words.__doc__
    )
    command.add_argument("folder", nargs="?", type=Path, help="photos with masks and an index.json")
    command.add_argument(
        "--choose", action="store_true", help="find thresholds on the photos of choose.txt alone"
    )
    options.add_backbone_options(command)
    return command


if __name__ == "__main__":
    sys.exit(main())
