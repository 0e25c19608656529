"""``python -m evaluation.phenomena``: measures a backbone, prints and draws it."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.datasets import DATASETS, Sample
from evaluation.metric import IGNORE
from evaluation.options import (
    add_backbone_options,
    add_finding_options,
    opened_backbone,
    opened_set,
)
from evaluation.phenomena import figures, measure, summary
from evaluation.photo_set import NAME as PHOTOS
from gclip_core import images
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_choice
from gclip_core.segmenter import Segmenter


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an error is one sentence on stderr. Returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        _run(args)
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(args: argparse.Namespace) -> None:
    backbone = opened_backbone(args, args.backbone)
    segmenter = Segmenter(backbone, short_side=args.short_side)
    cs_blocks = block_choice(args.cs_blocks, backbone.n_blocks)
    cs_method = gclip(amf=False, cs=True, cs_blocks=cs_blocks)
    phenomena = measure(segmenter, _samples(args, segmenter), cs_method, args.global_threshold)
    print(summary(phenomena))
    if args.out:
        print(f"\nwritten: {figures.draw(phenomena, args.out)}", file=sys.stderr)


def _samples(args: argparse.Namespace, segmenter: Segmenter) -> Iterable[Sample]:
    if args.images:
        return [_own(path, args.words, segmenter) for path in args.images]
    return opened_set(args).samples


def _own(path: Path, words: str | None, segmenter: Segmenter) -> Sample:
    """An image of the user's; its regions are ClearCLIP's masks of ``words``, if given."""

    def load() -> tuple[Image.Image, NDArray[np.int16]]:
        image = images.check(path)
        if not words:
            return image, np.full((image.height, image.width), IGNORE, np.int16)
        return image, segmenter.segment(image, words, METHODS["clearclip"]).labels.numpy()

    return Sample(path.name, load)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.phenomena",
        description="Global tokens and abnormal channels of a backbone, block by block (blocks "
        "count from 1), measured on the given images or on those of a data set.",
    )
    parser.add_argument("images", nargs="*", type=Path, help="image files")
    add_backbone_options(parser)
    parser.add_argument("--words", help="words whose masks are the regions of in-in and in-out")
    parser.add_argument(
        "--dataset", default=PHOTOS, choices=[PHOTOS, *DATASETS], help="data set (default: photos)"
    )
    parser.add_argument("--root", type=Path, help="folder that contains the data set")
    parser.add_argument("--n", type=int, default=12, help="number of its images (12)")
    parser.add_argument("--short-side", type=int, help="pixels (default: the backbone's)")
    parser.set_defaults(split=None)
    add_finding_options(parser)
    parser.add_argument("--out", type=Path, help="folder for the figure (default: only print)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
