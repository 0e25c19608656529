"""``python -m evaluation.figure``: draws the figure of a photo."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation import options
from evaluation.errors import EvaluationError
from evaluation.figure.drawing import draw, saved
from evaluation.figure.values import values_of
from evaluation.saving import write_atomically
from gclip_core import images
from gclip_core.methods import METHODS, find_method
from gclip_core.refine import REFINEMENTS
from gclip_core.segmenter import Segmenter


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure of a photo; returns the exit status."""
    return options.run(_draw, parser().parse_args(arguments))


def _draw(args: argparse.Namespace) -> None:
    kind = args.out.suffix.lower().lstrip(".")
    if kind not in ("png", "pdf", "svg"):
        raise EvaluationError(
            f"A file that ends in .pdf, .svg or .png was expected, but {args.out.name} came. "
            "Give --out such a name."
        )
    segmenter = Segmenter(options.opened_backbone(args, args.backbone))
    picture = images.check(args.photo)
    words = args.words or ", ".join(segmenter.suggest(picture))
    method = find_method(args.method)
    values = values_of(segmenter, picture, words, method, args.rest, args.refine)
    write_atomically(args.out, saved(draw(values, args.small), kind))
    print(f"written: {args.out}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(prog="python -m evaluation.figure", description=__doc__)
    command.add_argument("photo", type=Path, help="an image file")
    command.add_argument("--words", help="as in gclip; without it, suggested words")
    command.add_argument("--out", type=Path, required=True, help="a .pdf, .svg or .png file")
    command.add_argument("--small", action="store_true", help="photo and mask alone, to be shared")
    command.add_argument("--method", default="gclip", choices=list(METHODS))
    command.add_argument("--rest", default="auto", choices=["auto", "background", "none"])
    command.add_argument("--refine", default="guided", choices=list(REFINEMENTS))
    options.add_backbone_options(command)
    return command


if __name__ == "__main__":
    sys.exit(main())
