"""How much of the shipped photos' true masks a backbone finds, and what one word alone does.

``python -m evaluation.photo_scores`` segments each photo into its own words, then types each word
alone, with hidden words for the rest, and words that the photo does not show.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation import metric
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.photo_masks import sheet
from evaluation.photos import Photo, star_photos
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.registry import BACKBONES, BUILT_IN, backbone_name
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Vocabulary

ENOUGH = 0.6
"""IoU from which a photo's main thing counts as found."""
ABSENT_WORDS = 4
"""How many words that it does not show each photo is asked for."""


@dataclass(frozen=True)
class PhotoScore:
    """Scores of one photo; IoU and shares are fractions.

    ``together`` are the IoU of its words typed together, the main thing first; ``alone`` the IoU of
    the main thing typed alone, ``wrong`` the share of the photo that it then covers wrongly, and
    ``absent`` the shares covered by words that the photo does not show. ``labels`` (H, W) is the
    mask of the words together.
    """

    together: tuple[float, ...]
    alone: float
    wrong: float
    absent: tuple[float, ...]
    labels: np.ndarray


def score(segmenter: Segmenter, method: Method, photo: Photo, absent: Sequence[str]) -> PhotoScore:
    """Segment a photo by its words together, by its main thing, and by words it does not show."""
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
        labels=together,
    )


def words_elsewhere(photo: Photo, photos: Mapping[str, Photo]) -> tuple[str, ...]:
    """The first words of other photos that name nothing in this one, evenly chosen."""
    own = {one.casefold() for word in photo.words for one in word}
    others = dict.fromkeys(
        word[0] for other in photos.values() for word in other.words if not own & {*word}
    )
    step = max(1, len(others) // ABSENT_WORDS)
    return tuple(others)[::step][:ABSENT_WORDS]


def report(scores: Mapping[str, PhotoScore]) -> str:
    """A table of every word's IoU in percent, and sentences on words alone."""
    lines = ["| photo | mean | IoU per word | main thing alone |", "|---|---|---|---|"]
    for name, one in scores.items():
        words = zip(star_photos()[name].names, one.together, strict=True)
        cells = ", ".join(f"{word} {100 * share:.1f}" for word, share in words)
        mean = 100 * np.mean(one.together)
        lines.append(f"| {name} | {mean:.1f} | {cells} | {100 * one.alone:.1f} |")
    found = sum(one.together[0] >= ENOUGH for one in scores.values())
    absent = [share for one in scores.values() for share in one.absent]
    means = {
        "Mean of the photos": np.mean([np.mean(one.together) for one in scores.values()]),
        "IoU of the main thing, all words typed": np.mean([o.together[0] for o in scores.values()]),
        "the same, its word alone": np.mean([one.alone for one in scores.values()]),
        "Share of a photo that the word alone covers wrongly": np.mean(
            [one.wrong for one in scores.values()]
        ),
        "Share of a photo that an absent word covers, median": np.median(absent),
        "the same, mean": np.mean(absent),
    }
    lines += ["", f"Main thing at {100 * ENOUGH:.0f} IoU or more: {found} of {len(scores)}."]
    return "\n".join([*lines, *(f"{what}: {100 * value:.1f} %" for what, value in means.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.photo_scores", description=__doc__)
    parser.add_argument(
        "--backbone", default=BUILT_IN, choices=list(BACKBONES), type=backbone_name, metavar="NAME"
    )
    parser.add_argument("--method", default="clearclip", choices=list(METHODS))
    parser.add_argument("--short-side", type=int, help="pixels (default: the backbone's)")
    parser.add_argument("--sheet", type=Path, help="also draw all masks, as an image file")
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
        if args.sheet:
            masks = [one.labels for one in scores.values()]
            sheet(list(photos.values()), masks).save(args.sheet)
    except (GclipError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
