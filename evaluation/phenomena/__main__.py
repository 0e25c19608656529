"""``python -m evaluation.phenomena``: measures a backbone, prints and draws it."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation import options
from evaluation.metric import IGNORE
from evaluation.phenomena import figures
from evaluation.phenomena.measurement import measure
from evaluation.phenomena.summary import summary
from evaluation.photo_set import NAME as PHOTOS
from evaluation.samples import Sample
from gclip_core import images
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_choice
from gclip_core.segmenter import Segmenter


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return options.run(_measure, parser().parse_args(arguments))


def _measure(args: argparse.Namespace) -> None:
    backbone = options.opened_backbone(args, args.backbone)
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
    return options.opened_set(args).samples


def _own(path: Path, words: str | None, segmenter: Segmenter) -> Sample:
    """An image of the user's; its regions are ClearCLIP's masks of ``words``, if given."""

    def load() -> tuple[Image.Image, NDArray[np.int16]]:
        image = images.check(path)
        if not words:
            return image, np.full((image.height, image.width), IGNORE, np.int16)
        return image, segmenter.segment(image, words, METHODS["clearclip"]).labels.numpy()

    return Sample(path.name, load)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation.phenomena",
        description="Global tokens and abnormal channels of a backbone, block by block (blocks "
        "count from 1), measured on the given images or on those of a data set.",
    )
    command.add_argument("images", nargs="*", type=Path, help="image files")
    options.add_backbone_options(command)
    options.add_set_options(command, default=PHOTOS, n=12)
    command.add_argument("--words", help="words whose masks are the regions of in-in and in-out")
    command.add_argument("--short-side", type=int, help="pixels (default: the backbone's)")
    options.add_gclip_options(command)
    command.add_argument("--out", type=Path, help="folder for the figure (default: only print)")
    return command


if __name__ == "__main__":
    sys.exit(main())
