"""Whether suggested words are in a photo: ``python -m evaluation.suggested_words [FOLDER]``.

Prints the share of suggested words that are in the photo's truth, and the share of the labelled
area that they name.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.options import add_backbone_options, opened_backbone
from evaluation.photo_set import photo_folder, shipped_photos
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.segmenter import Segmenter
from gclip_core.suggestions import word_groups

KINDS = {
    "floor": ("wooden floor",),
    "table": ("dining table",),
    "wall": ("wall brick", "wall stone", "wall tile", "wall wood"),
    "water": ("sea", "river"),
}
"""Classes of a truth that are kinds of a word: the word names them too."""


@dataclass(frozen=True)
class Suggested:
    """For one photo: the number of words suggested, how many of them are in its truth, and the
    share of the labelled area that these name."""

    words: int
    right: int
    area: float


def judge(words: Iterable[str], areas: dict[str, float], named: dict[str, set[str]]) -> Suggested:
    """Compare words with the labelled area of each true word.

    ``named`` are, for each word, the words of the truth that it names besides itself.
    """
    hits = [areas.keys() & ({word} | named.get(word, set())) for word in words]
    covered = sum(areas[word] for word in set().union(*hits))
    return Suggested(len(hits), sum(map(bool, hits)), covered / sum(areas.values()))


def meanings(backbone: Backbone) -> dict[str, set[str]]:
    """The synonyms and kinds of each word that may be suggested."""
    return {w: {*group, *KINDS.get(w, ())} for group in word_groups(backbone) for w in group}


def report(title: str, photos: Sequence[Suggested]) -> str:
    """Both shares in percent, and the number of words, in one line."""
    words = sum(photo.words for photo in photos)
    right = sum(photo.right for photo in photos) / words
    area = np.mean([photo.area for photo in photos])
    return (
        f"{title} ({len(photos)} photos): {100 * right:.1f} % of the suggested words are in the "
        f"photo, and name {100 * area:.1f} % of the labelled area; {words / len(photos):.1f} words "
        "a photo"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the shares over all photos and over each half; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.suggested_words", description=__doc__
    )
    parser.add_argument("folder", nargs="?", type=Path, help="photos with masks and an index.json")
    add_backbone_options(parser)
    args = parser.parse_args(arguments)
    try:
        photos = photo_folder(args.folder) if args.folder else shipped_photos()
        judged = []
        backbone = opened_backbone(args, args.backbone)
        named, segmenter = meanings(backbone), Segmenter(backbone)
        for sample in photos.samples:
            image, truth = sample.load()
            index, counts = np.unique(truth[truth >= 0], return_counts=True)
            names = [photos.classes[i].name for i in index]
            areas = dict(zip(names, counts.tolist(), strict=True))
            judged.append(judge(segmenter.suggest(image), areas, named))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    half = len(judged) // 2
    print(report("all", judged))
    print(report("first half", judged[:half]))
    print(report("second half", judged[half:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
