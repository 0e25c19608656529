"""The recipe that teaches the built-in model your own photos, step by step: README.md."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from evaluation import options
from evaluation.datasets import DATASETS
from training import data, features, patch_map
from training.words import Known


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a step and returns the exit status."""
    return options.run(_run, _parser().parse_args(arguments))


def _run(args: argparse.Namespace) -> None:
    if args.step == "words":
        print("\n".join(Known().about(word.strip()) for word in args.words.split(",")))
    elif args.step == "data":
        data.write(args.data, args.masks, args.photos, args.most)
        data.check(args.data)
    else:
        torch.set_num_threads(args.threads)
        if args.step in ("features", "all"):
            features.run(args.data, args.work)
        if args.step in ("map", "all"):
            patch_map.run(args.data, args.work, args.without, args.seed, args.steps)


def positive(text: str) -> int:
    """A whole number from 1; for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, not {text!r:.40}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Teaches the built-in model your own photos (training/README.md). 'words' says "
        "which words it can learn, 'data' lists the photos and checks them, 'all' does the rest.",
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    say = steps.add_parser("words", help="say which words can be taught")
    say.add_argument("words", help='such as "raccoon, garden gnome"')
    make = steps.add_parser("data", help="list the photos to learn from, and check them")
    make.add_argument("data", type=Path, help="folder to create")
    sets = ", ".join(DATASETS)
    make.add_argument(
        "--masks",
        nargs="+",
        required=True,
        metavar="[SET=]FOLDER",
        help=f"a folder of NAME.jpg, NAME.png and words.txt, or one of the data sets {sets}",
    )
    make.add_argument(
        "--photos", nargs="*", default=(), metavar="FOLDER", help="photos without masks"
    )
    make.add_argument(
        "--most",
        type=positive,
        default=1000,
        help="maximum of photos per data set, chosen at random",
    )
    for name, text in {
        "features": "compute the features of every photo with the frozen networks",
        "map": "learn the map from features to word vectors, and write the model's files",
        "all": "both steps, in order",
    }.items():
        step = steps.add_parser(name, help=text)
        step.add_argument("data", type=Path, help="the folder that 'data' created")
        step.add_argument("work", type=Path, help="folder for features and results")
        step.add_argument("--threads", type=positive, default=torch.get_num_threads())
        if name != "features":
            step.add_argument("--without", metavar="SPLIT", help="hold out the photos in SPLIT.txt")
            step.add_argument("--seed", type=int, default=0)
            step.add_argument(
                "--steps", type=positive, default=patch_map.STEPS, help="fewer for a quick try"
            )
    return parser


if __name__ == "__main__":
    sys.exit(main())
