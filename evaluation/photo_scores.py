"""IoU of a backbone on the photos that ship: ``python -m evaluation.photo_scores``.

Each photo is segmented by all its words, by its main word alone with the background words added,
and by words that it does not show.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation import metric
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.photos import Photo, star_photos
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Vocabulary

ENOUGH = 0.6
"""IoU from which a photo's main word counts as found."""
ABSENT_WORDS = 4
"""Number of words that a photo does not show and is segmented by."""


@dataclass(frozen=True)
class PhotoScore:
    """Scores of one photo; IoU and shares are fractions.

    ``together`` is the IoU of each word with all words typed, the main word first; ``alone`` the
    IoU of the main word typed alone, and ``wrong`` the share of the photo that its mask then covers
    wrongly; ``absent`` the share covered by each word that the photo does not show.
    """

    together: tuple[float, ...]
    alone: float
    wrong: float
    absent: tuple[float, ...]


def score(segmenter: Segmenter, method: Method, photo: Photo, absent: Sequence[str]) -> PhotoScore:
    """Segment a photo by all its words, by its main word alone, and by each of ``absent``."""
    truth, encoded = photo.labels(), segmenter.encode(photo.image())

    def labels(words: Vocabulary, rest: str) -> np.ndarray:
        return segmenter.segment(encoded, words, method, rest=rest).labels.numpy()

    words, main = Vocabulary(photo.words), Vocabulary(photo.words[:1])
    together, alone = labels(words, "none"), labels(main, "background")
    found = metric.against_truth(truth, photo.words, together, words).iou
    return PhotoScore(
        together=tuple(found[c] for c in range(len(words))),
        alone=metric.against_truth(truth, photo.words, alone, main).iou[0],
        wrong=float(((alone == 0) & (truth > 0)).mean()),
        absent=tuple(
            float((labels(Vocabulary(((word,),)), "background") == 0).mean()) for word in absent
        ),
    )


def words_elsewhere(photo: Photo, photos: Mapping[str, Photo]) -> tuple[str, ...]:
    """Words of other photos that name nothing in this one, evenly chosen."""
    own = {one.casefold() for word in photo.words for one in word}
    others = dict.fromkeys(
        word[0] for other in photos.values() for word in other.words if not own & {*word}
    )
    step = max(1, len(others) // ABSENT_WORDS)
    return tuple(others)[::step][:ABSENT_WORDS]


def report(scores: Mapping[str, PhotoScore]) -> str:
    """A table of each word's IoU in percent, and means over the photos."""
    lines = ["| photo | mean | IoU by word | main word alone |", "|---|---|---|---|"]
    for name, one in scores.items():
        words = zip(star_photos()[name].names, one.together, strict=True)
        cells = ", ".join(f"{word} {100 * share:.1f}" for word, share in words)
        mean = 100 * np.mean(one.together)
        lines.append(f"| {name} | {mean:.1f} | {cells} | {100 * one.alone:.1f} |")
    some = scores.values()
    found = sum(one.together[0] >= ENOUGH for one in some)
    absent = [share for one in some for share in one.absent]
    means = {
        "Mean of the photos": np.mean([np.mean(one.together) for one in some]),
        "IoU of the main word, all words typed": np.mean([one.together[0] for one in some]),
        "the same, typed alone": np.mean([one.alone for one in some]),
        "Share of a photo that it then covers wrongly": np.mean([one.wrong for one in some]),
        "Share of a photo that an absent word covers, median": np.median(absent),
        "the same, mean": np.mean(absent),
    }
    lines += ["", f"Main word at {100 * ENOUGH:.0f} % IoU or more: {found} of {len(some)} photos."]
    return "\n".join([*lines, *(f"{what}: {100 * value:.1f} %" for what, value in means.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.photo_scores", description=__doc__)
    parser.add_argument("--method", default="clearclip", choices=list(METHODS))
    parser.add_argument("--short-side", type=int, help="pixels (default: the backbone's)")
    add_backbone_options(parser)
    args = parser.parse_args(arguments)
    photos, method = star_photos(), METHODS[args.method]
    try:
        segmenter = Segmenter(opened_backbone(args, args.backbone), short_side=args.short_side)
        scores = {
            name: score(segmenter, method, photo, words_elsewhere(photo, photos))
            for name, photo in photos.items()
        }
        print(report(scores))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
