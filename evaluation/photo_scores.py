"""How much of the shipped photos' true masks a backbone finds.

``python -m evaluation.photo_scores`` segments each photo into its own words; void is not counted.
"""

import argparse
import sys
from collections.abc import Sequence
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


def photo_iou(segmenter: Segmenter, method: Method, photo: Photo) -> tuple[float, ...]:
    """IoU of each of the photo's words, in their order: the main thing first."""
    words = Vocabulary(photo.words)
    labels = segmenter.segment(photo.image(), words, method).labels.numpy()
    score = metric.against_truth(photo.labels(), photo.words, labels, words)
    return tuple(score.iou[c] for c in range(len(photo.words)))


def report(measured: dict[str, tuple[float, ...]]) -> str:
    """A table of every word's IoU in percent, and on how many photos the main thing is found."""
    lines = ["| photo | mean | IoU per word |", "|---|---|---|"]
    for name, iou in measured.items():
        words = zip(star_photos()[name].names, iou, strict=True)
        cells = ", ".join(f"{word} {100 * share:.1f}" for word, share in words)
        lines.append(f"| {name} | {100 * np.mean(iou):.1f} | {cells} |")
    found = sum(iou[0] >= ENOUGH for iou in measured.values())
    lines += ["", f"Main thing at {100 * ENOUGH:.0f} IoU or more: {found} of {len(measured)}."]
    return "\n".join(lines)


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
    try:
        with opened_backbone(args, args.backbone) as backbone:
            segmenter = Segmenter(backbone, short_side=args.short_side)
            method = METHODS[args.method]
            photos = star_photos()
            print(report({n: photo_iou(segmenter, method, p) for n, p in photos.items()}))
            if args.sheet:
                found = [
                    segmenter.segment(p.image(), Vocabulary(p.words), method).labels.numpy()
                    for p in photos.values()
                ]
                sheet(list(photos.values()), found).save(args.sheet)
    except (GclipError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
